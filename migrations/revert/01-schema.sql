-- Revert kopru:01-schema from pg

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

-- The schema must be empty by now: nothing is dropped in passing.
DROP TABLE kopru.schema_version;
DROP SCHEMA kopru;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;

COMMIT;
