"""kopru check against real servers: every problem is named at once, with what brings it back."""

import json
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from conftest import Queues
from support import database, libconfig
from support.check import Check, Finding, Report
from support.daemon import default_settings, run_kopru
from support.database import DAEMON, REPOSITORY, Database
from support.postgres import Postgres
from support.process import free_port
from support.rabbitmq import RabbitMQ
from support.wait import wait_until

pytestmark = pytest.mark.matrix

OK, PROBLEMS, UNREACHABLE, NO_PERMISSION, CONFIGURATION = 0, 1, 69, 77, 78


def migration_is_named(finding: Finding, migration: str) -> None:
    assert f"migrations/deploy/{migration}.sql" in finding.hint, finding
    assert (REPOSITORY / "migrations" / "deploy" / f"{migration}.sql").is_file()


def test_a_fresh_installation_has_no_problem(check: Check) -> None:
    report = check()
    assert report.status == OK, report.text
    assert report.problems == []
    assert report.results == {"configuration": "ok", "broker": "ok", "database": "ok"}


def test_the_memory_bound_is_the_sum_of_its_parts(check: Check) -> None:
    memory = check("--offline").memory
    assert memory is not None
    assert memory["queues"] == 2
    of_a_queue = memory["unacknowledged_bytes_per_queue"] + 3 * memory["largest_message_bytes"]
    assert memory["total_bytes"] == (memory["fixed_bytes"] + memory["queues"] * of_a_queue
                                     + memory["writers"] * memory["bytes_per_writer"])
    unacknowledged = memory["unacknowledged_bytes_per_queue"]
    doubled = check("--offline", limits={"max_unacknowledged_bytes": 2 * unacknowledged}).memory
    assert doubled is not None
    assert doubled["total_bytes"] == memory["total_bytes"] + 2 * unacknowledged


def test_the_table_says_the_same_to_people(rabbitmq_server: RabbitMQ, db: Database, queues: Queues,
                                           tmp_path: Path) -> None:
    db.query("ALTER TABLE kopru.customers DROP COLUMN status")
    path = tmp_path / "kopru.cfg"
    path.touch(mode=0o600)
    path.write_text(libconfig.to_text(default_settings(rabbitmq_server.uri, db.daemon_dsn,
                                                       queues.entities())), encoding="utf-8")
    done = run_kopru("check", "-c", str(path))
    assert (done.returncode, done.stderr) == (PROBLEMS, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith(f"configuration  ok: {path}")
    assert lines[1].startswith("broker         ok: amqp://guest@127.0.0.1:")
    assert lines[2].startswith("database       1 problem: ")
    assert lines[3] == ('  problem: missing column "kopru.customers.status": '
                        'the table does not have it')
    assert lines[4].startswith("    hint: ")
    assert any(line.startswith("memory         at most ") for line in lines)


# what may be wrong with the tables

@dataclass(frozen=True)
class Damage:
    name: str
    statement: str
    what: str
    subject: str
    migration: str | None
    status: int = PROBLEMS
    why: str = ""


DAMAGES = [
    Damage("column of a root", "ALTER TABLE kopru.customers DROP COLUMN name", "missing column",
           "kopru.customers.name", "02-customers"),
    Damage("column that kopru keeps itself",
           "ALTER TABLE kopru.subscriptions DROP COLUMN payload_hash",
           "missing column", "kopru.subscriptions.payload_hash", "03-subscriptions"),
    Damage("column of a child", "ALTER TABLE kopru.engaged_parties DROP COLUMN role",
           "missing column", "kopru.engaged_parties.role", "03-subscriptions"),
    Damage("column of dead letters", "ALTER TABLE kopru.dead_letters DROP COLUMN sqlstate",
           "missing column", "kopru.dead_letters.sqlstate", "04-dead-letters"),
    Damage("column of queues", "ALTER TABLE kopru.queues DROP COLUMN holder", "missing column",
           "kopru.queues.holder", "05-queues"),
    Damage("column of schema_version",
           "ALTER TABLE kopru.schema_version DROP COLUMN min_kopru_version",
           "missing column", "kopru.schema_version.min_kopru_version", "01-schema"),
    Damage("table of a child", "DROP TABLE kopru.contact_mediums", "missing table",
           "kopru.contact_mediums", "02-customers"),
    Damage("table of dead letters", "DROP TABLE kopru.dead_letters", "missing table",
           "kopru.dead_letters", "04-dead-letters"),
    Damage("table of versions", "DROP TABLE kopru.schema_version", "missing table",
           "kopru.schema_version", "01-schema"),
    Damage("table that became a view",
           "ALTER TABLE kopru.contact_mediums RENAME TO old; CREATE VIEW kopru.contact_mediums AS "
           "SELECT * FROM kopru.old", "not a table", "kopru.contact_mediums", "02-customers"),
    Damage("type of another kind", "ALTER TABLE kopru.customers ALTER COLUMN status TYPE "
                                   "varchar(20)", "wrong type of column",
           "kopru.customers.status", "02-customers",
           why="it is character varying(20), but must be text"),
    Damage("numeric that rounds", "ALTER TABLE kopru.subscription_characteristics ALTER COLUMN "
                                  "value_numeric TYPE numeric(10,2)",
           "wrong type of column", "kopru.subscription_characteristics.value_numeric",
           "03-subscriptions"),
    Damage("instants that lose their digits",
           "ALTER TABLE kopru.subscriptions ALTER COLUMN completion_start TYPE timestamptz(0)",
           "wrong type of column", "kopru.subscriptions.completion_start", "03-subscriptions"),
    Damage("primary key", "ALTER TABLE kopru.engaged_parties DROP CONSTRAINT engaged_parties_pkey",
           "missing unique key", "kopru.engaged_parties", "03-subscriptions",
           why="ON CONFLICT needs a valid unique index on exactly (subscription_id, customer_id, "
               "occurrence)"),
    Damage("key with fewer columns",
           "ALTER TABLE kopru.engaged_parties DROP CONSTRAINT engaged_parties_pkey;"
           " CREATE UNIQUE INDEX ON kopru.engaged_parties (subscription_id, customer_id)",
           "missing unique key", "kopru.engaged_parties", "03-subscriptions"),
    Damage("key that is deferrable",
           "ALTER TABLE kopru.engaged_parties DROP CONSTRAINT engaged_parties_pkey,"
           " ADD PRIMARY KEY (subscription_id, customer_id, occurrence) DEFERRABLE",
           "missing unique key", "kopru.engaged_parties", "03-subscriptions"),
    Damage("key with a predicate",
           "ALTER TABLE kopru.engaged_parties DROP CONSTRAINT engaged_parties_pkey;"
           " CREATE UNIQUE INDEX ON kopru.engaged_parties (subscription_id, customer_id, "
           "occurrence) WHERE occurrence > 0",
           "missing unique key", "kopru.engaged_parties", "03-subscriptions"),
    Damage("partial key of dead letters", "DROP INDEX kopru.dead_letters_open_body_key",
           "missing unique key", "kopru.dead_letters", "04-dead-letters"),
    Damage("partial key that became a whole one", "DROP INDEX kopru.dead_letters_open_body_key;"
           " CREATE UNIQUE INDEX ON kopru.dead_letters (queue, body_sha256)",
           "missing unique key", "kopru.dead_letters", "04-dead-letters"),
    Damage("column nothing fills", "ALTER TABLE kopru.customers ADD COLUMN branch text NOT NULL",
           "column that nothing fills", "kopru.customers.branch", None),
    Damage("column that may not be null",
           "ALTER TABLE kopru.customers ALTER COLUMN name SET NOT NULL",
           "column must not be NOT NULL", "kopru.customers.name", None),
    Damage("column that is generated", "ALTER TABLE kopru.customers DROP COLUMN name,"
           " ADD COLUMN name text GENERATED ALWAYS AS (customer_id) STORED",
           "column cannot be written", "kopru.customers.name", None),
    Damage("privilege on a root", "REVOKE INSERT, UPDATE ON kopru.customers FROM kopru_writer",
           "missing privilege",
           "kopru.customers", "06-grants", NO_PERMISSION, f"user {DAEMON} lacks INSERT, UPDATE"),
    Damage("privilege to delete children",
           "REVOKE DELETE ON kopru.contact_mediums FROM kopru_writer", "missing privilege",
           "kopru.contact_mediums", "06-grants", NO_PERMISSION, f"user {DAEMON} lacks DELETE"),
    Damage("privilege on dead letters", "REVOKE ALL ON kopru.dead_letters FROM kopru_writer",
           "missing privilege",
           "kopru.dead_letters", "06-grants", NO_PERMISSION,
           f"user {DAEMON} lacks SELECT, INSERT, UPDATE"),
    Damage("privilege on the versions", "REVOKE SELECT ON kopru.schema_version FROM kopru_writer",
           "missing privilege", "kopru.schema_version", "06-grants", NO_PERMISSION),
    Damage("privilege on the schema", "REVOKE USAGE ON SCHEMA kopru FROM kopru_writer",
           "missing privilege", "kopru",
           "06-grants", NO_PERMISSION, f"user {DAEMON} lacks USAGE on the schema"),
    Damage("newer schema", "INSERT INTO kopru.schema_version (version, name, min_kopru_version) "
                           "VALUES (99, '99-later', '7.0.0')",
           "the schema is newer than this kopru", "99-later", None, CONFIGURATION),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damage_is_named_with_its_migration(damage: Damage, check: Check, db: Database) -> None:
    db.query(damage.statement)
    report = check()
    problem = report.only_problem()
    assert (problem.area, problem.what, problem.subject) == ("database", damage.what,
                                                             damage.subject)
    assert problem.why.startswith(damage.why)
    assert (problem.status, report.status) == (damage.status, damage.status)
    assert problem.hint
    if damage.migration is not None:
        migration_is_named(problem, damage.migration)
    if damage.status == NO_PERMISSION:
        db.query(problem.hint.split("as kopru_owner: ")[1])
        assert check().status == 0


@pytest.mark.parametrize("statement", [
    "ALTER TABLE kopru.customers ADD COLUMN branch text, ADD COLUMN noted timestamptz NOT NULL "
    "DEFAULT now()",
    "ALTER TABLE kopru.engaged_parties DROP CONSTRAINT engaged_parties_pkey;"
    " CREATE UNIQUE INDEX ON kopru.engaged_parties (subscription_id, customer_id, occurrence) "
    "INCLUDE (role)",
    "CREATE TABLE kopru.someone_elses (a int); REVOKE ALL ON kopru.someone_elses FROM PUBLIC",
    "ALTER TABLE kopru.dead_letters ADD COLUMN note text",
])
def test_what_does_not_disturb_is_no_problem(statement: str, check: Check, db: Database) -> None:
    db.query(statement)
    report = check()
    assert (report.status, report.problems) == (OK, []), report.text


def test_every_problem_is_named_at_once(check: Check, db: Database, rabbitmq_server: RabbitMQ,
                                        queues: Queues) -> None:
    db.query("ALTER TABLE kopru.customers DROP COLUMN status; DROP TABLE "
             "kopru.engaged_parties CASCADE;"
             " REVOKE DELETE ON kopru.contact_mediums FROM kopru_writer; DELETE FROM "
             "kopru.schema_version WHERE version = 5")
    report = check(queues=[{"name": queues.customer, "entity": "customer"},
                           {"name": "no-such-queue", "entity": "subscription"}],
                   limits={"max_depht": 3})
    assert {(problem.area, problem.what) for problem in report.problems} == {
        ("configuration", "invalid setting limits.max_depht"),
        ("broker", "cannot inspect the queue"),
        ("database", "missing column"), ("database", "missing table"),
        ("database", "missing privilege"),
        ("database", "missing migration"),
    }
    assert report.status == CONFIGURATION


def test_a_migration_that_was_not_applied_is_named_with_the_command(check: Check,
                                                                    db: Database) -> None:
    db.query("DROP TABLE kopru.queues; DELETE FROM kopru.schema_version WHERE version = 5")
    report = check()
    assert report.status == CONFIGURATION
    assert {(problem.what, problem.subject) for problem in report.problems} == {
        ("missing migration", "05-queues"), ("missing table", "kopru.queues")}
    for problem in report.problems:
        assert "psql -f migrations/install.sql" in problem.hint
        assert "role=kopru_owner" in problem.hint


def test_a_database_without_the_schema_gets_one_word(check: Check, db: Database) -> None:
    db.query("DROP SCHEMA kopru CASCADE")
    report = check()
    assert report.status == CONFIGURATION
    problem = report.only_problem()
    assert (problem.what, problem.subject) == ("missing schema", "kopru")
    assert "sql/roles.sql" in problem.hint
    assert "migrations/install.sql" in problem.hint


def test_a_login_without_the_role_is_told_how_to_get_it(check: Check, db: Database) -> None:
    login = f"stranger_{db.name}"
    db.query(f"CREATE ROLE {login} LOGIN")
    db.query(f"GRANT CONNECT ON DATABASE {db.name} TO {login}")
    try:
        report = check(postgres={"conninfo": db.server.dsn(db.name, login)})
    finally:
        db.query(f"DROP OWNED BY {login}")
        db.query(f"DROP ROLE {login}")
    assert report.status == NO_PERMISSION
    assert {problem.what for problem in report.problems} == {"missing privilege"}
    assert all(f"GRANT kopru_writer TO {login}" in problem.hint for problem in report.problems)


def test_another_encoding_than_utf8_is_a_problem(check: Check, postgres_server: Postgres,
                                                 db: Database) -> None:
    name = f"{db.name}_latin"
    with postgres_server.admin() as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' "
                           "TEMPLATE template0")
    latin = Database(postgres_server, name)
    database.grant_connect(latin)
    try:
        report = check(postgres={"conninfo": latin.daemon_dsn})
    finally:
        latin.drop()
    assert {problem.what for problem in report.problems} == {"wrong encoding of database",
                                                             "missing schema"}


def test_fsync_off_is_a_warning_and_no_problem(check: Check, db: Database) -> None:
    assert db.value("SHOW fsync") == "off"  # as the tests' server is made
    report = check()
    assert report.status == OK
    assert [(warning.area, warning.subject)
            for warning in report.warnings] == [("database", "fsync")]


# the servers

def test_a_missing_queue_is_a_problem_beside_the_others(check: Check, queues: Queues) -> None:
    report = check(queues=[{"name": "missing-one", "entity": "customer"},
                           {"name": "missing-two", "entity": "subscription"}])
    assert report.status == PROBLEMS
    assert [(problem.area, problem.subject)
            for problem in report.problems] == [("broker", "missing-one"),
                                                ("broker", "missing-two")]
    assert report.results["database"] == "ok"


def test_unreachable_servers_are_named_both(check: Check) -> None:
    report = check(amqp={"uri": f"amqp://kopru:pass@127.0.0.1:{free_port()}/erp"},
                   postgres={"conninfo": f"host=127.0.0.1 port={free_port()} "
                                         "dbname=crm user=kopru"})
    assert report.status == UNREACHABLE
    assert [problem.area for problem in report.problems] == ["broker", "database"]


def test_a_wrong_password_of_the_broker_is_no_permission(check: Check,
                                                         rabbitmq_server: RabbitMQ) -> None:
    report = check(amqp={"uri": f"amqp://guest:wrong-secret@127.0.0.1:{rabbitmq_server.port}/%2F"})
    assert report.status == NO_PERMISSION
    assert report.only_problem().area == "broker"


def test_a_user_of_the_broker_who_may_not_read_a_queue(check: Check, rabbitmq_server: RabbitMQ,
                                                       queues: Queues) -> None:
    """The queue can be looked at, and only consuming it would fail. It is found out without taking
    a message.
    """
    rabbitmq_server.publish(queues.customer, b'{"id":"1"}')
    rabbitmq_server.rabbitmqctl("add_user", "half", "secret-half")
    try:
        rabbitmq_server.rabbitmqctl("set_permissions", "half", ".*", ".*", f"^{queues.customer}$")
        uri = f"amqp://half:secret-half@127.0.0.1:{rabbitmq_server.port}/%2F"
        report = check(amqp={"uri": uri})
    finally:
        rabbitmq_server.rabbitmqctl("delete_user", "half")
    assert report.status == NO_PERMISSION
    problem = report.only_problem()
    assert (problem.area, problem.subject) == ("broker", queues.subscription)
    assert "403 ACCESS_REFUSED" in problem.why
    assert rabbitmq_server.depth(queues.customer).ready == 1
    with rabbitmq_server.connect() as connection:
        method, _properties, _body = connection.channel().basic_get(queues.customer)
        assert not method.redelivered


def test_an_unknown_database_is_said(check: Check, db: Database) -> None:
    report = check(postgres={"conninfo": db.server.dsn("no_such_database", DAEMON)})
    assert report.status == UNREACHABLE
    assert "no_such_database" in report.only_problem().why
    assert "dbname" in report.only_problem().hint


def test_a_login_that_is_refused_is_no_permission(check: Check, db: Database) -> None:
    report = check(postgres={"conninfo": db.server.dsn(db.name, "no_such_user")})
    assert report.status == NO_PERMISSION
    assert "no_such_user" in report.only_problem().why


def test_a_password_that_is_wanted_and_missing_is_said(check: Check, db: Database) -> None:
    rules = Path(str(db.value("SHOW hba_file")))
    before = rules.read_text()
    db.query("CREATE ROLE forgetful LOGIN")

    def refused() -> Report | None:
        report = check(postgres={"conninfo": db.server.dsn(db.name, "forgetful")})
        return report if "no password supplied" in report.text else None

    try:
        rules.write_text("host all forgetful 127.0.0.1/32 scram-sha-256\n" + before)
        db.query("SELECT pg_reload_conf()")
        report = wait_until(refused, 30, "the server to want a password")
    finally:
        rules.write_text(before)
        db.query("SELECT pg_reload_conf()")
        db.query("DROP ROLE forgetful")
    assert report.status == NO_PERMISSION
    assert "passfile" in report.only_problem().hint


def test_a_login_without_connect_is_no_permission(check: Check, db: Database) -> None:
    db.query(f"REVOKE CONNECT ON DATABASE {db.name} FROM {DAEMON}")
    report = check()
    assert report.status == NO_PERMISSION
    assert "CONNECT" in report.only_problem().hint


@pytest.mark.parametrize("text", [None, "entity = ("], ids=["missing", "broken"])
def test_an_entity_file_that_does_not_load_is_a_problem_of_the_configuration(
        check: Check, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "customer.cfg"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    report = check(entity_files=[str(path), str(REPOSITORY / "etc/entities/subscription.cfg")])
    assert report.status == CONFIGURATION, report.text
    assert report.results["configuration"] != "ok"
    assert report.results["database"] == "ok"


def test_a_read_only_server_is_named_so(check: Check, db: Database) -> None:
    db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET default_transaction_read_only = on")
    dsn = psycopg.conninfo.make_conninfo(db.daemon_dsn, target_session_attrs="read-write")
    problem = check(postgres={"conninfo": dsn}).only_problem()
    assert (problem.status, "session is read-only" in problem.why) == (UNREACHABLE, True)
    assert "failover" in problem.hint


def test_a_short_statement_timeout_of_the_role_does_not_matter(check: Check, db: Database) -> None:
    # a catalog that takes longer than the role's own limit
    columns = ", ".join(f"column_{n} text" for n in range(60))
    db.query("DO $$ BEGIN FOR n IN 1..400 LOOP "
             f"EXECUTE format('CREATE TABLE kopru.site_%s ({columns})', n); END LOOP; END $$")
    db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET statement_timeout = '10ms'")
    report = check()
    assert report.results["database"] == "ok", report.text


def test_what_was_not_read_is_not_called_missing(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.cfg", "the configuration was not read"),
                        (tmp_path / "broken.cfg", "the configuration was not read"),
                        (tmp_path / "empty.cfg", "for want of")):
        if path.name != "none.cfg":
            path.write_text("amqp = {" if path.name == "broken.cfg" else "", encoding="ascii")
            path.chmod(0o600)
        done = run_kopru("check", "-c", str(path), "--output", "json")
        summaries = {area["area"]: area["summary"] for area in json.loads(done.stdout)["areas"]}
        for area in ("broker", "database"):
            assert words in summaries[area], path


@pytest.mark.parametrize("setting", ["sslrootcert=ca.pem", "passfile=secrets/pgpass",
                                     "sslcert=./c.pem sslkey=/c.key", "sslcrl=a sslcrldir=/b"])
def test_a_relative_path_in_the_connection_string_is_refused(check: Check, setting: str) -> None:
    problem = check("--offline", postgres={"conninfo": f"host=db {setting}"}).only_problem()
    assert (problem.status, problem.subject) == (CONFIGURATION, "postgres.conninfo")
    assert f"the path in {setting.partition('=')[0]} is relative" in problem.why
    assert "begins with /" in problem.hint


def test_offline_asks_no_server(check: Check) -> None:
    report = check("--offline", amqp={"uri": f"amqp://kopru:pass@127.0.0.1:{free_port()}/erp"},
                   postgres={"conninfo": f"host=127.0.0.1 port={free_port()} dbname=crm"})
    assert report.status == OK
    assert report.results == {"configuration": "ok", "broker": "skipped", "database": "skipped"}


def test_offline_still_reads_uri_and_connection_string(check: Check) -> None:
    report = check("--offline", amqp={"uri": "amqp://kopru:pass@host:port/erp"},
                   postgres={"conninfo": "no equals sign"})
    assert report.status == CONFIGURATION
    assert [problem.area for problem in report.problems] == ["broker", "database"]


def test_a_connection_without_protection_is_a_warning(check: Check) -> None:
    report = check("--offline", amqp={"uri": "amqp://kopru:pass@erp.example.com/erp"},
                   postgres={"conninfo": "host=db1.example.com,db2.example.com dbname=crm "
                                         "sslmode=require"})
    assert report.status == OK
    assert {warning.what for warning in report.warnings} == {
        "no TLS to the broker", "the database server is not verified",
        "a standby may be taken for the primary"}


def test_the_database_is_verified_by_default(check: Check) -> None:
    for conninfo in ("host=db1.example.com dbname=crm",
                     "host=db1.example.com dbname=crm sslmode=verify-full"):
        assert not [warning for warning in check("--offline",
                                                 postgres={"conninfo": conninfo}).warnings
                    if warning.area == "database"]


def test_impossible_numbers_are_refused(check: Check) -> None:
    report = check("--offline",
                   limits={"max_message_bytes": 1000000, "max_unacknowledged_bytes": 65536})
    assert report.status == CONFIGURATION
    assert any("max_unacknowledged_bytes" in problem.why
               for problem in report.problems), report.text
    assert report.memory is None


def test_no_password_is_ever_printed(check: Check, tmp_path: Path) -> None:
    secret = "Hunter-2-secret"
    for arguments in (["--offline"], []):
        for changes in (
            {"amqp": {"uri": f"amqp://kopru:{secret}@127.0.0.1:{free_port()}/erp"},
             "postgres": {"conninfo": f"host=127.0.0.1 port={free_port()} password={secret}"}},
            {"amqp": {"uri": f"amqp://kopru:{secret}/{secret}@bad:port"},
             "postgres": {"conninfo": f"host password={secret}"}},
            {"amqp": {"uri": f"amqps://kopru:{secret}@127.0.0.1:{free_port()}"},
             "postgres": {"conninfo": f"postgresql://kopru:{secret}@127.0.0.1:{free_port()}/crm"}},
        ):
            assert secret not in check(*arguments, **changes).text


def test_the_environment_wins_over_the_file(check: Check) -> None:
    port = free_port()
    report = check(env={"KOPRU_AMQP_URI": f"amqp://kopru:pass@127.0.0.1:{port}/erp"})
    assert report.status == UNREACHABLE
    assert report.only_problem().subject == f"amqp://kopru@127.0.0.1:{port}/erp"


def test_check_changes_nothing(check: Check, db: Database, queues: Queues,
                               rabbitmq_server: RabbitMQ) -> None:
    rabbitmq_server.publish(queues.customer, b'{"id":"1"}')
    assert check().status == OK
    assert db.value("SELECT count(*) FROM kopru.queues") == 0
    assert rabbitmq_server.depth(queues.customer).ready == 1


def test_a_number_that_a_site_took_is_named(check: Check, db: Database) -> None:
    """Its row under a number of the product's does not stand for the product's migration."""
    db.query("UPDATE kopru.schema_version SET name = '06-site-column' WHERE version = 6")
    report = check()
    problem = report.only_problem()
    assert (problem.what, problem.subject) == ("missing migration", "06-grants")
    assert '"06-site-column"' in problem.why
    assert "Changes of the site" in problem.hint
    assert report.status == CONFIGURATION


def test_a_row_beyond_the_product_s_is_worth_a_look(check: Check, db: Database) -> None:
    assert "unknown migration" not in check().text
    db.query("INSERT INTO kopru.schema_version (version, name, min_kopru_version) "
             "VALUES (7, '07-site-column', '0.1.0')")
    report = check()
    assert (report.status, report.problems) == (OK, []), report.text
    (warning,) = [found for found in report.warnings if found.what == "unknown migration"]
    assert warning.subject == "07-site-column"
    assert "Changes of the site" in warning.hint
