"""Through a pooler that hands every transaction to another server session, where nothing a session
keeps can be relied on.
"""

import json

import psycopg
import pytest
from support.pgbouncer import PgBouncer, knows_prepared_statements


@pytest.fixture(scope="module")
def pooler(postgres_server):
    with PgBouncer(postgres_server) as started:
        yield started


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


def test_a_pooler_is_met_with_a_few_reconnects_and_no_more(kopru, pooler, db, queues,
                                                           rabbitmq_server):
    daemon = kopru(postgres={"conninfo": pooler.daemon_dsn(db)}, batch={"max_messages": 1})
    rabbitmq_server.publish_many(queues.customer, [_body(number, "a") for number in range(300)])
    rabbitmq_server.wait_until_empty(queues.customer)
    errors = daemon.events("database_unavailable")
    # It must be met, or this pooler proves nothing; each connection may find out once, at the same
    # time as the others: the lease keeper, and two writers of each queue.
    assert 1 <= len(errors) <= 5
    assert {error.get("sqlstate") for error in errors} <= {"26000", "42P05", None}


@pytest.mark.skipif(not knows_prepared_statements(), reason="this PgBouncer is older than 1.21")
def test_a_pooler_that_keeps_prepared_statements_costs_no_reconnect(postgres_server, kopru, db,
                                                                    queues, rabbitmq_server):
    with PgBouncer(postgres_server, settings={"max_prepared_statements": "200"}) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)}, batch={"max_messages": 1},
                       queues=[{"name": queues.customer, "entity": "customer"}])
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


def test_it_restarts(postgres_server, kopru, db, queues, rabbitmq_server):
    with PgBouncer(postgres_server) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)},
                       queues=[{"name": queues.customer, "entity": "customer"}])
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "first") for number in range(100)])
        rabbitmq_server.wait_until_empty(queues.customer)
        own.stop()
        rabbitmq_server.publish_many(queues.customer,
                                     [_body(number, "second") for number in range(100)])
        daemon.wait_for_event("database_unavailable", count=2)
        own.start()
        daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                          "the queue to be empty")
        _assert_undisturbed(db, daemon, "second", 100)


def test_it_is_too_small(postgres_server, kopru, db, queues, rabbitmq_server):
    """Its own errors, such as query_wait_timeout, are 08P01, which of PostgreSQL itself would be a
    mistake of kopru's.
    """
    with PgBouncer(postgres_server, pool_size=1, settings={"query_wait_timeout": "1"}) as own:
        daemon = kopru(postgres={"conninfo": own.daemon_dsn(db)},
                       queues=[{"name": queues.customer, "entity": "customer"}])
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
