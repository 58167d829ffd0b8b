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

SELECT name AS newest FROM kopru.schema_version ORDER BY version DESC LIMIT 1 \gset
\echo kopru: the schema is complete up to :newest
