-- Verify kopru:03-subscriptions on pg
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
        ('subscriptions', 'subscription_id', 'text NOT NULL'),
        ('subscriptions', 'agreement_type', 'text'),
        ('subscriptions', 'document_number', 'text'),
        ('subscriptions', 'name', 'text'),
        ('subscriptions', 'status', 'text'),
        ('subscriptions', 'completion_start', 'timestamp with time zone'),
        ('subscriptions', 'completion_end', 'timestamp with time zone'),
        ('subscriptions', 'completion_start_date', 'date'),
        ('subscriptions', 'completion_end_date', 'date'),
        ('subscriptions', 'extra', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
        ('subscriptions', 'payload_hash', 'bytea'),
        ('subscriptions', 'source_time', 'timestamp with time zone'),
        ('subscriptions', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()'),
        ('subscriptions', 'updated_at', 'timestamp with time zone NOT NULL DEFAULT now()'),
        ('subscription_characteristics', 'subscription_id', 'text NOT NULL'),
        ('subscription_characteristics', 'bag', 'text NOT NULL'),
        ('subscription_characteristics', 'name', 'text NOT NULL'),
        ('subscription_characteristics', 'occurrence', 'integer NOT NULL'),
        ('subscription_characteristics', 'value_type', 'text'),
        ('subscription_characteristics', 'value', 'text'),
        ('subscription_characteristics', 'value_numeric', 'numeric'),
        ('subscription_characteristics', 'value_date', 'date'),
        ('subscription_characteristics', 'value_timestamp', 'timestamp with time zone'),
        ('subscription_characteristics', 'value_boolean', 'boolean'),
        ('subscription_characteristics', 'extra', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
        ('engaged_parties', 'subscription_id', 'text NOT NULL'),
        ('engaged_parties', 'customer_id', 'text NOT NULL'),
        ('engaged_parties', 'occurrence', 'integer NOT NULL'),
        ('engaged_parties', 'name', 'text'),
        ('engaged_parties', 'role', 'text'),
        ('engaged_parties', 'referred_type', 'text'),
        ('engaged_parties', 'extra', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
        ('engaged_parties_without_customer', 'subscription_id', 'text'),
        ('engaged_parties_without_customer', 'customer_id', 'text'),
        ('engaged_parties_without_customer', 'occurrence', 'integer')
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
        ('subscriptions', 'PRIMARY KEY (subscription_id)'),
        ('subscription_characteristics', 'PRIMARY KEY (subscription_id, bag, name, occurrence)'),
        ('subscription_characteristics',
         'FOREIGN KEY (subscription_id) REFERENCES kopru.subscriptions(subscription_id) '
         'ON DELETE CASCADE'),
        ('engaged_parties', 'PRIMARY KEY (subscription_id, customer_id, occurrence)'),
        ('engaged_parties',
         'FOREIGN KEY (subscription_id) REFERENCES kopru.subscriptions(subscription_id) '
         'ON DELETE CASCADE'),
        ('engaged_parties',
         'CREATE INDEX engaged_parties_customer_id_idx ON kopru.engaged_parties '
         'USING btree (customer_id)')
    ) AS expected (table_name, wanted)
    WHERE wanted NOT IN (SELECT pg_get_constraintdef(oid) FROM pg_constraint
                         WHERE conrelid = to_regclass('kopru.' || table_name) AND convalidated
                         UNION ALL
                         -- ONLY: where the table is partitioned
                         SELECT replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
                         FROM pg_index
                         WHERE indrelid = to_regclass('kopru.' || table_name) AND indisvalid);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'keys of schema kopru differ: %', wrong;
    END IF;

    SELECT string_agg(c.relname, ', ') INTO wrong
    FROM pg_class AS c
    WHERE c.oid IN ('kopru.subscriptions'::regclass,
                    'kopru.subscription_characteristics'::regclass,
                    'kopru.engaged_parties'::regclass,
                    'kopru.engaged_parties_without_customer'::regclass)
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

SELECT 1 / count(*) FROM kopru.schema_version WHERE version = 3 AND name = '03-subscriptions';

ROLLBACK;
