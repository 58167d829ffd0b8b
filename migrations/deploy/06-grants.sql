-- Deploy kopru:06-grants to pg
-- requires: 03-subscriptions 04-dead-letters 05-queues
-- Who may do what, on one page. A later migration that adds a table also grants access to it; a new
-- column needs no grant.

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

REVOKE ALL ON ALL TABLES IN SCHEMA kopru FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA kopru FROM PUBLIC;

GRANT USAGE ON SCHEMA kopru TO kopru_writer, kopru_reader_pii;

-- For the daemon and its command line. Only rows that a payload's list replaces are deleted, so
-- customers and subscriptions are not, nor are dead letters, which are resolved; nothing is
-- truncated or altered.
GRANT SELECT, INSERT, UPDATE ON kopru.customers, kopru.subscriptions TO kopru_writer;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON kopru.contact_mediums, kopru.subscription_characteristics, kopru.engaged_parties
    TO kopru_writer;
GRANT SELECT, INSERT, UPDATE ON kopru.dead_letters, kopru.queues TO kopru_writer;
GRANT SELECT ON kopru.schema_version TO kopru_writer;
-- So that kopru check sees when the identity is behind its rows, as after a logical copy.
GRANT SELECT ON SEQUENCE kopru.dead_letters_dead_letter_id_seq TO kopru_writer;

-- For people and applications that may see personal data, but not the raw messages.
GRANT SELECT
    ON kopru.customers, kopru.contact_mediums,
       kopru.subscriptions, kopru.subscription_characteristics, kopru.engaged_parties,
       kopru.engaged_parties_without_customer, kopru.queues, kopru.schema_version
    TO kopru_reader_pii;

-- kopru_reader gets nothing yet: it is for report views without personal data.

INSERT INTO kopru.schema_version (version, name, min_kopru_version)
    VALUES (6, '06-grants', '0.1.0');

COMMIT;
