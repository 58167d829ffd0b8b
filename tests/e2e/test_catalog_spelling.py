"""Settings of the site that change how PostgreSQL spells types and expressions, and identities that
a logical copy left behind their rows.
"""

import subprocess

import pytest
from support.check import Check
from support.database import DAEMON, REPOSITORY
from support.marks import on_partitions_too

pytestmark = pytest.mark.matrix

OK, PROBLEMS = 0, 1


def _require_no_problem(check: Check) -> None:
    report = check()
    assert (report.status, report.problems) == (OK, [])


_SETTINGS = {
    "quote_all_identifiers": ("ALTER ROLE {role} IN DATABASE {database} "
                              "SET quote_all_identifiers = on",),
    "a shadowed type": ("CREATE DOMAIN public.text AS pg_catalog.text",
                        "CREATE DOMAIN public.jsonb AS pg_catalog.jsonb",
                        "GRANT USAGE ON SCHEMA public TO PUBLIC",
                        "ALTER ROLE {role} IN DATABASE {database} SET search_path = public, "
                        "pg_catalog"),
}


@pytest.mark.parametrize("name", _SETTINGS)
def test_the_spelling_of_the_site_is_no_problem(rabbitmq_server, db, queues, kopru, check, name):
    for statement in _SETTINGS[name]:
        db.query(statement.format(role=DAEMON, database=db.name))
    _require_no_problem(check)
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, b'{"id": "1", "name": "n"}')
    rabbitmq_server.publish(queues.customer, b"{")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert daemon.terminate() == 0
    assert db.value("SELECT count(*) FROM kopru.customers") == 1
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 1


def test_a_type_that_is_wrong_is_named_whatever_the_spelling(db, check):
    db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET quote_all_identifiers = on")
    db.query("ALTER TABLE kopru.customers ALTER COLUMN status TYPE varchar(20)")
    report = check()
    assert report.status == PROBLEMS
    assert report.only_problem().why == "it is character varying(20), but must be text"


@on_partitions_too
@pytest.mark.parametrize("script", sorted(path.name for path in
                                          (REPOSITORY / "migrations" / "verify").glob("*.sql")))
def test_the_migrations_are_verified_whatever_the_spelling(db, script):
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", db.admin_dsn, "-f",
                           str(REPOSITORY / "migrations" / "verify" / script)],
                          env={"PATH": "/usr/bin:/bin", "PGOPTIONS": "-c quote_all_identifiers=on"},
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


# Dead letters whose identity is behind them: a logical copy has the rows and not the sequences.

_SEQUENCE = "pg_get_serial_sequence('kopru.dead_letters', 'dead_letter_id')"


def _fill(db, count: int) -> None:
    db.query("INSERT INTO kopru.dead_letters"
             " (queue, entity, reason, body, body_sha256, redelivered)"
             " SELECT 'old', 'customer', 'not_json', '', n::text::bytea, false"
             " FROM generate_series(1, %s) AS n", count)


def test_check_compares_the_identity_of_dead_letters_with_its_rows(db, check):
    _require_no_problem(check)
    _fill(db, 40)
    _require_no_problem(check)
    for left in ("1, false", "39", "40, false"):
        db.query(f"SELECT setval({_SEQUENCE}, {left})")
        report = check()
        problem = report.only_problem()
        assert (report.status, problem.subject) == (PROBLEMS, "kopru.dead_letters.dead_letter_id")
        assert "40" in problem.why and "setval" in problem.hint
    db.query(problem.hint.partition("as kopru_owner: ")[2])
    _require_no_problem(check)
    db.query("ALTER TABLE kopru.dead_letters ALTER COLUMN dead_letter_id RESTART WITH 41")
    _require_no_problem(check)


def test_the_log_says_setval_and_not_to_remove_the_key(rabbitmq_server, db, queues, kopru):
    _fill(db, 200)
    db.query(f"SELECT setval({_SEQUENCE}, 1, false)")
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, b"{")
    line = daemon.wait_for_event("paused")[0]
    assert line["sqlstate"] == "23505"
    hint = line["hint"]
    assert "setval" in hint and "remove" not in hint
    db.query(hint.partition("as kopru_owner: ")[2])
    rabbitmq_server.wait_until_empty(queues.customer)
    mine = "SELECT count(*) FROM kopru.dead_letters WHERE queue = %s"
    assert db.value(mine, queues.customer) == 1
