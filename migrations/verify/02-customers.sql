-- Verify kopru:02-customers on pg
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
        ('customers', 'customer_id', 'text NOT NULL'),
        ('customers', 'status', 'text'),
        ('customers', 'name', 'text'),
        ('customers', 'extra', 'jsonb NOT NULL DEFAULT ''{}''::jsonb'),
        ('customers', 'payload_hash', 'bytea'),
        ('customers', 'source_time', 'timestamp with time zone'),
        ('customers', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()'),
        ('customers', 'updated_at', 'timestamp with time zone NOT NULL DEFAULT now()'),
        ('contact_mediums', 'customer_id', 'text NOT NULL'),
        ('contact_mediums', 'position', 'integer NOT NULL'),
        ('contact_mediums', 'medium_type', 'text'),
        ('contact_mediums', 'preferred', 'boolean'),
        ('contact_mediums', 'contact_type', 'text'),
        ('contact_mediums', 'city', 'text'),
        ('contact_mediums', 'state_or_province', 'text'),
        ('contact_mediums', 'country', 'text'),
        ('contact_mediums', 'post_code', 'text'),
        ('contact_mediums', 'street1', 'text'),
        ('contact_mediums', 'street2', 'text'),
        ('contact_mediums', 'phone_number', 'text'),
        ('contact_mediums', 'fax_number', 'text'),
        ('contact_mediums', 'email_address', 'text'),
        ('contact_mediums', 'social_network_id', 'text'),
        ('contact_mediums', 'valid_from', 'timestamp with time zone'),
        ('contact_mediums', 'valid_to', 'timestamp with time zone'),
        ('contact_mediums', 'valid_from_date', 'date'),
        ('contact_mediums', 'valid_to_date', 'date'),
        ('contact_mediums', 'extra', 'jsonb NOT NULL DEFAULT ''{}''::jsonb')
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
        ('customers', 'PRIMARY KEY (customer_id)'),
        ('contact_mediums', 'PRIMARY KEY (customer_id, "position")'),
        ('contact_mediums',
         'FOREIGN KEY (customer_id) REFERENCES kopru.customers(customer_id) ON DELETE CASCADE')
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
    WHERE c.oid IN ('kopru.customers'::regclass,
                    'kopru.contact_mediums'::regclass)
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

SELECT 1 / count(*) FROM kopru.schema_version WHERE version = 2 AND name = '02-customers';

ROLLBACK;
