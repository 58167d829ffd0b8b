-- Verify kopru:05-queues on pg
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
        ('queues', 'queue', 'text NOT NULL'),
        ('queues', 'entity', 'text NOT NULL'),
        ('queues', 'root_table', 'text'),
        ('queues', 'entity_since', 'timestamp with time zone NOT NULL DEFAULT now()'),
        ('queues', 'epoch', 'bigint NOT NULL DEFAULT '
            || CASE WHEN current_setting('server_version_num')::integer >= 140000
            THEN 'floor((EXTRACT(epoch FROM clock_timestamp()) * (1000000)::numeric))'
            ELSE 'floor((date_part(''epoch''::text, clock_timestamp()) '
                 '* (1000000)::double precision))' END),
        ('queues', 'holder', 'text'),
        ('queues', 'instance', 'text'),
        ('queues', 'state', 'text'),
        ('queues', 'renewed_at', 'timestamp with time zone'),
        ('queues', 'last_message_at', 'timestamp with time zone'),
        ('queues', 'last_commit_at', 'timestamp with time zone'),
        ('queues', 'returns', 'bigint'),
        ('queues', 'mapping_doubt', 'text')
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
        ('queues', 'PRIMARY KEY (queue)'),
        ('queues', 'CHECK ((state = ANY (ARRAY[''held''::text, ''consuming''::text, '
                   '''disconnected''::text])))')
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
    WHERE c.oid IN ('kopru.queues'::regclass)
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

SELECT 1 / count(*) FROM kopru.schema_version WHERE version = 5 AND name = '05-queues';

ROLLBACK;
