-- Verify kopru:06-grants on pg
-- Raises one error that names every privilege that is missing or too many.

BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL quote_all_identifiers = off;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(format('%s on schema kopru for %s', privilege, grantee), '; ') INTO wrong
    FROM (VALUES
        ('kopru_writer', true),
        ('kopru_reader_pii', true),
        ('kopru_reader', false),
        ('public', false)
    ) AS expected (grantee, may_use)
    CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS privilege
    WHERE has_schema_privilege(grantee, 'kopru', privilege) <> (may_use AND privilege = 'USAGE');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'missing or too many: %', wrong;
    END IF;

    SELECT string_agg(format('%s on %s for %s', privilege, relation, grantee), '; ') INTO wrong
    FROM (VALUES
        ('customers',                        'SELECT INSERT UPDATE',        'SELECT'),
        ('contact_mediums',                  'SELECT INSERT UPDATE DELETE', 'SELECT'),
        ('subscriptions',                    'SELECT INSERT UPDATE',        'SELECT'),
        ('subscription_characteristics',     'SELECT INSERT UPDATE DELETE', 'SELECT'),
        ('engaged_parties',                  'SELECT INSERT UPDATE DELETE', 'SELECT'),
        ('engaged_parties_without_customer', '',                            'SELECT'),
        ('dead_letters',                     'SELECT INSERT UPDATE',        ''),
        ('queues',                           'SELECT INSERT UPDATE',        'SELECT'),
        ('schema_version',                   'SELECT',                      'SELECT')
    ) AS expected (relation, writer, reader_pii)
    CROSS JOIN LATERAL (VALUES
        ('kopru_writer', writer),
        ('kopru_reader_pii', reader_pii),
        ('kopru_reader', ''),
        ('public', '')
    ) AS role (grantee, privileges)
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES',
                            'TRIGGER']) AS privilege
    WHERE has_table_privilege(grantee, 'kopru.' || relation, privilege)
          <> (privilege = ANY (string_to_array(privileges, ' ')));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'missing or too many: %', wrong;
    END IF;

    SELECT string_agg(format('%s on sequence dead_letters_dead_letter_id_seq for %s', privilege,
                             grantee), '; ') INTO wrong
    FROM unnest(ARRAY['kopru_writer', 'kopru_reader_pii', 'kopru_reader', 'public']) AS grantee
    CROSS JOIN unnest(ARRAY['SELECT', 'USAGE', 'UPDATE']) AS privilege
    WHERE has_sequence_privilege(grantee, 'kopru.dead_letters_dead_letter_id_seq', privilege)
          <> (grantee = 'kopru_writer' AND privilege = 'SELECT');
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'missing or too many: %', wrong;
    END IF;
END
$$;

SELECT 1 / count(*) FROM kopru.schema_version WHERE version = 6 AND name = '06-grants';

ROLLBACK;
