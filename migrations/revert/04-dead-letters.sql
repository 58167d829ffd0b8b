-- Revert kopru:04-dead-letters from pg
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

DROP TABLE kopru.dead_letters;

DELETE FROM kopru.schema_version WHERE version = 4 AND name = '04-dead-letters';

COMMIT;
