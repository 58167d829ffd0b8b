"""A flood of refusals by the database is the database's fault, and fills no table of dead letters
(F25).
"""

import json
import re

from support.database import partitions_of_tests
from support.endpoint import Endpoint

_MESSAGES = 3000
_WINDOW = 300
_BREAKER = {"window": _WINDOW, "probe_interval": 1}
_RULE = "ALTER TABLE kopru.customers ADD CONSTRAINT site_rule CHECK ({rule}) NOT VALID"
_ALL = _RULE.format(rule="false")
_DROP = "ALTER TABLE kopru.customers DROP CONSTRAINT site_rule"


def _customer(entity_id, **properties):
    return json.dumps({"id": entity_id, **properties}).encode()


def _dead_letters(db):
    return db.value("SELECT count(*) FROM kopru.dead_letters")


def _still_there(broker, queue):
    depth = broker.depth(queue)
    return depth.ready + depth.unacked


def _wait_until_all_is_somewhere(broker, db, queue, daemon, count):
    """Each message is a row or a dead letter: or both, if that was not acknowledged when the
    daemon stopped and the database takes it by now."""
    broker.wait_until_empty(queue)
    assert db.value("SELECT count(*) FROM (SELECT customer_id FROM kopru.customers UNION SELECT "
                    "entity_id FROM kopru.dead_letters) AS m"
                    ) == count
    assert not daemon.events("database_unavailable")


def test_the_breaker_pauses_and_resumes_alone(rabbitmq_server, db, queues, kopru):
    db.query(_ALL)
    endpoint = Endpoint()
    daemon = kopru(breaker=_BREAKER, http=endpoint.settings)
    rabbitmq_server.publish_many(queues.customer, (_customer(str(n)) for n in range(_MESSAGES)))
    (opened,) = daemon.wait_for_event("breaker_open", deadline_s=60)
    assert (opened["level"], opened["queue"], opened["sqlstate"], opened["constraint"]) == (
        "error", queues.customer, "23514", "site_rule")
    partition = "_[0-7]" if partitions_of_tests() else ""  # the one that refused
    assert re.fullmatch(f"customers{partition}", opened["table"])
    assert opened["refused"] == opened["window"] == _WINDOW
    endpoint.wait_until_readyz(daemon, 503,
                               f"queue {queues.customer} paused: {_WINDOW} of the last {_WINDOW} "
                               "messages were refused",
                               "SQLSTATE 23514, table customers", ", constraint site_rule",
                               f"queue {queues.subscription} consuming")
    assert endpoint.ask("/livez")[0] == 200
    assert endpoint.metrics()["kopru_breaker_open", queues.customer] == 1
    # A message is tried now and then, and nothing else happens.
    daemon.wait_for_event("breaker_still_open", count=2)
    dead_letters = _dead_letters(db)
    assert dead_letters <= _WINDOW
    rest = _MESSAGES - dead_letters
    daemon.wait_until(lambda: _still_there(rabbitmq_server, queues.customer) >= rest, 30,
                      "all the rest to be there still")
    daemon.wait_for_event("breaker_still_open", count=4)
    assert _dead_letters(db) == dead_letters
    # The other queue goes on.
    rabbitmq_server.publish(queues.subscription, _customer("s"))
    rabbitmq_server.wait_until_empty(queues.subscription)

    db.query(_DROP)
    _wait_until_all_is_somewhere(rabbitmq_server, db, queues.customer, daemon, _MESSAGES)
    assert _dead_letters(db) == dead_letters
    assert db.value("SELECT count(*) FROM kopru.customers") == rest
    assert len(daemon.events("breaker_open")) == len(daemon.events("breaker_closed")) == 1
    assert len(daemon.events("consuming")) == 2  # one for each queue: nothing had to come again
    assert endpoint.metrics()["kopru_breaker_openings_total", queues.customer] == 1
    endpoint.wait_until_readyz(daemon, 200, f"queue {queues.customer} consuming")
    assert daemon.terminate() == 0


def test_a_stop_while_it_is_open_and_a_start_after_it(rabbitmq_server, db, queues, kopru):
    db.query(_ALL)
    # The next start waits three heartbeats for what was not acknowledged.
    daemon = kopru(breaker={"window": 50, "probe_interval": 600}, amqp={"heartbeat": 1})
    rabbitmq_server.publish_many(queues.customer, (_customer(str(n)) for n in range(200)))
    daemon.wait_for_event("breaker_open", deadline_s=60)
    assert daemon.terminate() == 1
    assert not daemon.events("shutdown_timeout")
    dead_letters = _dead_letters(db)
    assert dead_letters <= 50
    db.query(_DROP)
    daemon.start()
    _wait_until_all_is_somewhere(rabbitmq_server, db, queues.customer, daemon, 200)
    assert _dead_letters(db) == dead_letters
    assert daemon.terminate() == 0


def test_refusals_below_the_share_do_not_open_it(rabbitmq_server, db, queues, kopru):
    db.query(_RULE.format(rule="name <> 'bad'"))
    daemon = kopru(breaker={"window": 100, "probe_interval": 600})
    names = ["bad" if n % 4 == 0 else "good" for n in range(600)]
    rabbitmq_server.publish_many(queues.customer,
                                 (_customer(str(n), name=name) for n, name in enumerate(names)))
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _dead_letters(db) == names.count("bad")
    assert db.value("SELECT count(*) FROM kopru.customers") == names.count("good")
    assert not daemon.events("breaker_open")
    assert daemon.terminate() == 0


def test_what_kopru_refuses_does_not_open_it(rabbitmq_server, db, queues, kopru):
    daemon = kopru(breaker={"window": 10, "share": 0.1, "probe_interval": 600})
    rabbitmq_server.publish_many(queues.customer, (f"no json {n}".encode() for n in range(300)))
    rabbitmq_server.publish(queues.customer, _customer("1"))
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _dead_letters(db) == 300
    assert db.value("SELECT count(*) FROM kopru.customers") == 1
    assert daemon.events("dead_letter")[0]["level"] == "warning"
    assert not daemon.events("breaker_open")
    assert daemon.terminate() == 0
