"""SIGTERM and SIGINT finish what was delivered, within shutdown_timeout, and leave nothing to be
redelivered.
"""

import json
import os
import secrets
import signal

import pytest
from support.amqp_frames import AmqpWatch
from support.database import DAEMON
from support.proxy import Proxy

_MESSAGES = 8000


def _publish_numbers(broker, queue, count=_MESSAGES):
    """Each about another customer, so that the table shows which were applied."""
    broker.publish_many(queue,
                        (json.dumps({"id": str(n), "name": "İ" * 20,
                                     "contactMedium": [{"mediumType": "PHONE"}]}).encode()
                                for n in range(count)))


def _take_rest(broker, queue):
    """Ids of what is still in the queue, and how many of these are flagged as redelivered."""
    ids, redelivered = set(), 0
    with broker.connect() as connection:
        channel = connection.channel()
        while True:
            method, _properties, body = channel.basic_get(queue)
            if method is None:
                return ids, redelivered
            ids.add(json.loads(body)["id"])
            redelivered += method.redelivered


def _applied(db):
    return {row[0] for row in db.query("SELECT customer_id FROM kopru.customers")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_leaves_no_redelivery(rabbitmq_server, db, queues, kopru, number):
    _publish_numbers(rabbitmq_server, queues.customer)
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "prefetch": 500}],
                   batch={"max_messages": 50})
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers") > 0, 30,
                      "the first rows")
    assert daemon.terminate(number) == 0
    rest, redelivered = _take_rest(rabbitmq_server, queues.customer)
    assert rest, "the signal came too late to test anything"
    assert redelivered == 0
    applied = _applied(db)
    assert not applied & rest
    assert applied | rest == {str(n) for n in range(_MESSAGES)}
    assert db.query("SELECT queue, holder FROM kopru.queues") == [(queues.customer, None)]
    assert db.value("SELECT last_commit_at IS NOT NULL AND last_message_at IS NOT NULL FROM "
                    "kopru.queues")
    assert daemon.events("stopped")[0]["status"] == 0


def test_an_idle_daemon_gives_its_queues_back(db, queues, kopru):
    daemon = kopru()
    assert db.value("SELECT count(holder) FROM kopru.queues") == 2
    assert daemon.terminate() == 0
    assert db.query("SELECT DISTINCT holder FROM kopru.queues") == [(None,)]


@pytest.fixture
def frozen(postgres_server, rabbitmq_server, db, queues, kopru):
    """frozen(timeout_s): a daemon with unacknowledged messages whose database does not answer any
    more."""
    stopped = []

    def make(shutdown_timeout):
        daemon = kopru(shutdown_timeout=shutdown_timeout,
                       postgres={"statement_timeout": 2, "lock_timeout": 1})
        _publish_numbers(rabbitmq_server, queues.customer, 10)
        rabbitmq_server.wait_until_empty(queues.customer)
        pids = [postgres_server.pid, *(pid for (pid,) in db.query(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s AND datname = %s", DAEMON,
            db.name))]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        _publish_numbers(rabbitmq_server, queues.customer, 1000)
        daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 1000, 30,
                          "messages to be delivered")
        return daemon

    def thaw():
        while stopped:
            os.kill(stopped.pop(), signal.SIGCONT)

    make.thaw = thaw
    yield make
    thaw()


def _require_nothing_lost(broker, db, queue, daemon):
    daemon.start()
    broker.wait_until_empty(queue)
    assert _applied(db) == {str(n) for n in range(1000)}
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert daemon.terminate() == 0


def test_a_frozen_database_does_not_keep_it_beyond_shutdown_timeout(rabbitmq_server, db, queues,
                                                                    frozen):
    daemon = frozen(4)
    daemon.send(signal.SIGTERM)
    assert daemon.wait_until_exit(4 + 5) == 1
    assert daemon.events("shutdown_timeout")
    frozen.thaw()
    _require_nothing_lost(rabbitmq_server, db, queues.customer, daemon)


def test_a_second_signal_ends_it_at_once(rabbitmq_server, db, queues, frozen):
    daemon = frozen(600)
    daemon.send(signal.SIGTERM)
    daemon.wait_for_event("stopping")
    daemon.send(signal.SIGTERM)
    assert daemon.wait_until_exit(10) == 1
    frozen.thaw()
    _require_nothing_lost(rabbitmq_server, db, queues.customer, daemon)


def test_a_signal_while_nothing_answers_ends_it_cleanly(kopru):
    """Neither server is there: nothing was delivered, so there is nothing to wait for."""
    daemon = kopru(start=False, amqp={"uri": "amqp://guest:guest@127.0.0.1:1/%2f"},
                   postgres={"conninfo": "host=127.0.0.1 port=1 dbname=none"})
    daemon.launch()
    daemon.wait_for_event("database_unavailable")
    assert daemon.terminate() == 0


def test_a_signal_while_another_instance_has_the_queue_ends_it_at_once(queues, kopru):
    kopru()
    standby = kopru(start=False, log={"level": "debug"})
    standby.launch()
    standby.wait_for_event("standby", count=2)
    assert standby.terminate(deadline_s=10) == 0


def test_stops_on_a_quorum_queue_leave_its_order(rabbitmq_server, db, kopru):
    """RabbitMQ 3.10 returns what is under way to a cancelled consumer in any order: nothing may be
    under way then.
    """
    queue = f"customer-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(queue, quorum=True, arguments={"x-delivery-limit": 1000})
    rabbitmq_server.publish_many(queue,
                                 (json.dumps({"id": str(n % 50), "name": str(n)}).encode()
                                  for n in range(2 * _MESSAGES)))
    watch = AmqpWatch()
    try:
        with Proxy(rabbitmq_server.port, tap=watch.tap) as proxy:
            daemon = kopru(start=False,
                           queues=[{"name": queue, "entity": "customer", "prefetch": 500}],
                           amqp={"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F"})
            for _ in range(3):
                before = len(watch.deliveries())
                daemon.launch()
                daemon.wait_until(lambda: len(watch.deliveries()) > before + 600, 60,
                                  "deliveries under load")
                assert daemon.terminate() == 0
            deliveries = watch.deliveries()
            assert not rabbitmq_server.depth(queue).is_empty, "stopped in the middle of the work"
            assert [int(json.loads(delivery.body)["name"])
                    for delivery in deliveries] == list(range(len(deliveries)))
    finally:
        rabbitmq_server.delete_queue(queue)
