-- Deploy kopru:01-schema to pg
-- The schema, and the table in which each migration leaves one row.

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

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'kopru') THEN
        RAISE EXCEPTION 'schema kopru exists already'
            USING ERRCODE = 'duplicate_schema',
                  HINT = 'if migrations/install.sql made it: sqitch deploy --log-only, '
                         'see migrations/README.md';
    END IF;
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the encoding of the database is %, but kopru needs UTF8',
                current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'install into a database made with: '
                         'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
END
$$;

CREATE SCHEMA kopru;
COMMENT ON SCHEMA kopru IS
    'Customers and subscriptions of the ERP, which kopru keeps in step with the ERP''s '
    'notifications. Holds personal data.';
REVOKE ALL ON SCHEMA kopru FROM PUBLIC;

-- PostgreSQL lets PUBLIC execute every new function. There is none here yet; this revokes it for
-- later ones.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TABLE kopru.schema_version (
    version           integer NOT NULL,
    name              text NOT NULL,
    min_kopru_version text NOT NULL,
    applied_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schema_version_pkey PRIMARY KEY (version)
);
COMMENT ON TABLE kopru.schema_version IS
    'The migrations that are applied, one row each. kopru compares them with those that it needs, '
    'and waits while one is missing.';
COMMENT ON COLUMN kopru.schema_version.version IS
    'Number of the migration, with which its name begins.';
COMMENT ON COLUMN kopru.schema_version.name IS
    'Name of the migration, as in migrations/sqitch.plan.';
COMMENT ON COLUMN kopru.schema_version.min_kopru_version IS
    'Oldest release of kopru that works on the schema with this migration applied.';
COMMENT ON COLUMN kopru.schema_version.applied_at IS 'When the migration was applied.';

INSERT INTO kopru.schema_version (version, name, min_kopru_version)
    VALUES (1, '01-schema', '0.1.0');

COMMIT;
