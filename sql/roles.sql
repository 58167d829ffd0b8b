-- Installing kopru, step 1 of 2: creates the roles. A superuser, or the database's owner with
-- CREATEROLE, runs:
--
--     psql -d DB -f sql/roles.sql
--
-- kopru_owner       owns everything in schema kopru; migrations run as this role, the daemon never
--                   does
-- kopru_writer      reads and writes rows, but may run no DDL; the daemon's login is a member of it
-- kopru_reader_pii  reads the tables, which hold names, phone numbers and identity numbers, but
--                   never the dead letters
-- kopru_reader      may do nothing yet; it is for report views without personal data
--
-- Roles belong to the whole cluster: in a second database this script finds them and only adds the
-- grant. Running it again changes nothing. PostgreSQL only warns if a grant has no effect; the last
-- block here fails instead, and everything is rolled back.

\set ON_ERROR_STOP on
\set QUIET on

BEGIN;
SET LOCAL client_min_messages = warning;

DO $$
DECLARE
    role_name text;
    purpose text;
BEGIN
    FOR role_name, purpose IN VALUES
        ('kopru_owner', 'kopru: owns schema kopru; migrations run as this role'),
        ('kopru_writer',
         'kopru: reads and writes the rows of schema kopru; for the login of the daemon'),
        ('kopru_reader_pii',
         'kopru: reads the tables of schema kopru, personal data included, but no dead letters'),
        ('kopru_reader', 'kopru: for report views without personal data')
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXECUTE format('COMMENT ON ROLE %I IS %L', role_name, purpose);
        END IF;
    END LOOP;

    EXECUTE format('GRANT CREATE ON DATABASE %I TO kopru_owner', current_database());

    -- Step 2 runs as kopru_owner, so the login that runs this must be able to become it. Before
    -- PostgreSQL 16 the creator of a role is no member of it; from 16 on the creator may administer
    -- it, but may not SET ROLE to it.
    IF NOT pg_has_role(session_user, 'kopru_owner',
                       CASE WHEN current_setting('server_version_num')::int >= 160000
                            THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT kopru_owner TO %I', current_user);
    END IF;
END
$$;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(rolname, ', ' ORDER BY rolname) INTO wrong
    FROM pg_catalog.pg_roles
    WHERE rolname IN ('kopru_owner', 'kopru_writer', 'kopru_reader_pii', 'kopru_reader')
      AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
           OR rolbypassrls);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'these roles existed before and have more rights than they should: %', wrong
            USING HINT = 'ALTER ROLE: no LOGIN, SUPERUSER, CREATEROLE, CREATEDB, REPLICATION or '
                         'BYPASSRLS; then again';
    END IF;

    IF NOT has_database_privilege('kopru_owner', current_database(), 'CREATE') THEN
        RAISE EXCEPTION 'kopru_owner did not get CREATE on database "%"', current_database()
            USING HINT = 'run this as a superuser or as the owner of the database';
    END IF;

    IF NOT pg_has_role(session_user, 'kopru_owner',
                       CASE WHEN current_setting('server_version_num')::int >= 160000
                            THEN 'SET' ELSE 'MEMBER' END) THEN
        RAISE EXCEPTION '"%" cannot become kopru_owner', session_user
            USING HINT = format('a superuser runs: GRANT kopru_owner TO %I', session_user);
    END IF;
END
$$;

COMMIT;

\echo kopru: the roles are there, and kopru_owner may create its schema in this database
