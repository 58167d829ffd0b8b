-- Revert kopru:06-grants from pg

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

REVOKE ALL ON ALL TABLES IN SCHEMA kopru FROM kopru_writer, kopru_reader_pii;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA kopru FROM kopru_writer;
REVOKE ALL ON SCHEMA kopru FROM kopru_writer, kopru_reader_pii;

DELETE FROM kopru.schema_version WHERE version = 6 AND name = '06-grants';

COMMIT;
