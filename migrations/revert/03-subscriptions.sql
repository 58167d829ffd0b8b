-- Revert kopru:03-subscriptions from pg
-- Takes the data with it.

BEGIN;

DO $$
BEGIN
    IF current_user <> 'kopru_owner' THEN
        RAISE EXCEPTION 'current_user is "%", but kopru''s migrations run as kopru_owner',
                current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'set PGOPTIONS=''-c role=kopru_owner'' (sql/roles.sql makes the role)';
    END IF;
END
$$;

DROP VIEW kopru.engaged_parties_without_customer;
DROP TABLE kopru.engaged_parties;
DROP TABLE kopru.subscription_characteristics;
DROP TABLE kopru.subscriptions;

DELETE FROM kopru.schema_version WHERE version = 3 AND name = '03-subscriptions';

COMMIT;
