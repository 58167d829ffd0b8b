#!/bin/sh
# The two steps of migrations/README.md, and the daemon's login. PGHOST, PGDATABASE and PGUSER say
# where to connect.
set -eu
secrets=${SECRETS_DIR:-/run/secrets}
PGPASSWORD=$(cat "$secrets/postgres_password")
KOPRU_PASSWORD=$(cat "$secrets/kopru_postgres_password")
export PGPASSWORD KOPRU_PASSWORD

psql --no-psqlrc --file=sql/roles.sql
PGOPTIONS='-c role=kopru_owner' psql --no-psqlrc --file=migrations/install.sql

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'END'
-- psql reads the password itself: on a command line others could see it.
\getenv password KOPRU_PASSWORD
-- Nor shall the server log it, should the next statements fail.
SET log_min_error_statement = panic;
SET log_statement = 'none';
SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'kopru') AS missing \gset
\if :missing
    CREATE ROLE kopru LOGIN;
\endif
ALTER ROLE kopru PASSWORD :'password';
GRANT kopru_writer TO kopru;
SELECT format('GRANT CONNECT ON DATABASE %I TO kopru', current_database()) \gexec
\echo kopru: the login kopru is a member of kopru_writer
END
