"""A predecessor that the broker does not count as a consumer, and that may hold deliveries all the
same, or get some yet.

The newer message must not be applied before the broker has handed out the older one again."""

import json
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.amqp_frames import BASIC_ACK, BASIC_CANCEL_OK, BASIC_CONSUME, AmqpWatch
from support.daemon import Kopru
from support.proxy import Proxy
from support.wait import wait_until

_HEARTBEAT_S = 1  # the broker drops a silent connection after two or three
_DROPPED_S = 60


@dataclass
class Pair:
    amqp: AmqpWatch
    queue: str
    first: Kopru  # behind a proxy, not started yet
    second: Kopru  # likewise not


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.full)],
                ids=["classic", "quorum"])
def pair(request, rabbitmq_server, kopru) -> Iterator[Pair]:
    queue = f"customer-{secrets.token_hex(4)}"
    # Without a limit a quorum queue returns messages to its end.
    rabbitmq_server.declare_queue(queue, quorum=request.param,
                                  arguments={"x-delivery-limit": 1000} if request.param else {})
    amqp = AmqpWatch()

    def daemon(port: int) -> Kopru:
        return kopru(start=False, queues=[{"name": queue, "entity": "customer"}],
                     log={"level": "debug"},
                     amqp={"uri": f"amqp://guest:guest@127.0.0.1:{port}/%2F",
                           "heartbeat": _HEARTBEAT_S, "rpc_timeout": 2})

    with Proxy(rabbitmq_server.port, tap=amqp.tap) as proxy:
        yield Pair(amqp, queue, daemon(proxy.port), daemon(rabbitmq_server.port))
        amqp.release_all()
    rabbitmq_server.delete_queue(queue)


def _publish(broker, queue, name):
    broker.publish(queue, json.dumps({"id": "1", "name": name}).encode())


def _cancel(pair):
    """Tell the first to stop. A quorum queue goes on counting it, so its consumers say nothing
    about that.
    """
    cancelled = pair.amqp.stop_at(lambda frame: frame.method == BASIC_CANCEL_OK)
    pair.first.send(signal.SIGTERM)
    cancelled.wait()
    cancelled.release()


def _let_expire(db):
    """As if the holder had been silent for long."""
    db.query("UPDATE kopru.queues SET renewed_at = renewed_at - interval '1 hour'")


def _require_newest(broker, db, pair, *daemons):
    pair.second.wait_until(lambda: pair.second.events("consuming"), _DROPPED_S,
                           "the second to consume")
    broker.wait_until_empty(pair.queue)
    assert db.query("SELECT name FROM kopru.customers") == [("new",)]
    for daemon in daemons:
        assert not daemon.events("late_redelivery")


def test_one_that_froze_after_it_cancelled(rabbitmq_server, db, pair):
    """SIGTERM made it cancel; its deliveries are unacknowledged, and it does not count as a
    consumer any more.
    """
    pair.first.start()
    pair.second.launch()
    with db.admin() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        _publish(rabbitmq_server, pair.queue, "old")
        pair.first.wait_until(lambda: rabbitmq_server.depth(pair.queue).unacked == 1, 30,
                              "the delivery")
        _cancel(pair)
        pair.first.stop()
        _publish(rabbitmq_server, pair.queue, "new")
        _let_expire(db)
        pair.second.wait_until(lambda: pair.second.events("waiting_for_predecessor")
                               or pair.second.events("consuming"), 30, "a takeover")
    _require_newest(rabbitmq_server, db, pair, pair.second)


def test_one_that_ended_and_whose_acknowledgement_is_on_the_way(rabbitmq_server, db, pair):
    pair.first.start()
    pair.second.launch()
    with db.admin() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        _publish(rabbitmq_server, pair.queue, "old")
        pair.first.wait_until(lambda: rabbitmq_server.depth(pair.queue).unacked == 1, 30,
                              "the delivery")
        stop = pair.amqp.stop_at(lambda frame: frame.is_from_client and frame.method == BASIC_ACK)
        _cancel(pair)
    stop.wait()
    assert pair.first.wait_until_exit(30) == 0
    assert pair.first.events("lease_not_released")
    _publish(rabbitmq_server, pair.queue, "new")
    _require_newest(rabbitmq_server, db, pair, pair.second)


@pytest.mark.full
def test_one_that_froze_before_it_subscribed(rabbitmq_server, db, pair):
    """Its subscription arrives at the broker when another has its lease, and it gets every other
    message.
    """
    stop = pair.amqp.stop_at(lambda frame: frame.is_from_client and frame.method == BASIC_CONSUME)
    pair.first.launch()
    stop.wait()
    pair.first.stop()
    _let_expire(db)
    pair.second.launch()
    pair.second.wait_until(lambda: pair.second.events("waiting_for_predecessor")
                           or pair.second.events("consuming"), 30, "a takeover")
    before = rabbitmq_server.depth(pair.queue).consumers
    stop.release()
    wait_until(lambda: rabbitmq_server.depth(pair.queue).consumers == before + 1, 30,
               "the first to be subscribed")
    _publish(rabbitmq_server, pair.queue, "old")
    _publish(rabbitmq_server, pair.queue, "new")
    pair.second.wait_until(lambda: pair.second.events("consuming"), _DROPPED_S,
                           "the second to consume")
    wait_until(lambda: rabbitmq_server.depth(pair.queue).consumers == 1, 30,
               "the broker to drop the first")
    _require_newest(rabbitmq_server, db, pair, pair.second)
