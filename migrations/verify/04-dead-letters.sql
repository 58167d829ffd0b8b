-- Verify kopru:04-dead-letters on pg
-- Raises one error that names all that is missing or different. Columns that came later are fine.

BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL quote_all_identifiers = off;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(format('%s.%s is "%s" instead of "%s"', table_name, column_name, actual,
                             wanted), '; ') INTO wrong
    FROM (VALUES
        ('dead_letters', 'dead_letter_id', 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY'),
        ('dead_letters', 'queue', 'text NOT NULL'),
        ('dead_letters', 'entity', 'text NOT NULL'),
        ('dead_letters', 'entity_id', 'text'),
        ('dead_letters', 'reason', 'text NOT NULL'),
        ('dead_letters', 'detail', 'text'),
        ('dead_letters', 'sqlstate', 'text'),
        ('dead_letters', 'body', 'bytea NOT NULL'),
        ('dead_letters', 'body_sha256', 'bytea NOT NULL'),
        ('dead_letters', 'content_type', 'text'),
        ('dead_letters', 'message_id', 'text'),
        ('dead_letters', 'properties', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
        ('dead_letters', 'redelivered', 'boolean NOT NULL'),
        ('dead_letters', 'occurrences', 'bigint NOT NULL DEFAULT 1'),
        ('dead_letters', 'first_seen_at', 'timestamp with time zone NOT NULL DEFAULT now()'),
        ('dead_letters', 'last_seen_at', 'timestamp with time zone NOT NULL DEFAULT now()'),
        ('dead_letters', 'status', 'text NOT NULL DEFAULT ''open''::text'),
        ('dead_letters', 'resolved_at', 'timestamp with time zone'),
        ('dead_letters', 'resolved_by', 'text')
    ) AS expected (table_name, column_name, wanted)
    CROSS JOIN LATERAL (
        SELECT max(concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                             CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                             'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
                             CASE WHEN a.attidentity = 'a' THEN 'GENERATED ALWAYS AS IDENTITY' END)
                  ) AS actual
        FROM pg_attribute AS a
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = to_regclass('kopru.' || table_name) AND a.attname = column_name
          AND NOT a.attisdropped
    ) AS found
    WHERE actual IS DISTINCT FROM wanted;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'columns of schema kopru differ: %', wrong;
    END IF;

    SELECT string_agg(format('%s lacks "%s"', table_name, wanted), '; ') INTO wrong
    FROM (VALUES
        ('dead_letters', 'PRIMARY KEY (dead_letter_id)'),
        ('dead_letters',
         'CHECK ((status = ANY (ARRAY[''open''::text, ''replayed''::text, ''discarded''::text])))'),
        ('dead_letters',
         'CREATE UNIQUE INDEX dead_letters_open_body_key ON kopru.dead_letters '
         'USING btree (queue, body_sha256) '
         'WHERE (status = ''open''::text)')
    ) AS expected (table_name, wanted)
    WHERE wanted NOT IN (SELECT pg_get_constraintdef(oid) FROM pg_constraint
                         WHERE conrelid = to_regclass('kopru.' || table_name) AND convalidated
                         UNION ALL
                         SELECT pg_get_indexdef(indexrelid) FROM pg_index
                         WHERE indrelid = to_regclass('kopru.' || table_name) AND indisvalid);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'keys of schema kopru differ: %', wrong;
    END IF;

    SELECT string_agg(c.relname, ', ') INTO wrong
    FROM pg_class AS c
    WHERE c.oid IN ('kopru.dead_letters'::regclass)
      AND (c.relowner <> 'kopru_owner'::regrole
           OR obj_description(c.oid, 'pg_class') IS NULL
           OR EXISTS (SELECT FROM pg_attribute AS a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                        AND col_description(c.oid, a.attnum) IS NULL));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'not owned by kopru_owner, or without comments: %', wrong;
    END IF;
END
$$;

SELECT 1 / count(*) FROM kopru.schema_version WHERE version = 4 AND name = '04-dead-letters';

ROLLBACK;
