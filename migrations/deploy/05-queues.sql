-- Deploy kopru:05-queues to pg
-- requires: 01-schema
-- Who may write for a queue, and how fresh each queue is.

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

-- The table has a handful of rows, which are updated every second. Its one page has room without a
-- fillfactor, and there is no index beyond the key, so these updates stay HOT. The epoch of a new
-- row is the time in microseconds: if somebody deletes a row, a kopru that froze while it held the
-- lease must not find its own epoch in the new one. A takeover raises it by less than 0.1 s.
CREATE TABLE kopru.queues (
    queue           text NOT NULL,
    entity          text NOT NULL,
    root_table      text,
    entity_since    timestamptz NOT NULL DEFAULT now(),
    epoch           bigint NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000000),
    holder          text,
    instance        text,
    state           text,
    renewed_at      timestamptz,
    last_message_at timestamptz,
    last_commit_at  timestamptz,
    returns         bigint,
    mapping_doubt   text,
    CONSTRAINT queues_pkey PRIMARY KEY (queue),
    CONSTRAINT queues_state_known CHECK (state IN ('held', 'consuming', 'disconnected'))
);
COMMENT ON TABLE kopru.queues IS
    'One row for each queue: which running kopru may write for it, and how fresh its data is. '
    'kopru maintains it; do not edit it while a kopru runs.';
COMMENT ON COLUMN kopru.queues.queue IS 'Name of the queue at the broker.';
COMMENT ON COLUMN kopru.queues.entity IS
    'Entity that the queue carries, e.g. customer. A kopru whose configuration gives the queue to '
    'another entity waits until one of the two is changed.';
COMMENT ON COLUMN kopru.queues.root_table IS
    'Table of that entity, e.g. customers. It guards against exchanged entity files as the entity '
    'does against exchanged queues. Null: kopru fills it in.';
COMMENT ON COLUMN kopru.queues.entity_since IS 'When the queue was given to that entity.';
COMMENT ON COLUMN kopru.queues.epoch IS
    'Rises with each takeover; its values have no meaning. Each writing transaction '
    'checks it, so a kopru that lost its lease cannot commit.';
COMMENT ON COLUMN kopru.queues.holder IS
    'Host and process id of the running kopru that holds the lease, and so may write. Null: nobody '
    'holds it.';
COMMENT ON COLUMN kopru.queues.instance IS
    'Identifies the process of the holder among all others: host, boot, process-id and time '
    'namespace, process id, start time. Null: nobody holds the lease.';
COMMENT ON COLUMN kopru.queues.state IS
    'What a successor can rely on. consuming: the broker counts the holder as a consumer of the '
    'queue for as long as its connection lives. disconnected: its connection was lost, and the '
    'broker may not have noticed. held: neither of these. Null: nobody holds the lease.';
COMMENT ON COLUMN kopru.queues.renewed_at IS
    'When the lease was last acquired, renewed or released, by the server''s clock; for people '
    'only. Null: never held.';
COMMENT ON COLUMN kopru.queues.last_message_at IS
    'When kopru last received a message of this queue, by the server''s clock. Null: none yet.';
COMMENT ON COLUMN kopru.queues.last_commit_at IS
    'When kopru last committed messages of this queue, by the server''s clock; compare it with '
    'last_message_at. Null: none yet.';
COMMENT ON COLUMN kopru.queues.returns IS
    'How often the broker had messages back that kopru has not acknowledged since: the highest '
    'x-delivery-count of a quorum queue, which may drop a message after 20. Null: none came back.';
COMMENT ON COLUMN kopru.queues.mapping_doubt IS
    'Why the entity file may not fit the messages, as far as the holder has seen since it began: '
    'counts, and names of properties that the entity file has. Null: no reason to doubt.';

INSERT INTO kopru.schema_version (version, name, min_kopru_version)
    VALUES (5, '05-queues', '0.1.0');

COMMIT;
