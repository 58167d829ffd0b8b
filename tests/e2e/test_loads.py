"""What is read from the database is counted once: a batch is divided because its rows are many, and
never because its answer came in many parts.
"""

import json
from collections.abc import Iterator

import pytest
from support.database import DAEMON

_SUBSCRIPTIONS = 3000
_MIB = 1 << 20


def _ordinary(version: int) -> Iterator[bytes]:
    """Subscriptions with 12 characteristics of 8 bytes: 500 of them weigh half a megabyte."""
    for number in range(_SUBSCRIPTIONS):
        yield json.dumps({
            "id": str(number),
            "characteristic": [{"name": f"name{n:02}", "valueType": "Text",
                                "value": f"{version}{number:05}{n:02}"} for n in range(12)],
        }).encode()


def _wide(number: int, party: str) -> bytes:
    """A subscription whose rows take some 300 KiB as PostgreSQL sends them."""
    return json.dumps({"id": str(number),
                       "engagedParty": [{"id": f"{party}{n}", "name": "x" * 40}
                                        for n in range(3000)]}).encode()


@pytest.fixture(name="one_writer")
def _one_writer(queues):
    return [{"name": queues.subscription, "entity": "subscription", "writers": 1}]


@pytest.fixture(name="postgres", params=["tcp", "socket"])
def _postgres(request, postgres_server, db):
    """What waits in a socket depends on its kind."""
    dsn = postgres_server.dsn if request.param == "tcp" else postgres_server.socket_dsn
    return {"conninfo": dsn(db.name, DAEMON)}


def _apply(daemon, broker, queue: str) -> None:
    daemon.wait_until(lambda: broker.depth(queue).is_empty, 120, f"queue {queue!r} to be empty")


def _sessions(db) -> list[int]:
    return sorted(row[0] for row in db.query(
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name = 'kopru' AND datname = current_database()"))


def test_ordinary_updates_are_never_given_up(rabbitmq_server, db, queues, kopru, one_writer,
                                             postgres):
    rabbitmq_server.publish_many(queues.subscription, _ordinary(1))
    daemon = kopru(queues=one_writer, postgres=postgres, log={"level": "debug"})
    _apply(daemon, rabbitmq_server, queues.subscription)
    assert daemon.terminate() == 0
    rabbitmq_server.publish_many(queues.subscription, _ordinary(2))
    daemon.start()
    sessions = _sessions(db)
    _apply(daemon, rabbitmq_server, queues.subscription)
    for event in ("database_unavailable", "too_much_memory", "isolating"):
        assert daemon.events(event) == []
    assert sessions and set(sessions) <= set(_sessions(db)), "a connection was given up"
    assert db.value("SELECT count(*) FROM kopru.subscription_characteristics "
                    "WHERE value LIKE '2%'") == 12 * _SUBSCRIPTIONS


def test_rows_that_are_too_many_at_once_are_read_in_parts(rabbitmq_server, db, queues, kopru,
                                                          one_writer, postgres):
    """What kopru itself gives up is not the database's fault, and is not called so."""
    entities = 60
    daemon = kopru(queues=one_writer, postgres=postgres)
    rabbitmq_server.publish_many(queues.subscription,
                                 (_wide(number, "a") for number in range(entities)))
    _apply(daemon, rabbitmq_server, queues.subscription)
    assert daemon.terminate() == 0
    rabbitmq_server.publish_many(queues.subscription,
                                 (f'{{"id":"{number}","engagedParty":[]}}'.encode()
                                  for number in range(entities)))
    daemon.start()
    _apply(daemon, rabbitmq_server, queues.subscription)
    assert daemon.events("database_unavailable") == []
    line = daemon.wait_for_event("too_much_memory")[0]
    assert (line["level"], line["hint"]) == ("info", "nothing has to be done: the batch is halved")
    assert "as they arrive" in line["msg"] or "as they arrive" in line["why"]
    assert db.value("SELECT count(*) FROM kopru.engaged_parties") == 0
    assert db.value("SELECT count(*) FROM kopru.subscriptions") == entities
