"""A column that only one site has, made as migrations/README.md says, lives through an upgrade."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.daemon import Kopru, default_settings, libconfig, run_kopru
from support.database import DAEMON, REPOSITORY, clean_environment
from support.postgres import Postgres
from support.wait import patience

README = (REPOSITORY / "migrations" / "README.md").read_text(encoding="utf-8")
SITE_SCRIPT, SITE_LINE = re.findall(r"^```(?:sql|entity)\n(.*?)^```$", README, re.M | re.S)
INSTALL = "psql -d crm -f migrations/install.sql"
DEPLOY = "sqitch deploy db:pg:crm"
NEXT = "07-customers-next"

DATABASE = "crm"  # as the manual calls it


@dataclass
class Site:
    """A clone of kopru's migrations, a database that they are installed in, and a folder of the
    site's own.
    """

    server: Postgres
    clone: Path

    @property
    def own(self) -> Path:
        return self.clone.parent / "kopru-site"

    def run(self, command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command of the manual, in the clone, as a superuser with the role of the owner."""
        env = clean_environment() | {
            "PGHOST": "127.0.0.1", "PGPORT": str(self.server.port), "PGUSER": "postgres",
            "PGOPTIONS": "-c role=kopru_owner", "SQITCH_FULLNAME": "A DBA",
            "SQITCH_EMAIL": "dba@example.com", "SQITCH_SYSTEM_CONFIG": "/nonexistent",
            "SQITCH_USER_CONFIG": "/nonexistent", "LC_ALL": "C.UTF-8", "PSQLRC": "/nonexistent"}
        return subprocess.run(["sh", "-ec", command], cwd=folder or self.clone, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120 * patience(), check=False)

    def succeed(self, command: str, folder: Path | None = None) -> str:
        done = self.run(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def query(self, statement: str) -> list[tuple]:
        with self.server.admin(DATABASE) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def bring_next_migration(self) -> None:
        """The product's next release: it adds a column to the same table."""
        migrations = self.clone / "migrations"
        deploy = (migrations / "deploy" / "05-queues.sql").read_text(encoding="utf-8")
        head, _, _ = deploy.partition("-- The table has")
        (migrations / "deploy" / f"{NEXT}.sql").write_text(
            f"{head}ALTER TABLE kopru.customers ADD COLUMN next text;\n"
            f"COMMENT ON COLUMN kopru.customers.next IS 'Next.';\n"
            f"INSERT INTO kopru.schema_version (version, name, min_kopru_version)\n"
            f"    VALUES (7, '{NEXT}', '0.1.0');\nCOMMIT;\n", encoding="utf-8")
        for folder in ("revert", "verify"):
            (migrations / folder / f"{NEXT}.sql").write_text("SELECT 1;\n", encoding="utf-8")
        plan = migrations / "sqitch.plan"
        last = plan.read_text(encoding="utf-8").rstrip().splitlines()[-1]
        plan.write_text(plan.read_text(encoding="utf-8") + re.sub(r"^\S+ (\[.*?\] )?",
                                                                  f"{NEXT} [06-grants] ", last)
                        + "\n", encoding="utf-8")
        install = (migrations / "install.sql").read_text(encoding="utf-8")
        block = re.search(r"^SELECT count.*?version = 6 .*?^\\endif\n", install, re.M | re.S)
        assert block is not None
        install = install.replace("(6, '06-grants')", f"(6, '06-grants'),\n        (7, '{NEXT}')")
        install = install.replace(
            block[0], block[0] + "\n" + block[0].replace("06-grants", NEXT).replace("= 6", "= 7"))
        install = install.replace("up to 06-grants", f"up to {NEXT}").replace("> 6", "> 7")
        (migrations / "install.sql").write_text(install, encoding="utf-8")

    def columns(self) -> set[str]:
        return {name for (name,) in self.query(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = 'kopru.customers'::regclass")}

    def applied(self) -> list[str]:
        return [name for (name,) in self.query(
            "SELECT name FROM kopru.schema_version ORDER BY version")]


@pytest.fixture
def site(tmp_path: Path):
    """Roles and database are there, and nothing is installed."""
    clone = tmp_path / "kopru"
    clone.mkdir()
    for name in ("migrations", "sql"):
        shutil.copytree(REPOSITORY / name, clone / name)
    shutil.copy(REPOSITORY / "sqitch.conf", clone)
    with Postgres() as server:
        with server.admin() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        fresh = Site(server, clone)
        fresh.succeed("PGOPTIONS= psql -d crm -v ON_ERROR_STOP=1 -f sql/roles.sql")
        with server.admin() as connection:
            connection.execute(f"CREATE ROLE {DAEMON} LOGIN IN ROLE kopru_writer")
        yield fresh


def _commands(first: str) -> str:
    """The indented block of the manual that begins with these words, without backslashes."""
    found = re.search(rf"^    {re.escape(first)}.*?(?=\n\n)", README, re.M | re.S)
    assert found is not None, first
    return re.sub(r"^    ", "", found[0], flags=re.M)


def _with_psql(site: Site) -> None:
    script = site.own / "deploy" / "customers-branch.sql"
    script.parent.mkdir(parents=True)
    script.write_text(SITE_SCRIPT, encoding="utf-8")
    command = _commands("PGOPTIONS='-c role=kopru_owner' psql -d crm -v ON_ERROR_STOP=1 \\")
    for _ in range(2):
        site.succeed(command, site.own.parent)


def _with_sqitch(site: Site) -> None:
    before, _, deploy = _commands("mkdir kopru-site").partition("# Write")
    site.succeed(before, site.own.parent)
    (site.own / "deploy" / "customers-branch.sql").write_text(SITE_SCRIPT, encoding="utf-8")
    site.succeed(deploy.partition("\n")[2], site.own)


def _daemon(site: Site, rabbitmq_server, queue: str, tmp_path: Path) -> Kopru:
    """Its entity file has the line of the manual."""
    text = (REPOSITORY / "etc" / "entities" / "customer.cfg").read_text(encoding="utf-8")
    file = tmp_path / "customer.cfg"
    file.write_text(text.replace("columns = (\n", "columns = (\n" + SITE_LINE, 1),
                    encoding="utf-8")
    settings = default_settings(rabbitmq_server.uri, site.server.dsn(DATABASE, DAEMON), {})
    return Kopru({**settings, "entity_files": [str(file)],
                  "queues": [{"name": queue, "entity": "customer"}]})


def _check(daemon: Kopru) -> str:
    daemon.config_path.touch(mode=0o600)
    daemon.config_path.write_text(libconfig.to_text(daemon.settings), encoding="utf-8")
    done = run_kopru("check", "-c", str(daemon.config_path))
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("install", [INSTALL, DEPLOY], ids=["install.sql", "sqitch"])
@pytest.mark.parametrize("change", [_with_psql, _with_sqitch], ids=["by-psql", "by-sqitch"])
def test_an_upgrade_leaves_a_site_s_column_alone(site: Site, install: str,
                                                 change: Callable[[Site], None], rabbitmq_server,
                                                 queues, tmp_path):
    site.succeed(install)
    change(site)
    daemon = _daemon(site, rabbitmq_server, queues.customer, tmp_path)
    try:
        daemon.start()
        rabbitmq_server.publish(queues.customer, b'{"id":"c1","branch":"before"}')
        rabbitmq_server.wait_until_empty(queues.customer)
        site.bring_next_migration()
        site.succeed(install)
        assert site.applied()[-1] == NEXT
        assert {"next", "x_branch"} <= site.columns()
        rabbitmq_server.publish(queues.customer, b'{"id":"c2","branch":"after"}')
        rabbitmq_server.wait_until_empty(queues.customer)
        assert site.query("SELECT customer_id, x_branch, extra::text FROM kopru.customers "
                          "ORDER BY 1") == [("c1", "before", "{}"), ("c2", "after", "{}")]
        _check(daemon)
        assert daemon.terminate() == 0
    finally:
        daemon.release()


_TAKEN = """ALTER TABLE kopru.customers ADD COLUMN site_branch text;
INSERT INTO kopru.schema_version (version, name, min_kopru_version)
    VALUES (7, '07-site-branch', '0.1.0')"""
_FORGET = "PGOPTIONS='-c role=kopru_owner' sqitch revert"
_REMOVE = "DELETE FROM kopru.schema_version"


def test_install_sql_does_not_take_a_site_s_row_for_its_own(site: Site):
    site.succeed(INSTALL)
    site.query(f"SET ROLE kopru_owner; {_TAKEN}")
    assert "not of this release: 07-site-branch" in site.succeed(INSTALL)
    site.bring_next_migration()
    done = site.run(INSTALL)
    assert done.returncode != 0
    assert f'row 7 is "07-site-branch" instead of "{NEXT}"' in done.stderr
    assert "Changes of the site" in done.stderr
    assert "complete" not in done.stdout
    assert "next" not in site.columns()

    site.query(f"SET ROLE kopru_owner; {_commands('   ' + _REMOVE).strip()}")
    site.succeed(INSTALL)
    assert site.applied()[-1] == NEXT
    assert {"next", "site_branch"} <= site.columns()


def test_a_number_that_a_site_took_in_sqitch_s_plan_is_given_back(site: Site):
    """As the manual says: first with the old plan, then with the new one."""
    site.succeed(DEPLOY)
    name = "07-site-branch"
    site.succeed(f"sqitch add {name} -n 'of the site'")
    for folder, text in (("deploy", _TAKEN), ("revert", "SELECT 1 / 0"), ("verify", "SELECT 1")):
        path = site.clone / "migrations" / folder / f"{name}.sql"
        path.write_text(f"BEGIN;\n{text};\nCOMMIT;\n", encoding="utf-8")
    site.succeed(DEPLOY)

    site.succeed(_commands("   " + _FORGET).strip())
    site.query(f"SET ROLE kopru_owner; {_commands('   ' + _REMOVE).strip()}")
    shutil.rmtree(site.clone / "migrations")
    shutil.copytree(REPOSITORY / "migrations", site.clone / "migrations")
    site.bring_next_migration()
    site.succeed(DEPLOY)
    assert site.applied()[-1] == NEXT
    assert {"next", "site_branch"} <= site.columns()
