-- Deploy kopru:04-dead-letters to pg
-- requires: 01-schema
-- Messages that could not be applied, stored byte for byte until somebody has looked at them.

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

-- If a dead letter cannot be stored, its queue stands still. So reason has no CHECK: kopru defines
-- the reasons, and a newer kopru may know one more than this schema. The body is bytea, since it
-- may hold any bytes.
CREATE TABLE kopru.dead_letters (
    dead_letter_id bigint GENERATED ALWAYS AS IDENTITY,
    queue          text NOT NULL,
    entity         text NOT NULL,
    entity_id      text,
    reason         text NOT NULL,
    detail         text,
    sqlstate       text,
    body           bytea NOT NULL,
    body_sha256    bytea NOT NULL,
    content_type   text,
    message_id     text,
    properties     jsonb NOT NULL DEFAULT '{}',
    redelivered    boolean NOT NULL,
    occurrences    bigint NOT NULL DEFAULT 1,
    first_seen_at  timestamptz NOT NULL DEFAULT now(),
    last_seen_at   timestamptz NOT NULL DEFAULT now(),
    status         text NOT NULL DEFAULT 'open',
    resolved_at    timestamptz,
    resolved_by    text,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (dead_letter_id),
    CONSTRAINT dead_letters_status_check CHECK (status IN ('open', 'replayed', 'discarded'))
) WITH (fillfactor = 85);  -- if a body comes again, its row is updated
-- Each body of a queue has one open row, however often it is delivered. Once that row is resolved,
-- the same body opens a new one.
CREATE UNIQUE INDEX dead_letters_open_body_key ON kopru.dead_letters (queue, body_sha256)
    WHERE status = 'open';
COMMENT ON TABLE kopru.dead_letters IS
    'Messages that kopru could not apply, with the reason. A person looks at each of them, and '
    'then marks it as replayed or discarded. If the same body arrives again while its row is open, '
    'it is counted there. Personal data.';
COMMENT ON COLUMN kopru.dead_letters.dead_letter_id IS
    'Number of the dead letter. Gaps have no meaning.';
COMMENT ON COLUMN kopru.dead_letters.queue IS
    'Queue from which it was read; for a line of kopru import it is import: and the entity.';
COMMENT ON COLUMN kopru.dead_letters.entity IS 'Entity that the queue carries, e.g. customer.';
COMMENT ON COLUMN kopru.dead_letters.entity_id IS
    'Id of the customer or subscription it is about. Null: none could be read.';
COMMENT ON COLUMN kopru.dead_letters.reason IS
    'Why its latest delivery was refused: too_large, invalid_unicode, not_json, too_deep, '
    'contains_nul, not_object, missing_id, invalid_id, invalid_structure or rejected_by_database.';
COMMENT ON COLUMN kopru.dead_letters.detail IS
    'JSON path and rule at its latest delivery, never a value; at most 1,000 bytes. Null: the '
    'reason says everything.';
COMMENT ON COLUMN kopru.dead_letters.sqlstate IS
    'SQLSTATE of PostgreSQL at its latest delivery, for rejected_by_database. Null: the database '
    'was not asked.';
COMMENT ON COLUMN kopru.dead_letters.body IS 'The exact bytes of the message.';
COMMENT ON COLUMN kopru.dead_letters.body_sha256 IS 'SHA-256 of body.';
COMMENT ON COLUMN kopru.dead_letters.content_type IS
    'AMQP content-type of the first delivery, recorded and not trusted. Null: none. It is '
    'base64:... if it was not valid text.';
COMMENT ON COLUMN kopru.dead_letters.message_id IS
    'AMQP message-id of the first delivery. Null: none. It is base64:... if it was not valid text.';
COMMENT ON COLUMN kopru.dead_letters.properties IS
    'All other AMQP properties and the headers of the first delivery. {} if there were none.';
COMMENT ON COLUMN kopru.dead_letters.redelivered IS
    'Whether the broker flagged the latest delivery as redelivered.';
COMMENT ON COLUMN kopru.dead_letters.occurrences IS
    'How often this body was delivered while the row was open. A delivery may count twice: if the '
    'outcome of a commit is unknown, it is written again.';
COMMENT ON COLUMN kopru.dead_letters.first_seen_at IS 'When it first arrived.';
COMMENT ON COLUMN kopru.dead_letters.last_seen_at IS 'When it last arrived.';
COMMENT ON COLUMN kopru.dead_letters.status IS
    'open; replayed: applied after all; discarded: given up by a person.';
COMMENT ON COLUMN kopru.dead_letters.resolved_at IS
    'When it was replayed or discarded. Null: open.';
COMMENT ON COLUMN kopru.dead_letters.resolved_by IS 'Who replayed or discarded it. Null: open.';

INSERT INTO kopru.schema_version (version, name, min_kopru_version)
    VALUES (4, '04-dead-letters', '0.1.0');

COMMIT;
