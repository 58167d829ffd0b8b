-- Installing kopru, step 2 of 2, without Sqitch: applies every migration of sqitch.plan, in its
-- order. Run it after sql/roles.sql:
--
--     PGOPTIONS='-c role=kopru_owner' psql -d DB -f migrations/install.sql
--
-- It applies what is missing and skips the rest, so the same command installs and upgrades. Each
-- migration is a transaction of its own; an error stops everything, and the next call goes on from
-- there.

\set ON_ERROR_STOP on
\set QUIET on

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

SELECT to_regclass('kopru.schema_version') IS NULL AS missing \gset
\if :missing
    \echo kopru: applying 01-schema
    \ir deploy/01-schema.sql
\endif

-- A row under the number of a migration and another name is a change of the site: the migration
-- would be skipped.
DO $$
DECLARE
    taken text;
BEGIN
    SELECT string_agg(format('row %s is "%s" instead of "%s"', version, found.name, wanted.name),
                      ', ' ORDER BY version) INTO taken
    FROM (VALUES
        (1, '01-schema'),
        (2, '02-customers'),
        (3, '03-subscriptions'),
        (4, '04-dead-letters'),
        (5, '05-queues'),
        (6, '06-grants')
    ) AS wanted (version, name)
    JOIN kopru.schema_version AS found USING (version)
    WHERE found.name <> wanted.name;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'numbers of kopru''s migrations are taken in kopru.schema_version: %', taken
            USING ERRCODE = 'duplicate_object',
                  HINT = 'a change of the site took the number: give it back as '
                         'migrations/README.md says (Changes of the site), then run this again';
    END IF;
END
$$;

SELECT count(*) = 0 AS missing FROM kopru.schema_version WHERE version = 2 \gset
\if :missing
    \echo kopru: applying 02-customers
    \ir deploy/02-customers.sql
\endif

SELECT count(*) = 0 AS missing FROM kopru.schema_version WHERE version = 3 \gset
\if :missing
    \echo kopru: applying 03-subscriptions
    \ir deploy/03-subscriptions.sql
\endif

SELECT count(*) = 0 AS missing FROM kopru.schema_version WHERE version = 4 \gset
\if :missing
    \echo kopru: applying 04-dead-letters
    \ir deploy/04-dead-letters.sql
\endif

SELECT count(*) = 0 AS missing FROM kopru.schema_version WHERE version = 5 \gset
\if :missing
    \echo kopru: applying 05-queues
    \ir deploy/05-queues.sql
\endif

SELECT count(*) = 0 AS missing FROM kopru.schema_version WHERE version = 6 \gset
\if :missing
    \echo kopru: applying 06-grants
    \ir deploy/06-grants.sql
\endif

\echo kopru: the schema is complete up to 06-grants

SELECT string_agg(name, ', ' ORDER BY version) AS others, count(*) > 0 AS has_others
FROM kopru.schema_version WHERE version > 6 \gset
\if :has_others
    \echo kopru: not of this release: :others (of a newer kopru, or of the site: then see
    \echo kopru: "Changes of the site" in migrations/README.md)
\endif
