"""Messages that a broker delivers out of the order in which they were published, and timestamps
that cannot tell.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pika
import pytest
from support.daemon import Kopru
from support.database import Database
from support.endpoint import Endpoint
from support.rabbitmq import RabbitMQ
from support.wait import wait_until

_T = 1_750_000_200


def _customer(name: str) -> bytes:
    return json.dumps({"id": "1", "name": name}).encode()


def _shown(db: Database) -> list[tuple]:
    return db.query("SELECT name, extract(epoch FROM source_time)::bigint FROM kopru.customers")


def _counts(daemon: Kopru, queue: str) -> tuple[int, int]:
    """(late, stale), after the daemon has ended."""
    assert daemon.terminate() == 0
    ((late, stale),) = [(line["late"], line["stale"]) for line in daemon.events("queue_stopped")
                        if line["queue"] == queue]
    return late, stale


# ---- timestamps that do not count ----


@dataclass
class Watched:
    daemon: Kopru
    endpoint: Endpoint
    queue: str

    def metric(self, name: str) -> float:
        return self.endpoint.metrics()[(f"kopru_timestamps_{name}_total", self.queue)]

    def line(self) -> str:
        """Of /readyz?verbose, which must be ready."""
        status, text = self.endpoint.ask("/readyz?verbose")
        assert status == 200, text
        (line,) = [line for line in text.splitlines() if f"queue {self.queue} " in line]
        return line


@pytest.fixture
def watched(kopru: Callable[..., Kopru], queues) -> Callable[[str], Watched]:
    def start(order: str) -> Watched:
        endpoint = Endpoint()
        daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "order": order}],
                       http=endpoint.settings)
        return Watched(daemon, endpoint, queues.customer)

    return start


@pytest.mark.parametrize("order", ["timestamp", "delivery"])
@pytest.mark.parametrize(("factor", "looks_like"), [
    (1_000, "Unix time in ms"), (1_000_000, "Unix time in us"), (1_000_000_000, "Unix time in ns"),
    (0, "too old"), (3, "too far ahead")])
def test_a_timestamp_that_cannot_be_one_is_not_believed_and_told(
        rabbitmq_server, db, queues, watched, order, factor, looks_like):
    run = watched(order)
    assert run.line() == f"[+]queue {queues.customer} consuming"
    for name, timestamp in (("new", _T), ("old", _T - 100)):
        rabbitmq_server.publish(queues.customer, _customer(name), timestamp=timestamp * factor)
        rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [("old", None)]
    (line,) = run.daemon.events("timestamp_out_of_range")
    assert (line["level"], line["queue"], line["looks_like"]) == ("warning", queues.customer,
                                                                  looks_like)
    assert "Unix time in s:" in line["hint"]
    assert (run.metric("out_of_range"), run.metric("missing")) == (2, 0)
    assert "2 out of range, 0 missing" in run.line()
    assert run.daemon.events("timestamp_missing") == []


def test_a_queue_ordered_by_timestamp_tells_that_there_are_none(rabbitmq_server, db, queues,
                                                                watched):
    run = watched("timestamp")
    for name in ("first", "last"):
        rabbitmq_server.publish(queues.customer, _customer(name))
    rabbitmq_server.publish(queues.customer, b"not an object", timestamp=7)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [("last", None)]
    (line,) = run.daemon.events("timestamp_missing")
    assert (line["level"], line["queue"], line["order"]) == ("warning", queues.customer,
                                                             "timestamp")
    assert (run.metric("out_of_range"), run.metric("missing")) == (0, 2)
    assert "0 out of range, 2 missing" in run.line()


def test_nothing_is_told_where_nobody_asks_for_a_timestamp(rabbitmq_server, db, queues, watched):
    run = watched("delivery")
    rabbitmq_server.publish(queues.customer, _customer("first"))
    rabbitmq_server.publish(queues.customer, _customer("last"), timestamp=_T)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert (run.metric("out_of_range"), run.metric("missing")) == (0, 0)
    assert run.line() == f"[+]queue {queues.customer} consuming"
    assert run.daemon.events("timestamp_missing") == []


# ---- messages that may have come behind newer ones ----


def _dead_letter(broker: RabbitMQ, queue: str, body: bytes, timestamp: int | None) -> None:
    """Publish through a queue whose consumer rejects it, and whose dead letters go to the queue."""
    source = f"rejecting-{secrets.token_hex(4)}"
    broker.declare_queue(source, arguments={"x-dead-letter-exchange": "",
                                            "x-dead-letter-routing-key": queue})
    broker.publish(source, body, timestamp=timestamp)
    with broker.connect() as connection:
        channel = connection.channel()
        method, _, _ = channel.basic_get(source)
        assert method is not None
        channel.basic_reject(method.delivery_tag, requeue=False)
    broker.delete_queue(source)


@pytest.mark.parametrize(("timestamp", "shown", "stale", "missing"), [
    (_T - 100, ("new", _T), 1, 0), (_T, ("late", _T), 0, 0), (_T + 1, ("late", _T + 1), 0, 0),
    (None, ("late", None), 0, 1)])
def test_a_copy_from_a_dead_letter_queue_may_be_late(rabbitmq_server, db, queues, kopru, timestamp,
                                                     shown, stale, missing):
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, _customer("new"), timestamp=_T)
    rabbitmq_server.wait_until_empty(queues.customer)
    _dead_letter(rabbitmq_server, queues.customer, _customer("late"), timestamp)
    daemon.wait_for_event("late_message")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [shown]
    (line,) = daemon.events("late_message")
    assert (line["level"], line["queue"]) == ("warning", queues.customer)
    assert line["mark"].startswith("x-") and "death" in line["mark"]
    assert len(daemon.events("timestamp_missing")) == missing
    assert daemon.events("late_redelivery") == []
    assert _counts(daemon, queues.customer) == (1, stale)


def test_a_late_copy_is_late_among_redelivered_messages_too(rabbitmq_server, db, queues, kopru):
    """The newer one may have been committed before, or come in the same batch."""
    rabbitmq_server.publish(queues.customer, _customer("new"), timestamp=_T)
    _dead_letter(rabbitmq_server, queues.customer, _customer("late"), _T - 100)
    with rabbitmq_server.connect() as other:
        channel = other.channel()
        wait_until(lambda: rabbitmq_server.depth(queues.customer).ready == 2, 30, "the late copy")
        assert all(channel.basic_get(queues.customer)[0] is not None for _ in range(2))
    daemon = kopru()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [("new", _T)]
    assert _counts(daemon, queues.customer) == (1, 1)


@pytest.mark.parametrize(("priorities", "shown", "counts"), [
    ((None, 5), ("new", _T), (1, 1)),  # the second one was delivered first
    ((0, 1), ("new", _T), (1, 1)),
    ((4, 4), ("new", _T), (0, 0)),
    ((5, None), ("new", _T), (1, 0)),
])
def test_a_message_that_a_higher_priority_overtook_is_late(rabbitmq_server, db, kopru, priorities,
                                                           shown, counts):
    queue = f"customer-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(queue, arguments={"x-max-priority": 9})
    try:
        for name, timestamp, priority in zip(("old", "new"), (_T - 100, _T), priorities,
                                             strict=True):
            rabbitmq_server.publish(queue, _customer(name), timestamp=timestamp, priority=priority)
        daemon = kopru(queues=[{"name": queue, "entity": "customer"}])
        rabbitmq_server.wait_until_empty(queue)
        assert _shown(db) == [shown]
        assert [line["mark"] for line in daemon.events("late_message")] == ["priority"] * counts[0]
        assert _counts(daemon, queue) == counts
    finally:
        rabbitmq_server.delete_queue(queue)


def test_equal_priorities_are_in_order_and_clocks_are_not_asked(rabbitmq_server, db, queues, kopru):
    """As clients set one for every message, and on a queue that knows no priorities."""
    daemon = kopru()
    for name, timestamp in (("first", _T), ("second", _T - 100)):
        rabbitmq_server.publish(queues.customer, _customer(name), timestamp=timestamp, priority=4)
        rabbitmq_server.wait_until_empty(queues.customer)
    assert _shown(db) == [("second", _T - 100)]
    assert _counts(daemon, queues.customer) == (0, 0)


# ---- what the broker's plugins move ----


@pytest.fixture(scope="module")
def movers() -> Iterator[RabbitMQ]:
    """A broker with the plugins that move messages, and a virtual host from which they come."""
    with RabbitMQ() as broker:
        broker.enable_plugin("rabbitmq_shovel")
        broker.enable_plugin("rabbitmq_federation")
        broker.rabbitmqctl("add_vhost", "upstream")
        broker.rabbitmqctl("set_permissions", "-p", "upstream", "guest", ".*", ".*", ".*")
        yield broker


def _shovel(broker: RabbitMQ, source: str, queue: str, **settings: object) -> None:
    value = {"src-uri": broker.uri, "src-queue": source, "dest-uri": broker.uri,
             "dest-queue": queue, **settings}
    broker.rabbitmqctl("set_parameter", "shovel", source, json.dumps(value))


def _by_shovel(broker: RabbitMQ, queue: str, body: bytes, timestamp: int) -> None:
    broker.declare_queue(f"source-{queue}")
    broker.publish(f"source-{queue}", body, timestamp=timestamp)
    _shovel(broker, f"source-{queue}", queue, **{"add-forward-headers": True})


def _by_shovel_from_a_quorum_queue(broker: RabbitMQ, queue: str, body: bytes,
                                   timestamp: int) -> None:
    """Without headers of its own; but the quorum queue has delivered it before."""
    source = f"quorum-{queue}"
    broker.declare_queue(source, quorum=True)
    broker.publish(source, body, timestamp=timestamp)
    with broker.connect() as connection:
        channel = connection.channel()
        method, _, _ = channel.basic_get(source)
        assert method is not None
        channel.basic_nack(method.delivery_tag, requeue=True)
    _shovel(broker, source, queue)


def _by_federation(broker: RabbitMQ, queue: str, body: bytes, timestamp: int) -> None:
    upstream = broker.uri.replace("%2F", "upstream")
    exchange = f"fed-{queue}"
    broker.rabbitmqctl("set_parameter", "federation-upstream", "up", json.dumps({"uri": upstream}))
    broker.rabbitmqctl("set_policy", "fed", "^fed-", json.dumps({"federation-upstream": "up"}))
    with (broker.connect() as below,
          pika.BlockingConnection(pika.URLParameters(upstream)) as above):
        above.channel().exchange_declare(exchange, "fanout")
        channel = below.channel()
        channel.exchange_declare(exchange, "fanout")
        channel.queue_bind(queue, exchange)
        wait_until(lambda: exchange in broker.rabbitmqctl("list_bindings", "-p", "upstream",
                                                          "source_name"), 60, "the link")
        above.channel().basic_publish(exchange, "", body, pika.BasicProperties(timestamp=timestamp))


@pytest.mark.parametrize(("move", "mark"), [
    (_by_shovel, "x-shovelled"), (_by_shovel_from_a_quorum_queue, None),
    (_by_federation, "x-received-from")])
def test_a_message_that_was_moved_may_be_late(movers, db, kopru, move, mark):
    if mark is None:  # what a consumer gave back has no other count from RabbitMQ 4.3 on
        mark = "x-acquired-count" if movers.version >= (4, 3) else "x-delivery-count"
    queue = f"customer-{secrets.token_hex(4)}"
    movers.declare_queue(queue)
    daemon = kopru(amqp={"uri": movers.uri}, queues=[{"name": queue, "entity": "customer"}])
    movers.publish(queue, _customer("new"), timestamp=_T)
    movers.wait_until_empty(queue)
    move(movers, queue, _customer("late"), _T - 100)
    daemon.wait_for_event("late_message", 60)
    movers.wait_until_empty(queue)
    assert _shown(db) == [("new", _T)]
    assert [line["mark"] for line in daemon.events("late_message")] == [mark]
    assert _counts(daemon, queue) == (1, 1)
