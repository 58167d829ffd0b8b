-- Revert kopru:02-customers from pg
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

DROP TABLE kopru.contact_mediums;
DROP TABLE kopru.customers;

DELETE FROM kopru.schema_version WHERE version = 2 AND name = '02-customers';

COMMIT;
