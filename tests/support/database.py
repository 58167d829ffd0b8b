"""Databases with kopru's schema, installed the way a DBA would."""

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from support.partitions import partition
from support.postgres import SUPERUSER, Postgres

REPOSITORY = Path(__file__).resolve().parents[2]

DEPLOYER = "kopru_deployer"
DAEMON = "kopru_daemon"

_TEMPLATE = "kopru_template"


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would change where libpq connects or as whom."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def run_psql(dsn: str, file: Path, role: str | None = None) -> str:
    """Run one SQL file as a DBA does, optionally as another role; its output, or RuntimeError."""
    env = clean_environment()
    if role is not None:
        env["PGOPTIONS"] = f"-c role={role}"
    done = subprocess.run(["psql", "--no-psqlrc", "--dbname", dsn, "--file", str(file)],
                          env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"psql -f {file.relative_to(REPOSITORY)} failed:\n"
                           f"{done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Database:
    """One database of a private server."""

    server: Postgres
    name: str

    @property
    def daemon_dsn(self) -> str:
        """The daemon's login, which is a member of kopru_writer and nothing more."""
        return self.server.dsn(self.name, DAEMON)

    @property
    def deployer_dsn(self) -> str:
        """A login without special rights that may become kopru_owner."""
        return self.server.dsn(self.name, DEPLOYER)

    @property
    def admin_dsn(self) -> str:
        return self.server.dsn(self.name, SUPERUSER)

    def admin(self) -> psycopg.Connection:
        """A new autocommit connection as superuser; the caller closes it."""
        return self.server.admin(self.name)

    def query(self, statement: str, *parameters: object) -> list[tuple]:
        """Rows of one statement, run as superuser on its own connection; [] if it returns none."""
        with self.admin() as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description is not None else []

    def value(self, statement: str, *parameters: object) -> object:
        """The single value that a statement returns."""
        ((value,),) = self.query(statement, *parameters)
        return value

    def drop(self) -> None:
        with self.server.admin() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
                sql.Identifier(self.name)))


def create_logins(server: Postgres) -> None:
    """The two logins, if they are not there: the roles of sql/roles.sql must be."""
    with server.admin() as connection:
        for login, role in ((DEPLOYER, "kopru_owner"), (DAEMON, "kopru_writer")):
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s",
                                  (login,)).fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE IN ROLE {}")
                    .format(sql.Identifier(login), sql.Identifier(role)))


def create_empty(server: Postgres, name: str) -> Database:
    """A database in which nothing is installed, and to which only the superuser can connect."""
    _create(server, name, "template0")
    return Database(server, name)


def install(database: Database) -> None:
    """Both steps of the manual installation: roles by the superuser, schema by the deployer."""
    run_psql(database.admin_dsn, REPOSITORY / "sql" / "roles.sql")
    create_logins(database.server)
    grant_connect(database)
    run_psql(database.deployer_dsn, REPOSITORY / "migrations" / "install.sql", role="kopru_owner")


def partitions_of_tests() -> int:
    """KOPRU_TEST_PARTITIONS: the partitions of each table in every test's database; 0 for none."""
    return int(os.environ.get("KOPRU_TEST_PARTITIONS", "0"))


def create_installed(server: Postgres, name: str | None = None,
                     partitions: int | None = None) -> Database:
    """A new database with the schema. The first call installs it, later ones copy that result.

    partitions: of each of the tables that take messages, by hash; 0 for plain tables. Without it,
    what KOPRU_TEST_PARTITIONS says.
    """
    template = _template(server, partitions_of_tests() if partitions is None else partitions)
    database = Database(server, name or f"kopru_{secrets.token_hex(4)}")
    _create(server, database.name, template)
    grant_connect(database)
    with server.admin() as connection:
        # Rights on the database itself are not copied with the template.
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO kopru_owner").format(
            sql.Identifier(database.name)))
    return database


def _template(server: Postgres, partitions: int) -> str:
    """The name of the template with that schema, which is made if it is not there."""
    name = f"{_TEMPLATE}_{partitions}" if partitions else _TEMPLATE
    with server.admin() as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s",
                                   (name,)).fetchone()
    if found is None:
        # Under a passing name, so that an installation that failed half way is not taken for a
        # template.
        fresh = create_empty(server, f"{name}_new")
        install(fresh)
        if partitions:
            with fresh.admin() as connection:
                partition(connection, partitions)
        with server.admin() as connection:
            connection.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
    return name


def grant_connect(database: Database) -> None:
    with database.server.admin() as connection:
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(
            *map(sql.Identifier, (database.name, DEPLOYER, DAEMON))))


def _create(server: Postgres, name: str, template: str) -> None:
    with server.admin() as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(
            sql.Identifier(name)))
