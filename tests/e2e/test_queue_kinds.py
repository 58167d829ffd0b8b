"""Queues of a kind that breaks a promise, and queues that somebody else consumes, too: refused or
named, by the daemon and by kopru check.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.daemon import Kopru
from support.endpoint import Endpoint
from support.rabbitmq import RabbitMQ

OK, PROBLEMS = 0, 1
_QUICK = {"heartbeat": 1}  # the daemon asks once a heartbeat who else consumes


def _body(entity_id: str) -> bytes:
    return json.dumps({"id": entity_id}).encode()


def _declare(broker: RabbitMQ, name: str, kind: str) -> None:
    """Replace the queue by one of that kind."""
    broker.delete_queue(name)
    with broker.connect() as connection:
        connection.channel().queue_declare(name, durable=True, arguments={"x-queue-type": kind})


@contextmanager
def _foreign_consumer(broker: RabbitMQ, queue: str, **options: object) -> Iterator[None]:
    """Somebody else who consumes the queue, and takes nothing while no message comes."""
    with broker.connect() as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue, lambda *_: None, **options)
        yield


def _wait_until_applied(daemon: Kopru, db, table: str, count: int) -> None:
    daemon.wait_until(lambda: db.value(f"SELECT count(*) FROM kopru.{table}") == count, 30,
                      f"{count} rows of {table}")


# A stream: a subscription begins at its end, and nothing that is acknowledged leaves it.

def test_a_stream_is_refused_and_its_neighbour_consumed(rabbitmq_server, db, queues, kopru):
    _declare(rabbitmq_server, queues.customer, "stream")
    rabbitmq_server.publish_many(queues.customer, [_body(f"s{n}") for n in range(1, 6)])
    endpoint = Endpoint()
    daemon = kopru(start=False, http=endpoint.settings)
    daemon.launch()
    line = daemon.wait_for_event("broker_unavailable", count=2)[0]
    assert line["queue"] == queues.customer
    assert "stream" in line["hint"] and "classic or a quorum queue" in line["hint"], line
    endpoint.wait_until_readyz(
        daemon, 503, f"[+]queue {queues.subscription} consuming",
        f"[-]queue {queues.customer} not consuming: ", "rabbit_stream_queue")
    rabbitmq_server.publish(queues.customer, _body("s6"))
    rabbitmq_server.publish(queues.subscription, _body("neighbour"))
    _wait_until_applied(daemon, db, "subscriptions", 1)
    assert not [line for line in daemon.events("consuming") if line["queue"] == queues.customer]
    assert daemon.terminate() == 0
    assert db.value("SELECT count(*) FROM kopru.customers") == 0


def test_check_refuses_a_stream(rabbitmq_server, queues, check):
    _declare(rabbitmq_server, queues.customer, "stream")
    rabbitmq_server.publish(queues.customer, _body("s1"))
    report = check()
    problem = report.only_problem()
    assert report.status == PROBLEMS
    assert problem.subject == queues.customer
    assert "stream" in problem.hint


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_check_is_content_with_other_queues(rabbitmq_server, queues, check, kind):
    _declare(rabbitmq_server, queues.customer, kind)
    assert check().status == OK


# Somebody else who consumes the queue beside the holder of the lease.

@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_another_consumer_is_a_warning_a_figure_and_a_reason(rabbitmq_server, queues, kopru, kind):
    _declare(rabbitmq_server, queues.customer, kind)
    endpoint = Endpoint()
    daemon = kopru(amqp=_QUICK, http=endpoint.settings)
    key = "kopru_queue_other_consumers", queues.customer
    with _foreign_consumer(rabbitmq_server, queues.customer):
        (line,) = daemon.wait_for_event("other_consumers")
        assert (line["level"], line["queue"], line["others"]) == ("warning", queues.customer, 1)
        assert line["hint"]
        text = endpoint.wait_until_readyz(daemon, 200, f"[+]queue {queues.customer} consuming; ")
        assert re.search(rf"{queues.customer} consuming; .*1 other consumer", text)
        assert f"[+]queue {queues.subscription} consuming\n" in text
        assert endpoint.metrics()[key] == 1
        with _foreign_consumer(rabbitmq_server, queues.customer):
            daemon.wait_for_event("other_consumers", count=2)
    daemon.wait_for_event("other_consumers_gone")
    assert [line["others"] for line in daemon.events("other_consumers")] in ([1, 2], [1, 2, 1])
    assert endpoint.metrics()[key] == 0
    endpoint.wait_until_readyz(daemon, 200, f"[+]queue {queues.customer} consuming\n")


def test_another_consumer_is_noticed_under_load(rabbitmq_server, db, queues, kopru):
    """The daemon always has something unacknowledged; it asks all the same."""
    daemon = kopru(amqp=_QUICK, postgres={"lock_timeout": 60, "statement_timeout": 90},
                   shutdown_timeout=120)
    with db.admin() as connection, connection.transaction():
        connection.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        rabbitmq_server.publish(queues.customer, _body("held"))
        daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 1, 30,
                          "the message to be delivered")
        with _foreign_consumer(rabbitmq_server, queues.customer):
            daemon.wait_for_event("other_consumers")


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_another_single_active_consumer_is_noticed(rabbitmq_server, db, queues, kopru, kind):
    """It gets everything, and a quorum queue counts it alone."""
    rabbitmq_server.delete_queue(queues.customer)
    with rabbitmq_server.connect() as connection:
        connection.channel().queue_declare(
            queues.customer, durable=True,
            arguments={"x-queue-type": kind, "x-single-active-consumer": True})
    with _foreign_consumer(rabbitmq_server, queues.customer):
        daemon = kopru(amqp=_QUICK)
        (line,) = daemon.wait_for_event("other_consumers")
        assert (line["queue"], line["others"]) == (queues.customer, 1)
    rabbitmq_server.publish(queues.customer, _body("ours"))
    _wait_until_applied(daemon, db, "customers", 1)
    daemon.wait_for_event("other_consumers_gone")
    assert len(daemon.events("other_consumers")) == 1


def test_a_takeover_raises_no_alarm(rabbitmq_server, queues, kopru):
    """Neither the frozen predecessor nor the one that wakes up is another consumer; one that comes
    afterwards is noticed, which shows that the holder did look.
    """
    only = [{"name": queues.customer, "entity": "customer"}]
    first = kopru(queues=only, amqp=_QUICK)
    second = kopru(start=False, queues=only, amqp=_QUICK, log={"level": "debug"})
    second.launch()
    second.wait_for_event("standby")
    first.stop()
    try:
        second.wait_until_ready(60)
    finally:
        first.cont()
    first.wait_for_event("lease_lost")
    with _foreign_consumer(rabbitmq_server, queues.customer):
        (line,) = second.wait_for_event("other_consumers")
    assert line["others"] == 1
    second.wait_for_event("other_consumers_gone")
    assert len(second.events("other_consumers")) == 1
    assert not first.events("other_consumers")


def test_check_names_who_consumes_beside_the_daemon(rabbitmq_server, queues, kopru, check):
    kopru()
    assert check().status == OK
    with _foreign_consumer(rabbitmq_server, queues.customer):
        report = check()
    problem = report.only_problem()
    assert report.status == PROBLEMS
    assert problem.subject == queues.customer
    assert "2 consumers" in problem.why and "list_consumers" in problem.hint


def test_check_names_who_consumes_without_any_daemon(rabbitmq_server, queues, check):
    with _foreign_consumer(rabbitmq_server, queues.subscription):
        report = check()
    assert report.status == PROBLEMS
    assert report.only_problem().subject == queues.subscription
    assert check().status == OK


# Somebody else who has the queue for itself.

def test_an_exclusive_consumer_elsewhere_is_named(rabbitmq_server, queues, kopru, check):
    with _foreign_consumer(rabbitmq_server, queues.customer, exclusive=True):
        report = check()
        assert report.status == PROBLEMS
        assert report.only_problem().subject == queues.customer
        endpoint = Endpoint()
        daemon = kopru(start=False, http=endpoint.settings)
        daemon.launch()
        line = daemon.wait_for_event("broker_unavailable")[0]
        assert "in exclusive use" in line["why"]
        assert "list_consumers" in line["hint"] and "password" not in line["hint"]
        text = endpoint.wait_until_readyz(
            daemon, 503, f"[-]queue {queues.customer} not consuming: ", "in exclusive use")
        assert "list_consumers" in text
        # The daemon holds the lease, and still it is not the consumer.
        report = check()
        assert report.status == PROBLEMS
        assert report.only_problem().subject == queues.customer
    daemon.wait_until_ready(30)
    assert check().status == OK


def test_a_queue_that_belongs_to_another_connection_is_named(rabbitmq_server, queues, kopru, check):
    rabbitmq_server.delete_queue(queues.customer)
    with rabbitmq_server.connect() as connection:
        connection.channel().queue_declare(queues.customer, exclusive=True)
        report = check()
        assert report.status == PROBLEMS
        problem = report.only_problem()
        assert problem.subject == queues.customer and "exclusive" in problem.hint
        daemon = kopru(start=False)
        daemon.launch()
        line = daemon.wait_for_event("broker_unavailable")[0]
        assert line["queue"] == queues.customer and "405" in line["why"]
        assert "its owner" in line["hint"]
    rabbitmq_server.declare_queue(queues.customer)
    daemon.wait_until_ready(30)
