"""What comes in which order, in one batch or in many, and late."""

import json
import secrets

import pytest
from support import database, history, hostile
from support.daemon import Kopru, default_settings, merged
from support.samples import CUSTOMER, SUBSCRIPTION
from support.tables import read_all, read_dead_letters
from support.wait import wait_until


def test_a_subscription_may_come_before_its_customer(rabbitmq_server, db, queues, kopru):
    kopru()
    rabbitmq_server.publish(queues.subscription, SUBSCRIPTION)
    rabbitmq_server.wait_until_empty(queues.subscription)
    without_customer = ("SELECT subscription_id, customer_id, occurrence "
                        "FROM kopru.engaged_parties_without_customer")
    assert db.query(without_customer) == [("123462", "134719", 1)]
    parties = "SELECT xmin::text, * FROM kopru.engaged_parties"
    before = db.query(parties)
    rabbitmq_server.publish(queues.customer, CUSTOMER)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(without_customer) == []
    assert db.query(parties) == before


# ---- folding ----

_MESSAGES = 1500
_PREFETCH = 2000


def _singly(broker, db, daemon, queues):
    daemon.start()


def _in_batches(broker, db, daemon, queues):
    """Nothing is committed until everything is delivered."""
    with db.admin() as connection, connection.transaction():
        connection.execute("LOCK TABLE kopru.customers, kopru.subscriptions IN EXCLUSIVE MODE")
        daemon.start()
        daemon.wait_until(lambda: all(broker.depth(queue).ready == 0 for queue in queues), 60,
                          "all to be delivered")


def _redelivered_together(broker, db, daemon, queues):
    """Everything comes back redelivered, as after a lost connection."""
    with broker.connect() as connection:
        channel = connection.channel()
        for queue in queues:
            channel.basic_consume(queue, lambda *_: None)
        wait_until(lambda: connection.process_data_events(0.01) or all(
            broker.depth(queue).unacked == _MESSAGES for queue in queues), 60,
                   "all messages to be delivered")
    daemon.start()


_WAYS = {
    "singly": (_singly, {"batch": {"max_messages": 1}}),
    "in batches": (_in_batches, {"batch": {"max_messages": 500}}),
    "redelivered": (_redelivered_together, {}),
}


def _outcome(broker, server, published, way):
    """The tables after applying the published messages, by entity, in one of the ways."""
    start, changes = _WAYS[way]
    db = database.create_installed(server)
    queues = {f"{way} {entity}": entity for entity in published}
    settings = merged(default_settings(broker.uri, db.daemon_dsn, queues),
                      {"log": {"level": "debug"}, **changes})
    settings["queues"] = [{**queue, "prefetch": _PREFETCH} for queue in settings["queues"]]
    daemon = Kopru(settings)
    try:
        for queue, entity in queues.items():
            broker.declare_queue(queue)
            assert broker.publish_many(queue, published[entity]) == _MESSAGES
        start(broker, db, daemon, queues)
        for queue in queues:
            daemon.wait_until(lambda name=queue: broker.depth(name).is_empty, 120,
                              f"queue {queue!r} to be empty")
        largest = max(line["messages"] for line in daemon.events("committed"))
        assert daemon.terminate() == 0
        dead_letters = sorted(((row["queue"].removeprefix(way), row["body"], row["reason"],
                                row["sqlstate"], row["entity_id"], row["detail"],
                                row["occurrences"]) for row in read_dead_letters(db)), key=repr)
        return read_all(db), dead_letters, largest
    finally:
        daemon.release()
        for queue in queues:
            broker.delete_queue(queue)
        db.drop()


def test_a_batch_equals_its_messages_one_after_another(rabbitmq_server, postgres_server, choice):
    published = {entity: hostile.messages(choice, entity, _MESSAGES, 25)
                 for entity in ("customer", "subscription")}
    outcomes = {way: _outcome(rabbitmq_server, postgres_server, published, way) for way in _WAYS}
    tables, dead_letters, largest = outcomes.pop("singly")
    assert largest == 1
    assert all(tables.values()) and dead_letters
    assert {"not_json", "invalid_structure"} <= {dead_letter[2] for dead_letter in dead_letters}
    for way, (other_tables, other_dead_letters, other_largest) in outcomes.items():
        assert other_largest > 100, way
        for table, rows in tables.items():
            assert other_tables[table] == rows, (way, table)
        assert other_dead_letters == dead_letters, way


# ---- order = "timestamp" and lateness ----

_T = 1_700_000_000


def _customer(name):
    return json.dumps({"id": "1", "name": name}).encode()


def _shown(db):
    return db.query("SELECT name, extract(epoch FROM source_time)::bigint FROM kopru.customers")


# (published, with which AMQP timestamp, then shown, then source_time)
_BY_TIMESTAMP = [("first", _T, "first", _T), ("older", _T - 1, "first", _T),
                 ("equal", _T, "equal", _T),
                 ("newer", _T + 5, "newer", _T + 5), ("none", None, "none", None),
                 ("after none", _T, "after none", _T),
                 ("future", 4_000_000_000, "future", None),
                 ("before 2000", 900_000_000, "before 2000", None)]


def _run(broker, db, queues, steps):
    for name, timestamp, shown, source_time in steps:
        broker.publish(queues.customer, _customer(name), timestamp=timestamp)
        broker.wait_until_empty(queues.customer)
        assert _shown(db) == [(shown, source_time)], name


def test_a_queue_ordered_by_timestamp_ignores_what_is_older(rabbitmq_server, db, queues, kopru):
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "order": "timestamp"}])
    _run(rabbitmq_server, db, queues, _BY_TIMESTAMP)
    assert daemon.terminate() == 0
    assert [line["stale"] for line in daemon.events("queue_stopped")] == [1]


def test_clocks_are_not_asked_about_first_deliveries(rabbitmq_server, db, queues, kopru):
    daemon = kopru()
    _run(rabbitmq_server, db, queues, [
        ("first", _T, "first", _T), ("older", _T - 1000, "older", _T - 1000),
        ("none", None, "none", None)])
    assert daemon.terminate() == 0
    assert {line["stale"] for line in daemon.events("queue_stopped")} == {0}


@pytest.mark.parametrize(("late_timestamp", "shown"), [
    (_T - 1, ("on time", _T)), (_T, ("late", _T)), (_T + 1, ("late", _T + 1)),
    (None, ("late", None))])
def test_a_late_redelivery_that_is_older_changes_nothing(rabbitmq_server, db, queues, kopru,
                                                         late_timestamp, shown):
    """Another consumer held a message, and gives it back when newer ones were applied."""
    rabbitmq_server.publish(queues.customer, _customer("late"), timestamp=late_timestamp)
    with rabbitmq_server.connect() as other:
        assert other.channel().basic_get(queues.customer)[0] is not None
        daemon = kopru()
        rabbitmq_server.publish(queues.customer, _customer("on time"), timestamp=_T)
        wait_until(lambda: _shown(db) == [("on time", _T)], 30, "the newer message to be applied")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [shown]
    assert len(daemon.events("late_redelivery")) == 1
    assert daemon.terminate() == 0
    ((late, stale),) = [(line["late"], line["stale"]) for line in daemon.events("queue_stopped")
                        if line["queue"] == queues.customer]
    assert (late, stale) == (1, 1 if late_timestamp == _T - 1 else 0)


def test_what_is_redelivered_at_once_is_in_order_and_clocks_are_not_asked(rabbitmq_server, db,
                                                                          queues, kopru):
    for name, timestamp in (("first", _T), ("second", _T - 50)):
        rabbitmq_server.publish(queues.customer, _customer(name), timestamp=timestamp)
    with rabbitmq_server.connect() as other:
        channel = other.channel()
        assert all(channel.basic_get(queues.customer)[0] is not None for _ in range(2))
    daemon = kopru()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [("second", _T - 50)]
    assert daemon.events("late_redelivery") == []


def test_late_is_what_comes_back_after_the_redelivered(rabbitmq_server, db, queues, kopru):
    """Nothing was redelivered at first, so the redelivered messages have ended when another
    consumer gives a message back.
    """
    rabbitmq_server.publish(queues.customer, _customer("old"), timestamp=_T)
    daemon = kopru(log={"level": "debug"})
    rabbitmq_server.wait_until_empty(queues.customer)
    assert daemon.terminate() == 0
    rabbitmq_server.publish(queues.customer, _customer("late"), timestamp=_T - 1)
    with rabbitmq_server.connect() as other:
        assert other.channel().basic_get(queues.customer)[0] is not None
        daemon.start()
        ended = [line["queue"] for line in daemon.wait_for_event("redelivered_messages_ended",
                                                                 count=2)]
        assert queues.customer in ended
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [("old", _T)]
    assert len(daemon.events("late_redelivery")) == 1


def test_more_redelivered_messages_than_fit_are_committed_in_parts(rabbitmq_server, db, queues,
                                                                   kopru):
    """It is committed in parts, and none of it is late."""
    names = [f"{n:03}" for n in range(60)]
    rabbitmq_server.publish_many(queues.customer, [
        (json.dumps({"id": "1", "name": name, "pad": "x" * 2000}).encode(),
         {"timestamp": _T - int(name)}) for name in names])
    with rabbitmq_server.connect() as other:
        channel = other.channel()
        assert all(channel.basic_get(queues.customer)[0] is not None for _ in names)
    daemon = kopru(limits={"max_message_bytes": 4096, "max_unacknowledged_bytes": 20_000},
                   log={"level": "debug"})
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [(names[-1], _T - int(names[-1]))]
    parts = [line["messages"] for line in daemon.events("redelivered_messages")]
    assert len(parts) > 1 and sum(parts) == len(names), parts
    assert daemon.events("late_redelivery") == []
    assert daemon.terminate() == 0
    assert {line["stale"] for line in daemon.events("queue_stopped")} == {0}


def test_a_hundred_messages_of_one_id_in_a_batch_are_one_state(rabbitmq_server, db, queues, kopru,
                                                               choice):
    """Duplicated and out of the order in which they were made: what counts is the order of
    publishing.
    """
    history.install(db)
    numbers = [choice.randrange(40) for _ in range(100)]
    bodies = [json.dumps({"id": "1", "name": f"name {n}",
                          "contactMedium": [{"city": f"{n}"}] * (n % 4)}).encode() for n in numbers]
    rabbitmq_server.publish_many(queues.customer, bodies)
    with rabbitmq_server.connect() as other:
        channel = other.channel()
        assert all(channel.basic_get(queues.customer)[0] is not None for _ in bodies)
    daemon = kopru()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert [line["messages"] for line in daemon.events("redelivered_messages")] == [100]
    assert db.query("SELECT number FROM history.states") == [(numbers[-1],)]
    assert db.query("SELECT city FROM kopru.contact_mediums") == [(f"{numbers[-1]}",
                                                                   )] * (numbers[-1] % 4)


# ---- what a quorum queue returns ----


@pytest.mark.parametrize("limit", [None, 1000])
def test_a_quorum_queue_returns_what_a_lost_connection_held_to_its_front(rabbitmq_server, db, kopru,
                                                                         limit):
    """Measured on RabbitMQ 3.10: also without a delivery-limit, where later releases may return it
    to the end.
    """
    queue = f"customer-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(queue, quorum=True,
                                  arguments={} if limit is None else {"x-delivery-limit": limit})
    try:
        daemon = kopru(queues=[{"name": queue, "entity": "customer", "prefetch": 10}],
                       postgres={"lock_timeout": 1})
        with db.admin() as blocker, blocker.transaction():
            blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            rabbitmq_server.publish_many(queue, [_customer(f"{n}") for n in range(30)])
            daemon.wait_until(lambda: rabbitmq_server.depth(queue).unacked == 10, 30,
                              "a full prefetch")
            rabbitmq_server.rabbitmqctl("close_all_connections", "test")
            daemon.wait_for_event("consuming", count=2)
        daemon.wait_until(lambda: rabbitmq_server.depth(queue).is_empty, 60,
                          "the queue to be empty")
        assert _shown(db) == [("29", None)]
        assert daemon.events("late_redelivery") == []
        assert daemon.terminate() == 0
    finally:
        rabbitmq_server.delete_queue(queue)
