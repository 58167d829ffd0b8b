"""Two instances on one queue: one writes, and the other takes over when it is gone, whichever way
it went.
"""

import json

import pytest
from support import history
from support.wait import wait_until

_TAKEOVER_S = 10


def _row(db, queue):
    ((epoch, holder),) = db.query("SELECT epoch, holder FROM kopru.queues WHERE queue = %s", queue)
    return epoch, holder


def _publish(broker, queue, name, entity_id="1"):
    broker.publish(queue, json.dumps({"id": entity_id, "name": name}).encode())


def _only(queues):
    return {"queues": [{"name": queues.customer, "entity": "customer"}], "log": {"level": "debug"}}


def _pair(kopru, queues, **changes):
    """A daemon that consumes, and one that waits for its lease."""
    first = kopru(**_only(queues), **changes)
    second = kopru(start=False, **_only(queues), **changes)
    second.launch()
    second.wait_for_event("standby", count=2)
    return first, second


def test_the_second_takes_over_after_kill9(rabbitmq_server, db, queues, kopru):
    first, second = _pair(kopru, queues)
    epoch, holder = _row(db, queues.customer)
    assert rabbitmq_server.depth(queues.customer).consumers == 1
    assert not second.events("consuming")
    _publish(rabbitmq_server, queues.customer, "by the first")
    rabbitmq_server.wait_until_empty(queues.customer)
    first.kill9()
    second.wait_until_ready(_TAKEOVER_S)
    assert second.events("lease_acquired")[0]["taken_over_from"] == holder
    new_epoch, new_holder = _row(db, queues.customer)
    assert new_epoch > epoch
    assert new_holder not in (holder, None)
    _publish(rabbitmq_server, queues.customer, "by the second")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name FROM kopru.customers") == [("by the second",)]


def test_the_second_takes_over_after_a_clean_end(rabbitmq_server, db, queues, kopru):
    first, second = _pair(kopru, queues)
    epoch, _ = _row(db, queues.customer)
    assert first.terminate() == 0
    second.wait_until_ready(_TAKEOVER_S)
    assert _row(db, queues.customer)[0] > epoch
    assert not second.events("waiting_for_predecessor")


def test_a_restart_acquires_its_lease_at_once(rabbitmq_server, db, queues, kopru):
    """It neither waits for a lease to expire nor for heartbeats, after a clean end and after kill
    -9.
    """
    daemon = kopru(**_only(queues), amqp={"heartbeat": 600})
    epochs = [_row(db, queues.customer)[0]]
    for end in (daemon.terminate, daemon.kill9, daemon.kill9, daemon.terminate):
        end()
        daemon.launch()
        daemon.wait_until_ready(_TAKEOVER_S)
        assert not daemon.events("standby")
        epochs.append(_row(db, queues.customer)[0])
    assert epochs == sorted(set(epochs))


def test_a_frozen_instance_cannot_write_when_it_wakes_up(rabbitmq_server, db, queues, kopru):
    """It freezes with unacknowledged messages; these are applied by the other, and newer ones after
    them.
    """
    # The server ends the transaction that it froze in after statement_timeout.
    first, second = _pair(kopru, queues, amqp={"heartbeat": 1},
                          postgres={"lock_timeout": 2, "statement_timeout": 3})
    history.install(db)
    with db.admin() as connection, connection.transaction():
        connection.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        for n in range(1, 11):
            _publish(rabbitmq_server, queues.customer, f"name {n}")
        first.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 10, 30,
                         "the first to have all messages")
        first.stop()
    try:
        second.wait_until_ready(60)
        _publish(rabbitmq_server, queues.customer, "name 11")
        shown = "SELECT name FROM kopru.customers"
        wait_until(lambda: db.query(shown) == [("name 11",)], 30,
                   "the second to apply the newest message")
    finally:
        first.cont()
    first.wait_for_event("standby")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(shown) == [("name 11",)]
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    numbers = [number for (number,) in db.query("SELECT number FROM history.states ORDER BY n")]
    assert numbers == sorted(numbers)
    assert rabbitmq_server.depth(queues.customer).consumers == 1
    assert second.terminate() == 0
    first.wait_until(lambda: len(first.events("consuming")) == 2, _TAKEOVER_S,
                     "the first to acquire the lease again")


def test_a_deleted_row_comes_back_with_a_new_epoch(rabbitmq_server, db, queues, kopru):
    daemon = kopru(**_only(queues))
    epoch, _holder = _row(db, queues.customer)
    db.query("DELETE FROM kopru.queues")
    daemon.wait_for_event("consuming", count=2)
    assert _row(db, queues.customer)[0] > epoch
    _publish(rabbitmq_server, queues.customer, "after")
    rabbitmq_server.wait_until_empty(queues.customer)


def test_a_holder_that_was_deleted_by_hand_comes_back(db, queues, kopru):
    """Else a row without one would let a second instance in while the first still writes."""
    who = "SELECT holder, instance, state FROM kopru.queues"
    daemon = kopru(**_only(queues))
    daemon.wait_until(lambda: db.query(who)[0][2] == "consuming", 30, "the row to say so")
    before = db.query(who)
    db.query("UPDATE kopru.queues SET holder = NULL, instance = NULL, state = NULL")
    daemon.wait_until(lambda: db.query(who) == before, 30, "the next renewal")
    assert not daemon.events("lease_lost")


@pytest.mark.full
def test_a_deleted_row_does_not_bring_an_epoch_back(rabbitmq_server, db, queues, kopru):
    """Whoever tidies up kopru.queues must not let in an instance that froze while it held the
    queue.
    """
    first, second = _pair(kopru, queues, amqp={"heartbeat": 1},
                          postgres={"lock_timeout": 2, "statement_timeout": 3})
    epoch, _holder = _row(db, queues.customer)
    with db.admin() as connection, connection.transaction():
        connection.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        _publish(rabbitmq_server, queues.customer, "old")
        first.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 1, 30,
                         "the first to have the message")
        first.stop()
    try:
        db.query("DELETE FROM kopru.queues")
        second.wait_until_ready(60)
        assert _row(db, queues.customer)[0] > epoch
        _publish(rabbitmq_server, queues.customer, "new")
        shown = "SELECT name FROM kopru.customers"
        wait_until(lambda: db.query(shown) == [("new",)], 30,
                   "the second to apply the newest message")
    finally:
        first.cont()
    first.wait_for_event("standby")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(shown) == [("new",)]
    assert _row(db, queues.customer)[0] > epoch
