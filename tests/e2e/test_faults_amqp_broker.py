"""What an operator or the broker itself does to the consumer: it is noticed, said, and waited for,
and work goes on alone.
"""

import itertools
import json
import secrets
from collections.abc import Iterator

import pika
import pytest
from support import history
from support.amqp_frames import BASIC_CANCEL, CHANNEL_CLOSE, AmqpWatch
from support.proxy import Proxy


def _customers(numbers):
    return [json.dumps({"id": f"c{number}", "name": f"Customer {number}"}).encode()
            for number in numbers]


def _wait_until_applied(daemon, broker, db, queue, count, deadline_s=60):
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers") == count, deadline_s,
                      f"{count} customers")
    daemon.wait_until(lambda: broker.depth(queue).is_empty, deadline_s, "the queue to be empty")


class _Watch(AmqpWatch):
    """Also notes the subscriptions that the broker ends: the text with which it closes the channel,
    or None where it cancels the consumer.
    """

    def __init__(self):
        super().__init__()
        self.ends = []
        self.stop_at(self._note)

    def _note(self, frame):
        if not frame.is_from_client and frame.method == CHANNEL_CLOSE:
            self.ends.append(frame.payload[7:7 + frame.payload[6]].decode())
        if not frame.is_from_client and frame.method == BASIC_CANCEL:
            self.ends.append(None)
        return False


def _cancels_at_a_timeout(broker):
    return broker.version >= (4, 3)


@pytest.fixture(params=["classic", "quorum"])
def timed(rabbitmq_server, short_consumer_timeout, request) -> Iterator[str]:
    """A queue with a short consumer timeout."""
    if request.param == "classic" and _cancels_at_a_timeout(rabbitmq_server):
        pytest.skip("from RabbitMQ 4.3 on a classic queue has no consumer timeout")
    name = f"timed-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(name, quorum=request.param == "quorum")
    yield name
    rabbitmq_server.delete_queue(name)


def test_the_database_is_away_for_longer_than_the_consumer_timeout(
        rabbitmq_server, postgres_server, db, timed, kopru):
    """The broker ends the subscription once, and there is no other until the database is back:
    deliveries count.
    """
    watch = _Watch()
    with Proxy(rabbitmq_server.port, tap=watch.tap) as proxy:
        daemon = kopru(amqp={"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F"},
                       queues=[{"name": timed, "entity": "customer"}])
        postgres_server.stop()
        try:
            rabbitmq_server.publish_many(timed, _customers(range(20)))
            (line, *_) = daemon.wait_for_event("broker_unavailable")
            if _cancels_at_a_timeout(rabbitmq_server):
                assert "basic.cancel" in line["why"] and "consumer timeout" in line["hint"], line
            else:
                assert "406" in line["why"] and "consumer_timeout" in line["hint"], line
            daemon.wait_until(lambda: rabbitmq_server.depth(timed).ready == 20, 30,
                              "all to be back in the queue")
            seen = len(daemon.events("database_unavailable"))
            daemon.wait_for_event("database_unavailable", count=seen + 2)
            assert rabbitmq_server.depth(timed).consumers == 0
        finally:
            postgres_server.start()
        _wait_until_applied(daemon, rabbitmq_server, db, timed, 20)
        assert len(watch.ends) == 1
        assert len(watch.deliveries()) == 40
        assert daemon.terminate() == 0


def test_subscriptions_that_the_broker_ends(rabbitmq_server, db, timed, kopru):
    """The database answers, only a lock is in the way: each timeout ends one subscription. No tag
    of it is used in the next one.
    """
    watch = _Watch()
    with Proxy(rabbitmq_server.port, tap=watch.tap) as proxy, db.admin() as blocker:
        daemon = kopru(amqp={"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F"},
                       queues=[{"name": timed, "entity": "customer"}],
                       postgres={"lock_timeout": 1, "statement_timeout": 2})
        with blocker.transaction():
            blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            rabbitmq_server.publish_many(timed, _customers(range(20)))
            daemon.wait_until(lambda: len(watch.ends) >= 2, 60, "two timeouts")
        _wait_until_applied(daemon, rabbitmq_server, db, timed, 20)
        if _cancels_at_a_timeout(rabbitmq_server):
            assert set(watch.ends) == {None}
        else:
            assert all("timed out" in text for text in watch.ends), watch.ends
        assert len(watch.deliveries()) <= 20 * (len(watch.ends) + 1)
        assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def test_a_timeout_while_younger_messages_are_unacknowledged(rabbitmq_server, db, timed, kopru):
    """From 4.3 on those for which the timeout is over come back first, then the others: together
    they are in order even so, and no older state shows.
    """
    history.install(db)
    watch, number = _Watch(), itertools.count()

    def publish():
        rabbitmq_server.publish_many(timed, [
            json.dumps({"id": f"c{n % 7}", "name": f"Customer {n}"}).encode()
            for n in itertools.islice(number, 10)])

    def ended(count):
        publish()
        return len(watch.ends) >= count

    with Proxy(rabbitmq_server.port, tap=watch.tap) as proxy, db.admin() as blocker:
        daemon = kopru(amqp={"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F"},
                       queues=[{"name": timed, "entity": "customer"}],
                       postgres={"lock_timeout": 1, "statement_timeout": 2})
        for _ in range(3):
            with blocker.transaction():
                blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
                daemon.wait_until(lambda due=len(watch.ends) + 1: ended(due), 60, "a timeout")
                daemon.wait_for_event("consuming", count=len(watch.ends) + 1)
            daemon.wait_until(lambda: rabbitmq_server.depth(timed).is_empty, 60,
                              "the queue to be empty")
    last = next(number) - 1
    assert {name for (name,) in db.query("SELECT name FROM kopru.customers")} == {
        f"Customer {n}" for n in range(last - 6, last + 1)}
    assert history.steps_back(db) == []
    assert daemon.terminate() == 0


def test_a_purged_queue(rabbitmq_server, db, queues, kopru):
    """What was delivered is applied, what was purged is gone, and what comes next is taken."""
    with db.admin() as blocker:
        daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "prefetch": 5}])
        with blocker.transaction():
            blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            rabbitmq_server.publish_many(queues.customer, _customers(range(20)))
            daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 5, 30,
                              "a full prefetch")
            rabbitmq_server.purge(queues.customer)
    _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 5)
    rabbitmq_server.publish_many(queues.customer, _customers([100]))
    _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 6)
    assert not daemon.events("broker_unavailable")


def test_what_an_operator_takes_away_at_the_broker(rabbitmq_server, db, queues, kopru, tmp_path):
    """A password that was changed, with the file following later; connections closed; the vhost
    deleted and made again.
    """
    name = f"erp-{secrets.token_hex(4)}"
    ctl = rabbitmq_server.rabbitmqctl
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("first\n", encoding="utf-8")

    def make_vhost():
        ctl("add_vhost", name)
        ctl("set_permissions", "-p", name, name, ".*", ".*", ".*")

    def publish(number):
        login = f"{name}:{password.read_text().strip()}"
        uri = f"amqp://{login}@127.0.0.1:{rabbitmq_server.port}/{name}"
        with pika.BlockingConnection(pika.URLParameters(uri)) as connection:
            channel = connection.channel()
            channel.queue_declare("q", durable=True)
            channel.confirm_delivery()
            channel.basic_publish("", "q", *_customers([number]))

    def applied(number):
        daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers WHERE "
                                           "customer_id = %s", f"c{number}") == 1,
                          60, f"customer {number}")

    ctl("add_user", name, "first")
    make_vhost()
    try:
        publish(1)
        daemon = kopru(amqp={"uri": f"amqp://{name}@127.0.0.1:{rabbitmq_server.port}/{name}",
                             "password_file": str(password)},
                       queues=[{"name": "q", "entity": "customer"}])
        applied(1)

        ctl("change_password", name, "second")
        ctl("close_all_connections", "-p", name, "out for maintenance")
        lines = daemon.wait_for_event("broker_unavailable", count=3)
        assert "320 CONNECTION_FORCED - out for maintenance" in lines[0]["why"]
        assert "403 ACCESS_REFUSED" in lines[1]["why"]
        assert lines[2]["retry_ms"] > lines[0]["retry_ms"]
        password.write_text("second\n", encoding="utf-8")
        publish(2)
        applied(2)

        ctl("delete_vhost", name)
        seen = len(daemon.events("broker_unavailable"))
        lines = daemon.wait_for_event("broker_unavailable", count=seen + 2)
        assert "530 NOT_ALLOWED" in lines[-1]["why"] or "vhost" in lines[-1]["why"], lines[-1]
        assert "vhost" in lines[-1]["hint"] + lines[-1]["why"]
        make_vhost()
        publish(3)
        applied(3)
        assert daemon.terminate() == 0
        assert "first" not in daemon.stderr_text()
        assert "second" not in daemon.stderr_text()
    finally:
        ctl("delete_user", name)
        ctl("delete_vhost", name)


def test_a_crash_loop_against_a_delivery_limit(rabbitmq_server, db, queues, kopru):
    """A quorum queue gives up on messages that crash their consumer. With a dead-letter exchange
    none of them is lost.
    """
    queue, refuge = f"limited-{secrets.token_hex(4)}", f"refuge-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(refuge)
    rabbitmq_server.declare_queue(queue, quorum=True, arguments={
        "x-delivery-limit": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": refuge})
    try:
        rabbitmq_server.publish_many(queue, _customers(range(20)))
        with db.admin() as blocker, blocker.transaction():
            blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            for _ in range(3):
                daemon = kopru(queues=[{"name": queue, "entity": "customer"}])
                daemon.wait_until(lambda: rabbitmq_server.depth(queue).unacked == 20, 30,
                                  "all to be delivered")
                daemon.kill9()
                daemon.release()
        daemon = kopru(queues=[{"name": queue, "entity": "customer"}])
        daemon.wait_until(lambda: rabbitmq_server.depth(refuge).ready
                          + db.value("SELECT count(*) FROM kopru.customers") == 20,
                          60, "all to be in the refuge or in the table")
        assert rabbitmq_server.depth(refuge).ready == 20
        assert rabbitmq_server.depth(queue).is_empty
    finally:
        rabbitmq_server.delete_queue(queue)
        rabbitmq_server.delete_queue(refuge)
