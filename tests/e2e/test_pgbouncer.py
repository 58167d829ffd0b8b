"""Through a pooler that hands every transaction to another server session, where nothing a session
keeps can be relied on.
"""

import json
import signal
from contextlib import ExitStack

import psycopg
import pytest
from support.pgbouncer import PgBouncer, is_newer, keeping
from support.wait import wait_until

# Whether the pooler takes a prepared statement along to another session.
_BOTH = [pytest.param(False, id="forgets"),
         pytest.param(True, id="keeps", marks=pytest.mark.skipif(
             not is_newer(), reason="this PgBouncer is older than 1.21"))]


@pytest.fixture(scope="module", params=_BOTH)
def pooler(postgres_server, request):
    with PgBouncer(postgres_server, settings=keeping(request.param)) as started:
        yield started


@pytest.fixture
def forgetful(postgres_server):
    with PgBouncer(postgres_server, settings=keeping(False)) as started:
        yield started


def _only_customers(queues) -> list[dict[str, object]]:
    return [{"name": queues.customer, "entity": "customer"}]


def _body(number: int, name: str) -> bytes:
    return json.dumps({"id": str(number), "name": name,
                       "contactMedium": [{"city": "Ankara"}]}).encode()


def test_messages_are_applied_through_a_transaction_pool(kopru, pooler, db, queues,
                                                         rabbitmq_server):
    rabbitmq_server.publish_many(queues.customer, [_body(number, "first") for number in range(600)])
    daemon = kopru(postgres={"conninfo": pooler.daemon_dsn(db)}, batch={"max_messages": 20})
    rabbitmq_server.wait_until_empty(queues.customer)
    rabbitmq_server.publish_many(queues.customer,
                                 [_body(number, "second") for number in range(0, 600, 2)] + [b"{"])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name, count(*) FROM kopru.customers GROUP BY 1 ORDER BY 1") == [
        ("first", 300), ("second", 300)]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == 600
    assert db.query("SELECT reason FROM kopru.dead_letters") == [("not_json",)]
    assert daemon.terminate() == 0


def test_a_pooler_is_met_with_a_few_reconnects_and_no_more(kopru, forgetful, db, queues,
                                                           rabbitmq_server):
    daemon = kopru(postgres={"conninfo": forgetful.daemon_dsn(db)}, batch={"max_messages": 1})
    rabbitmq_server.publish_many(queues.customer, [_body(number, "a") for number in range(300)])
    rabbitmq_server.wait_until_empty(queues.customer)
    errors = daemon.events("database_unavailable")
    # It must be met, or this pooler proves nothing; each connection may find out once, at the same
    # time as the others: the lease keeper, and two writers of each queue.
    assert 1 <= len(errors) <= 5
    assert {error.get("sqlstate") for error in errors} <= {"26000", "42P05", None}


@pytest.mark.skipif(not is_newer(), reason="this PgBouncer is older than 1.21")
def test_a_pooler_that_keeps_prepared_statements_costs_no_reconnect(postgres_server, kopru, db,
                                                                    queues, rabbitmq_server):
    with PgBouncer(postgres_server, settings=keeping(True)) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)}, batch={"max_messages": 1},
                       queues=_only_customers(queues))
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "a") for number in range(300)])
        rabbitmq_server.wait_until_empty(queues.customer)
        assert daemon.events("database_unavailable") == []
        _assert_undisturbed(db, daemon, "a", 300)


# ---- what its own operator does


@pytest.fixture
def daemon_behind(kopru, pooler, db, queues):
    return kopru(postgres={"conninfo": pooler.daemon_dsn(db), "statement_timeout": 2,
                           "lock_timeout": 1},
                 queues=[{"name": queues.customer, "entity": "customer", "writers": 2}])


def _assert_undisturbed(db, daemon, name: str, count: int) -> None:
    assert db.query("SELECT name, count(*) FROM kopru.customers GROUP BY 1") == [(name, count)]
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    # The pooler shows once that it keeps no prepared statement: to the lease keeper and to each
    # writer.
    lost = [line for line in daemon.events("database_unavailable")
            if line.get("sqlstate") in ("26000", "42P05")]
    assert len(lost) <= 3
    assert len(daemon.events("consuming")) == 1


@pytest.mark.parametrize("command", ["RECONNECT", "PAUSE", "KILL"])
def test_its_operator_interferes(daemon_behind, pooler, db, queues, rabbitmq_server, command):
    """PAUSE and KILL hold or drop every client until RESUME; RECONNECT changes the server's
    sessions under them.
    """
    rabbitmq_server.publish_many(queues.customer, [_body(number, "first") for number in range(100)])
    rabbitmq_server.wait_until_empty(queues.customer)
    with pooler.console() as console:
        for round_number in range(3):
            console.execute(f"{command} {db.name}")
            name = f"round {round_number}"
            try:
                rabbitmq_server.publish_many(queues.customer,
                                             [_body(number, name) for number in range(100)])
                if command != "RECONNECT":
                    daemon_behind.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked
                                             == 100, 30, "all to be delivered")
            finally:
                if command != "RECONNECT":
                    console.execute(f"RESUME {db.name}")
            daemon_behind.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                                     "the queue to be empty")
    _assert_undisturbed(db, daemon_behind, name, 100)


@pytest.mark.parametrize("signals", [
    pytest.param([signal.SIGINT], id="SIGINT"),  # what `systemctl restart` sends
    pytest.param([signal.SIGTERM, signal.SIGTERM], id="SIGTERM"),
    pytest.param([signal.SIGKILL], id="SIGKILL"),
])
def test_it_restarts(postgres_server, kopru, db, queues, rabbitmq_server, signals):
    """From 1.21 on it goes on with the clients that it has at the first SIGTERM, and kopru stays; a
    second one ends it.
    """
    with PgBouncer(postgres_server) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)}, queues=_only_customers(queues))
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "first") for number in range(100)])
        rabbitmq_server.wait_until_empty(queues.customer)
        for number in signals if is_newer() else signals[:1]:
            own.send(number)
        wait_until(lambda: not own.is_running(), 30, "PgBouncer to end")
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "second") for number in range(100)])
        daemon.wait_for_event("database_unavailable", count=2)
        own.start()
        daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                          "the queue to be empty")
        _assert_undisturbed(db, daemon, "second", 100)


@pytest.mark.skipif(not is_newer(), reason="this PgBouncer is older than 1.21")
def test_one_that_waits_for_its_clients_goes_on_serving(postgres_server, kopru, db, queues,
                                                        rabbitmq_server):
    with PgBouncer(postgres_server, settings=keeping(True)) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)}, queues=_only_customers(queues))
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "first") for number in range(100)])
        rabbitmq_server.wait_until_empty(queues.customer)
        own.send(signal.SIGTERM)
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "second") for number in range(100)])
        rabbitmq_server.wait_until_empty(queues.customer)
        assert own.is_running()
        _assert_undisturbed(db, daemon, "second", 100)
        # It was not for want of clients that it stayed.
        assert daemon.terminate() == 0
        wait_until(lambda: not own.is_running(), 30, "PgBouncer to end")


@pytest.mark.parametrize("kept", _BOTH)
def test_two_queues_share_two_sessions(postgres_server, kopru, db, queues, rabbitmq_server,
                                       observed, kept):
    """Kopru has five connections, and a successor after the kill."""
    with PgBouncer(postgres_server, pool_size=2, settings=keeping(kept)) as own:
        changes = {"postgres": {"conninfo": own.daemon_dsn(db)}, "batch": {"max_messages": 20}}
        with observed.start(backlog=300, entities=30):
            daemon = kopru(**changes)
            _wait_for_rows(daemon, db, 0)
            daemon.kill9()
            successor = kopru(**changes)
            _wait_for_rows(successor, db, db.value("SELECT max(n) FROM history.states"))
        for name in queues.entities():
            rabbitmq_server.wait_until_empty(name)
        verdict = observed.check()
        assert verdict.is_clean, verdict
        assert successor.terminate() == 0


@pytest.mark.skipif(not is_newer(), reason="this PgBouncer is older than 1.21")
def test_plans_that_it_kept_from_before_a_migration(postgres_server, kopru, db, queues,
                                                    rabbitmq_server):
    """A new connection meets them, too (0A000). Whoever does gives up that session of the server,
    until none is left.
    """
    with PgBouncer(postgres_server, pool_size=6, settings=keeping(True)) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)}, queues=_only_customers(queues),
                       batch={"max_messages": 1})
        with ExitStack() as stack:
            for _ in range(6):  # so that there are six sessions
                stack.enter_context(psycopg.connect(own.daemon_dsn(db))).execute("SELECT 1")
        for name in ("first", "second", "third"):
            rabbitmq_server.publish_many(queues.customer,
                                         [_body(number, name) for number in range(100)])
            rabbitmq_server.wait_until_empty(queues.customer)
        db.query("ALTER TABLE kopru.customers ALTER COLUMN name TYPE varchar(1000)")
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "fourth") for number in range(100)])
        rabbitmq_server.wait_until_empty(queues.customer)
        met = [line.get("sqlstate") for line in daemon.events("database_unavailable")]
        assert 1 <= len(met) <= 12 and set(met) == {"0A000"}
        assert not daemon.events("paused")
        _assert_undisturbed(db, daemon, "fourth", 100)


def _wait_for_rows(daemon, db, before: int) -> None:
    daemon.wait_until(
        lambda: db.value("SELECT count(*) FROM history.states WHERE n > %s", before) > 500, 60,
        "more states of rows")


def test_pooling_by_session_is_like_a_direct_connection(postgres_server, kopru, db, queues,
                                                        rabbitmq_server):
    """The lease keeper and two writers: three sessions for one queue."""
    settings = {**keeping(False), "pool_mode": "session"}
    with PgBouncer(postgres_server, pool_size=3, settings=settings) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)}, queues=_only_customers(queues))
        for name in ("first", "second"):
            rabbitmq_server.publish_many(queues.customer,
                                         [_body(number, name) for number in range(100)])
            rabbitmq_server.wait_until_empty(queues.customer)
        assert daemon.events("database_unavailable") == []
        _assert_undisturbed(db, daemon, "second", 100)
        own.send(signal.SIGINT)  # waits for sessions, and so for clients
        assert own.is_running()
        assert daemon.terminate() == 0
        wait_until(lambda: not own.is_running(), 30, "PgBouncer to end")


def test_pooling_by_statement_is_refused(postgres_server, kopru, db, queues, rabbitmq_server,
                                         check):
    """There is no transaction of several round trips. `check` and the daemon say what to change,
    and the daemon goes on once it is changed.
    """
    settings = {**keeping(True), "pool_mode": "statement"}
    with PgBouncer(postgres_server, settings=settings) as own:
        conninfo = {"conninfo": own.daemon_dsn(db)}
        report = check(postgres=conninfo)
        assert report.results["database"] == "problems"
        (problem,) = report.problems
        assert "pool_mode = statement" in problem.why
        assert "pool_mode = transaction" in problem.hint
        daemon = kopru(postgres=conninfo, queues=_only_customers(queues), start=False)
        daemon.launch()
        rabbitmq_server.publish_many(queues.customer, [_body(number, "a") for number in range(100)])
        (told, *_) = daemon.wait_for_event("paused")
        assert "pool_mode = transaction" in told["hint"]
        with own.console() as console:
            console.execute("SET pool_mode = 'transaction'")
            console.execute("RECONNECT")
        rabbitmq_server.wait_until_empty(queues.customer)
        assert db.value("SELECT count(*) FROM kopru.customers") == 100


def test_it_is_too_small(postgres_server, kopru, db, queues, rabbitmq_server):
    """Its own errors, such as query_wait_timeout, are 08P01, which of PostgreSQL itself would be a
    mistake of kopru's.
    """
    with PgBouncer(postgres_server, pool_size=1, settings={"query_wait_timeout": "1"}) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)},
                       queues=_only_customers(queues))
        with psycopg.connect(own.daemon_dsn(db)) as occupant:
            occupant.execute("SELECT 1")
            rabbitmq_server.publish_many(queues.customer,
                                         [_body(number, "first") for number in range(100)])
            told = daemon.wait_until(lambda: [line for line in daemon.events("database_unavailable")
                                              if "query_wait_timeout" in line["why"]
                                              or line.get("sqlstate") == "08P01"], 30,
                                     "the pooler's own error")
            assert told[0]["level"] == "warning"
            occupant.rollback()
        daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                          "the queue to be empty")
        assert not daemon.events("paused")
        _assert_undisturbed(db, daemon, "first", 100)
