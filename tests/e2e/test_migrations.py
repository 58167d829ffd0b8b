"""The migrations and the roles, installed in each way that the DBA may choose, on a real server."""

import re
import secrets
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors
from support import database
from support.catalog_text import catalog_text
from support.database import REPOSITORY
from support.postgres import Postgres
from support.wait import patience

pytestmark = pytest.mark.matrix

MIGRATIONS = REPOSITORY / "migrations"
NAMES = re.findall(r"^(\d\d-\S+) ", (MIGRATIONS / "sqitch.plan").read_text(), re.M)

OWNER = "kopru_owner"
DBA = "dba"  # owns the databases and may create roles, but is no superuser


def run(command: list[str], role: str | None) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of the repository as the manual says, with role in PGOPTIONS."""
    env = {name: value for name, value in database.clean_environment().items()
           if not name.startswith("SQITCH_")}
    env |= {"SQITCH_FULLNAME": "A DBA", "SQITCH_EMAIL": "dba@example.com", "LC_ALL": "C.UTF-8"}
    if role is not None:
        env["PGOPTIONS"] = f"-c role={role}"
    return subprocess.run(command, cwd=REPOSITORY, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120 * patience(), check=False)


def psql(dsn: str, *files: str, role: str | None = OWNER) -> subprocess.CompletedProcess[str]:
    arguments = [word for file in files for word in ("-f", file)]
    return run(["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", dsn, *arguments], role)


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that must succeed wrote."""
    assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
    return done.stdout


def refuse(done: subprocess.CompletedProcess[str]) -> str:
    """The complaint of a command that must fail."""
    assert done.returncode != 0, f"{done.args} succeeded\n{done.stdout}{done.stderr}"
    return done.stderr


class Site(database.Database):
    """A database that belongs to the DBA."""

    @property
    def dba_dsn(self) -> str:
        return self.server.dsn(self.name, DBA)

    def psql(self, *files: str, role: str | None = OWNER) -> subprocess.CompletedProcess[str]:
        return psql(self.dba_dsn, *files, role=role)

    def install(self) -> str:
        return succeed(self.psql("migrations/install.sql"))

    def sqitch(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(["sqitch", *arguments,
                    f"db:pg://{DBA}@127.0.0.1:{self.server.port}/{self.name}"], OWNER)

    def catalog(self) -> str:
        """All but Sqitch's own schema, as SQL, and which migrations are applied."""
        dump = catalog_text(self)
        if self.value("SELECT to_regclass('kopru.schema_version') IS NOT NULL"):
            dump += repr(self.query("SELECT version, name, min_kopru_version FROM "
                                    "kopru.schema_version ORDER BY 1"))
        return dump


def create_site(server: Postgres, options: str = "") -> Site:
    """A new database after step 1 of installing, which its owner ran."""
    site = Site(server, f"site_{secrets.token_hex(4)}")
    with server.admin() as connection:
        connection.execute(f"CREATE DATABASE {site.name} OWNER {DBA} {options}")
    succeed(site.psql("sql/roles.sql", role=None))
    return site


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server of its own: roles belong to the whole cluster, and these tests are about making
    them.
    """
    with Postgres() as started:
        with started.admin() as connection:
            connection.execute(f"CREATE ROLE {DBA} LOGIN CREATEROLE")
        yield started


@pytest.fixture
def bare_server() -> Iterator[Postgres]:
    """A server without kopru's roles."""
    with Postgres() as started:
        yield started


@pytest.fixture
def empty(server: Postgres) -> Iterator[Site]:
    """A new database with the roles and nothing else."""
    site = create_site(server)
    yield site
    site.drop()


@pytest.fixture
def installed(empty: Site) -> Site:
    """A new database after both steps."""
    empty.install()
    return empty


@pytest.fixture(scope="module")
def lasting(server: Postgres) -> Site:
    """One installed database for the tests that leave it as it was."""
    site = create_site(server)
    site.install()
    return site


@pytest.fixture(scope="module")
def reference(server: Postgres) -> str:
    """The catalog that Sqitch makes; every other way must make the same."""
    site = create_site(server)
    succeed(site.sqitch("deploy"))
    return site.catalog()


def test_roles_are_made_by_a_database_owner_with_createrole(empty: Site):
    assert empty.query("""
        SELECT rolname, rolcanlogin, rolsuper,
               has_database_privilege(oid, current_database(), 'CREATE')
        FROM pg_roles WHERE rolname LIKE 'kopru%' ORDER BY rolname""") == [
            ("kopru_owner", False, False, True), ("kopru_reader", False, False, False),
            ("kopru_reader_pii", False, False, False), ("kopru_writer", False, False, False)]
    with psycopg.connect(empty.dba_dsn) as connection:
        connection.execute("SET ROLE kopru_owner")


def test_roles_may_be_run_again(empty: Site):
    roles = "SELECT r.*::text FROM pg_roles AS r WHERE rolname LIKE 'kopru%' ORDER BY oid"
    members = "SELECT m.*::text FROM pg_auth_members AS m ORDER BY 1"
    before = empty.query(roles), empty.query(members)
    succeed(empty.psql("sql/roles.sql", role=None))
    assert (empty.query(roles), empty.query(members)) == before


def test_roles_are_made_by_a_superuser(bare_server: Postgres):
    succeed(psql(bare_server.dsn(), "sql/roles.sql", role=None))
    succeed(psql(bare_server.dsn(), "migrations/install.sql"))


def test_roles_fail_if_the_grant_did_not_take(bare_server: Postgres):
    with bare_server.admin() as connection:
        # may make roles, but owns no database
        connection.execute("CREATE ROLE stranger LOGIN CREATEROLE")
        done = psql(bare_server.dsn(user="stranger"), "sql/roles.sql", role=None)
        assert 'kopru_owner did not get CREATE on database "postgres"' in refuse(done)
        assert "HINT:" in done.stderr
        roles = connection.execute("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'kopru%'")
        assert roles.fetchone() == (0,)


def test_roles_refuse_an_older_role_that_may_log_in(bare_server: Postgres):
    with bare_server.admin() as connection:
        connection.execute("CREATE ROLE kopru_writer LOGIN")
    assert "more rights than they should: kopru_writer" in refuse(psql(bare_server.dsn(),
                                                                       "sql/roles.sql", role=None))


def test_files_agree_with_the_plan():
    for folder in ("deploy", "revert", "verify"):
        assert sorted(path.name for path in (MIGRATIONS / folder).iterdir()) == [f"{name}.sql"
                                                                                 for name in NAMES]
    install = (MIGRATIONS / "install.sql").read_text()
    assert re.findall(r"^ *\\ir deploy/(\S+)\.sql$", install, re.M) == NAMES
    assert re.findall(r"^ *\\echo kopru: applying (\S+)$", install, re.M) == NAMES
    # the first block asks for the table itself
    assert [int(version) for version in re.findall(r"version = (\d+)",
                                                   install)] == list(range(2, len(NAMES) + 1))
    assert re.findall(r"^        \((\d+), '(\S+)'\)", install, re.M) == [
        (str(number), name) for number, name in enumerate(NAMES, start=1)]
    assert f"complete up to {NAMES[-1]}\n" in install and f"version > {len(NAMES)} " in install


def test_scripts_are_ascii():
    """They must mean the same in whatever encoding the DBA's psql speaks."""
    for path in [*MIGRATIONS.rglob("*.sql"), *(REPOSITORY / "sql").rglob("*.sql")]:
        assert path.read_bytes().isascii(), path


def test_install_sql_makes_what_sqitch_makes(empty: Site, reference: str):
    said = empty.install()
    assert re.findall(r"applying (\S+)", said) == NAMES
    assert empty.catalog() == reference


def test_every_migration_leaves_its_row(installed: Site):
    rows = installed.query("SELECT version, name, min_kopru_version FROM kopru.schema_version "
                           "ORDER BY version")
    assert [(version, name) for version, name, _ in rows] == list(enumerate(NAMES, start=1))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", oldest) for _, _, oldest in rows)


def test_install_sql_again_changes_nothing(installed: Site, reference: str):
    applied = "SELECT version, applied_at, xmin::text FROM kopru.schema_version ORDER BY 1"
    before = installed.query(applied)
    said = installed.install()
    assert "applying" not in said and f"complete up to {NAMES[-1]}" in said
    assert installed.query(applied) == before
    assert installed.catalog() == reference


@pytest.mark.parametrize("done", range(1, len(NAMES)))
def test_install_sql_goes_on_where_an_earlier_run_stopped(empty: Site, reference: str, done: int):
    succeed(empty.psql(*(f"migrations/deploy/{name}.sql" for name in NAMES[:done])))
    assert re.findall(r"applying (\S+)", empty.install()) == NAMES[done:]
    assert empty.catalog() == reference


def test_install_sql_skips_what_sqitch_applied(empty: Site, reference: str):
    succeed(empty.sqitch("deploy", "--to", NAMES[2]))
    assert re.findall(r"applying (\S+)", empty.install()) == NAMES[3:]
    assert empty.catalog() == reference


def test_sqitch_takes_over_from_install_sql(empty: Site, reference: str):
    succeed(empty.psql(*(f"migrations/deploy/{name}.sql" for name in NAMES[:4])))
    assert "--log-only" in refuse(empty.sqitch("deploy"))
    succeed(empty.sqitch("deploy", "--log-only", "--to", NAMES[3]))
    succeed(empty.sqitch("deploy"))
    succeed(empty.sqitch("verify"))
    assert empty.catalog() == reference


@pytest.mark.parametrize("script", ["install.sql", *(f"deploy/{name}.sql" for name in NAMES)])
def test_deploying_as_somebody_else_is_refused(empty: Site, script: str):
    before = empty.catalog()
    complaint = refuse(empty.psql(f"migrations/{script}", role=None))
    assert f'current_user is "{DBA}"' in complaint
    assert "PGOPTIONS='-c role=kopru_owner'" in complaint
    assert empty.catalog() == before


@pytest.mark.parametrize("name", NAMES)
def test_reverting_as_somebody_else_is_refused(lasting: Site, name: str):
    """A superuser could, and would leave things with two owners."""
    complaint = refuse(psql(lasting.admin_dsn, f"migrations/revert/{name}.sql", role=None))
    assert 'current_user is "postgres"' in complaint
    assert "PGOPTIONS='-c role=kopru_owner'" in complaint
    assert lasting.query("SELECT count(*) FROM kopru.schema_version") == [(len(NAMES),)]


def test_another_encoding_is_refused(server: Postgres):
    site = create_site(server, "ENCODING 'LATIN5' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    complaint = refuse(site.psql("migrations/install.sql"))
    assert "LATIN5" in complaint and "ENCODING 'UTF8'" in complaint


def test_verify_accepts_what_was_deployed(installed: Site):
    succeed(installed.psql(*(f"migrations/verify/{name}.sql" for name in NAMES)))


@pytest.mark.parametrize("name, damage", [
    ("01-schema", "ALTER TABLE kopru.schema_version DROP COLUMN min_kopru_version"),
    ("01-schema", "GRANT USAGE ON SCHEMA kopru TO PUBLIC"),
    ("01-schema", "DELETE FROM kopru.schema_version WHERE version = 1"),
    ("02-customers", "ALTER TABLE kopru.customers DROP COLUMN status"),
    ("02-customers", "ALTER TABLE kopru.customers ALTER extra DROP NOT NULL"),
    ("02-customers", "ALTER TABLE kopru.customers ALTER updated_at DROP DEFAULT"),
    ("02-customers", "ALTER TABLE kopru.contact_mediums ALTER post_code TYPE varchar(5)"),
    ("02-customers", "ALTER TABLE kopru.contact_mediums DROP CONSTRAINT contact_mediums_pkey"),
    ("02-customers", "ALTER TABLE kopru.contact_mediums DROP CONSTRAINT "
                     "contact_mediums_customer_id_fkey"),
    ("02-customers", "COMMENT ON COLUMN kopru.contact_mediums.city IS NULL"),
    ("02-customers", "COMMENT ON TABLE kopru.contact_mediums IS NULL"),
    ("02-customers", "ALTER TABLE kopru.customers OWNER TO postgres"),
    ("03-subscriptions", "DROP INDEX kopru.engaged_parties_customer_id_idx"),
    ("03-subscriptions", "DROP VIEW kopru.engaged_parties_without_customer"),
    ("03-subscriptions", "ALTER TABLE kopru.subscription_characteristics DROP COLUMN value_date"),
    ("03-subscriptions", "DELETE FROM kopru.schema_version WHERE version = 3"),
    ("04-dead-letters", "DROP INDEX kopru.dead_letters_open_body_key"),
    ("04-dead-letters", "ALTER TABLE kopru.dead_letters DROP CONSTRAINT dead_letters_status_check"),
    ("04-dead-letters", "ALTER TABLE kopru.dead_letters ALTER dead_letter_id DROP IDENTITY"),
    ("05-queues", "DROP TABLE kopru.queues"),
    ("05-queues", "ALTER TABLE kopru.queues ALTER epoch TYPE integer"),
    ("06-grants", "REVOKE UPDATE ON kopru.queues FROM kopru_writer"),
    ("06-grants", "REVOKE USAGE ON SCHEMA kopru FROM kopru_reader_pii"),
    ("06-grants", "GRANT DELETE ON kopru.dead_letters TO kopru_writer"),
    ("06-grants", "GRANT DELETE ON kopru.customers TO kopru_writer"),
    ("06-grants", "GRANT SELECT ON kopru.dead_letters TO kopru_reader_pii"),
    ("06-grants", "GRANT SELECT ON kopru.customers TO PUBLIC"),
])
def test_verify_notices(lasting: Site, name: str, damage: str):
    script = (MIGRATIONS / "verify"
              / f"{name}.sql").read_text().replace("BEGIN;\n", "", 1).replace("ROLLBACK;\n", "")
    with psycopg.connect(lasting.admin_dsn) as connection:
        connection.execute(script)
        connection.execute(damage)
        with pytest.raises((errors.RaiseException, errors.DivisionByZero)):
            connection.execute(script)
        connection.rollback()


def test_revert_removes_everything_and_deploy_works_again(empty: Site, reference: str):
    before = empty.catalog()
    succeed(empty.sqitch("deploy"))
    succeed(empty.sqitch("revert", "-y"))
    assert empty.catalog() == before
    succeed(empty.sqitch("deploy"))
    assert empty.catalog() == reference


def test_each_revert_takes_back_its_own_deploy(empty: Site):
    catalogs = [empty.catalog()]
    for name in NAMES:
        succeed(empty.psql(f"migrations/deploy/{name}.sql"))
        catalogs.append(empty.catalog())
    assert len(set(catalogs)) == len(NAMES) + 1
    for name in reversed(NAMES):
        catalogs.pop()
        succeed(empty.psql(f"migrations/revert/{name}.sql"))
        assert empty.catalog() == catalogs[-1], name


def test_a_column_that_comes_later_needs_no_grant_and_passes_verify(installed: Site):
    """The whole of what the daemon needs from the migration that brings a new attribute."""
    with installed.admin() as connection:
        connection.execute("SET ROLE kopru_owner")
        connection.execute("ALTER TABLE kopru.customers ADD COLUMN segment text")
        connection.execute("COMMENT ON COLUMN kopru.customers.segment IS 'Segment (payload: "
                           "segment).'")
        connection.execute("SET ROLE kopru_writer")
        connection.execute("INSERT INTO kopru.customers (customer_id, segment) VALUES ('1', 'A')")
    succeed(installed.psql(*(f"migrations/verify/{name}.sql" for name in NAMES)))
