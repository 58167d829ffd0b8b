"""The consumer on a real broker: what it delivers, and what it says when something is taken away
from it.

build/tests/amqp_probe makes one call a line and answers each with one JSON object.
"""

import datetime
import decimal
import itertools
import json
import os
import secrets
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.amqp_frames import QUEUE_DECLARE_OK, AmqpWatch
from support.daemon import binary
from support.process import free_port
from support.proxy import Proxy
from support.rabbitmq import Publisher, RabbitMQ
from support.wait import patience, wait_until

UNAVAILABLE = 69
PERMISSION = 77
PROBLEMS = 1
_ANSWER_DEADLINE_S = 60


class Probe:
    """One consumer. Arguments are fields of struct amqp_endpoint."""

    def __init__(self, **endpoint: object):
        self._process = subprocess.Popen(
            [binary().parent / "tests" / "amqp_probe",
             *(f"{name}={value}" for name, value in endpoint.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.opened = self._read("open")

    def _read(self, line: str) -> dict:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _ANSWER_DEADLINE_S * patience())
        assert ready, f"{line!r} does not return"
        answer = self._process.stdout.readline()
        assert answer, f"the probe ended in {line!r} with {self._process.wait()}"
        return json.loads(answer)

    def begin(self, line: str) -> Callable[[], dict]:
        """Make a call and come back before it ends; the result gives its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        return lambda: self._read(line)

    def __call__(self, line: str) -> dict:
        return self.begin(line)()

    def take(self, count: int) -> list[dict]:
        deliveries = [self("next 30000") for _ in range(count)]
        assert all("tag" in delivery for delivery in deliveries), deliveries
        return deliveries

    def close(self) -> None:
        """The polite end; a sanitizer's report makes it fail."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        code = self._process.wait(_ANSWER_DEADLINE_S * patience())
        self._process.stdout.close()
        assert code == (0 if "ok" in self.opened else 1)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def queue(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    name = f"probe-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(name)
    yield name
    if not rabbitmq_server.is_running():
        rabbitmq_server.start()
    rabbitmq_server.delete_queue(name)


@pytest.fixture
def open_probe(rabbitmq_server: RabbitMQ) -> Iterator[Callable[..., Probe]]:
    """Opens consumers on the broker; at the end each must have closed in order."""
    made: list[Probe] = []

    def make(**endpoint: object) -> Probe:
        made.append(Probe(**{"uri": rabbitmq_server.uri, **endpoint}))
        return made[-1]

    try:
        yield make
        for probe in made:
            probe.close()
    finally:
        for probe in made:
            probe.kill()


@pytest.fixture
def probe(open_probe: Callable[..., Probe], queue: str) -> Probe:
    """One that is subscribed to the queue with a prefetch of 100 and a heartbeat of one second."""
    return _subscribed(open_probe(heartbeat_s=1), queue)


@pytest.fixture
def patient_probe(open_probe: Callable[..., Probe], queue: str) -> Probe:
    """The same for a test that does something slow before the next call, without heartbeats."""
    return _subscribed(open_probe(heartbeat_s=60), queue)


def _subscribed(probe: Probe, queue: str) -> Probe:
    assert probe.opened == {"ok": 0}
    assert probe(f"subscribe {queue} 100") == {"ok": 0}
    return probe


def test_what_a_message_brings(rabbitmq_server: RabbitMQ, probe: Probe, queue: str) -> None:
    headers = {
        "text": "İstanbul", "binary": b"\xff\x00", "int": -5, "big": 2**62,
        "decimal": decimal.Decimal("12.5"), "yes": True, "nothing": None,
        "time": datetime.datetime(2021, 8, 13, tzinfo=datetime.timezone.utc),
        "list": [1, "a", {"deep": [None]}],
    }
    rabbitmq_server.publish(queue, b'{"id":"1"}', content_type="application/json", message_id="m-1",
                            timestamp=1628812800,
                            headers=headers, correlation_id="c", priority=3, app_id="erp")
    rabbitmq_server.publish(queue, b"")

    assert probe("next 30000") == {
        "tag": 1, "redelivered": False, "body_bytes": 10, "body": '{"id":"1"}',
        "bytes": pytest.approx(600, abs=300),
        "timestamp": 1628812800, "content_type": "application/json", "message_id": "m-1",
        "properties": {
            "exchange": "", "routing_key": queue, "delivery_mode": 2, "priority": 3,
            "timestamp": 1628812800,
            "correlation_id": "c", "app_id": "erp",
            "headers": {**headers, "binary": "base64:/wA=", "decimal": 12.5, "time": 1628812800},
        },
    }
    bare = probe("next 30000")
    assert (bare["body"], bare["content_type"], bare["message_id"]) == ("", None, None)
    assert bare["properties"] == {"exchange": "", "routing_key": queue, "delivery_mode": 2}
    assert "timestamp" not in bare


def test_a_look_at_the_queue(rabbitmq_server: RabbitMQ, open_probe: Callable[..., Probe],
                             queue: str) -> None:
    watcher = open_probe()
    assert watcher(f"inspect {queue}") == {"messages": 0, "consumers": 0}
    rabbitmq_server.publish_many(queue, [b"1", b"2"])
    assert watcher(f"inspect {queue}") == {"messages": 2, "consumers": 0}
    consumer = open_probe()
    assert consumer(f"subscribe {queue} 10") == {"ok": 0}
    consumer.take(2)
    assert watcher(f"inspect {queue}") == {"messages": 0, "consumers": 1}


def test_a_question_is_answered_between_deliveries(
        rabbitmq_server: RabbitMQ, open_probe: Callable[..., Probe], queue: str) -> None:
    rabbitmq_server.publish_many(queue, [b"1", b"2", b"3"])
    probe = open_probe()
    assert probe(f"subscribe {queue} 1") == {"ok": 0}
    assert probe("ask") == {"ok": 0}
    assert probe("answered") == {"messages": None}
    probe.take(1)
    assert probe("next 1000") == {"ok": 0}
    assert probe("answered") == {"messages": 2, "consumers": 1}
    assert probe("answered") == {"messages": None}


def test_the_answer_to_an_older_question_does_not_count(
        rabbitmq_server: RabbitMQ, open_probe: Callable[..., Probe], queue: str) -> None:
    with Proxy(rabbitmq_server.port, tap=(watch := AmqpWatch()).tap) as proxy:
        probe = open_probe(uri=f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F")
        assert probe(f"subscribe {queue} 1") == {"ok": 0}
        answers = itertools.count()
        second = watch.stop_at(lambda frame: frame.method == QUEUE_DECLARE_OK
                               and next(answers) == 1)
        assert [probe("ask"), probe("ask")] == [{"ok": 0}] * 2
        second.wait()
        assert probe("next 100") == {"ok": 0}
        assert probe("answered") == {"messages": None}
        second.release()
        assert probe("next 30000") == {"ok": 0}
        assert probe("answered") == {"messages": 0, "consumers": 1}
        probe.close()


def test_acknowledged_up_to_a_tag(rabbitmq_server: RabbitMQ, probe: Probe,
                                  open_probe: Callable[..., Probe], queue: str) -> None:
    rabbitmq_server.publish_many(queue, [b"%d" % number for number in range(10)])
    taken = probe.take(10)
    assert [(one["tag"], one["body"], one["redelivered"])
            for one in taken] == [(n + 1, str(n), False) for n in range(10)]
    assert probe("ack 6") == {"ok": 0}
    wait_until(lambda: rabbitmq_server.depth(queue).unacked == 4, 30,
               "six messages to be acknowledged")
    probe.close()
    wait_until(lambda: rabbitmq_server.depth(queue).ready == 4, 30, "four messages to be back")

    second = open_probe()
    second(f"subscribe {queue} 10")
    assert [(one["body"], one["redelivered"]) for one in second.take(4)] == [(str(n), True)
                                                                             for n in range(6, 10)]


def test_prefetch_is_the_most_that_comes_unacknowledged(
        rabbitmq_server: RabbitMQ, open_probe: Callable[..., Probe], queue: str) -> None:
    rabbitmq_server.publish_many(queue, [b"x"] * 10)
    probe = open_probe()
    probe(f"subscribe {queue} 3")
    last = probe.take(3)[-1]
    assert rabbitmq_server.depth(queue).unacked == 3
    assert probe("next 0") == {"ok": 0}
    probe(f"ack {last['tag']}")
    probe.take(3)


@pytest.mark.parametrize("size", [1, 131064, 131065, 1_000_000, 16_000_000])
def test_bodies_of_one_and_of_many_frames(rabbitmq_server: RabbitMQ, probe: Probe, queue: str,
                                          size: int) -> None:
    rabbitmq_server.publish_many(queue, [b"a" * size, b"after"])
    first, second = probe.take(2)
    assert first["body_bytes"] == size
    assert second["body"] == "after"
    assert probe("ack 2") == {"ok": 0}


def test_many_messages(rabbitmq_server: RabbitMQ, patient_probe: Probe, queue: str) -> None:
    rabbitmq_server.publish_many(queue, (b"%0200d" % number for number in range(20000)))
    assert patient_probe("consume 20000") == {"taken": 20000, "bytes": 4_000_000}
    rabbitmq_server.wait_until_empty(queue)


def test_cancellation_delivers_what_was_sent(rabbitmq_server: RabbitMQ, probe: Probe,
                                             queue: str) -> None:
    rabbitmq_server.publish_many(queue, [b"%d" % number for number in range(50)])
    wait_until(lambda: rabbitmq_server.depth(queue).unacked == 50, 30, "all to be on their way")
    assert probe("cancel") == {"ok": 0}
    rabbitmq_server.publish_many(queue, [b"too late"])
    last = probe.take(50)[-1]
    assert last["body"] == "49"
    assert probe("next 0") == {"ok": 0}
    assert probe("ack 50") == {"ok": 0}
    wait_until(lambda: rabbitmq_server.depth(queue).unacked == 0, 30, "all to be acknowledged")
    assert rabbitmq_server.depth(queue).ready == 1
    assert rabbitmq_server.depth(queue).consumers == 0
    assert probe("cancel") == {"ok": 0}
    assert probe("next 100") == {"ok": 0}
    assert probe(f"subscribe {queue} 1") == {"ok": 0}
    assert probe.take(1)[0]["body"] == "too late"


@pytest.mark.parametrize("call", ["idle 6000", "next 6000"])
def test_heartbeats_keep_an_idle_connection(rabbitmq_server: RabbitMQ, probe: Probe, queue: str,
                                            call: str) -> None:
    assert probe("heartbeat") == {"ok": 1}
    assert probe(call) == {"ok": 0}  # three times what the broker tolerates
    rabbitmq_server.publish(queue, b"still here")
    assert probe.take(1)[0]["body"] == "still here"


def test_heartbeats_while_deliveries_wait_unread(rabbitmq_server: RabbitMQ, probe: Probe,
                                                 queue: str) -> None:
    rabbitmq_server.publish_many(queue, [b"x" * 1000] * 100)
    for _ in range(20):  # the library never runs out of what it has read
        probe.take(1)
        assert probe("idle 300") == {"ok": 0}
    assert probe("ack 20") == {"ok": 0}
    wait_until(lambda: rabbitmq_server.depth(queue).unacked == 80, 30, "twenty to be acknowledged")


@pytest.mark.parametrize("call", ["next 60000", "idle 60000"])
def test_waiting_ends_when_the_descriptor_is_readable(probe: Probe, call: str) -> None:
    assert probe("wake") == {"ok": 0}
    assert probe(call) == {"ok": 0}


def test_deliveries_come_before_the_descriptor(rabbitmq_server: RabbitMQ, probe: Probe,
                                               queue: str) -> None:
    rabbitmq_server.publish_many(queue, [b"1", b"2"])
    wait_until(lambda: rabbitmq_server.depth(queue).unacked == 2, 30, "both to be on their way")
    probe("wake")
    assert probe("next 60000")["body"] == "1"
    assert probe("next 60000")["body"] == "2"
    assert probe("next 60000") == {"ok": 0}


def assert_lost(answer: dict, *words: str) -> None:
    assert answer.get("error") == UNAVAILABLE, answer
    for word in words:
        assert word in answer["what"] + answer["subject"] + answer["why"] + answer["hint"], answer


def assert_dead(probe: Probe) -> None:
    """After an error every call fails at once."""
    for call in ("next 60000", "idle 60000", "ack 1", "cancel", "inspect q", "subscribe q 1"):
        assert probe(call).get("error") == UNAVAILABLE, call


@pytest.mark.parametrize("call", ["next 60000", "idle 60000"])
def test_killed_broker(rabbitmq_server: RabbitMQ, probe: Probe, call: str) -> None:
    answer = probe.begin(call)
    rabbitmq_server.kill9()
    assert_lost(answer(), "lost the connection",
                f"amqp://guest@127.0.0.1:{rabbitmq_server.port}/%2F")
    assert_dead(probe)
    rabbitmq_server.start()


@pytest.mark.parametrize("call", ["next 60000", "idle 60000"])
def test_connection_closed_by_an_operator(rabbitmq_server: RabbitMQ, probe: Probe,
                                          call: str) -> None:
    answer = probe.begin(call)
    rabbitmq_server.rabbitmqctl("close_all_connections", "out for maintenance")
    assert_lost(answer(), "lost the connection", "320 CONNECTION_FORCED", "out for maintenance")
    assert_dead(probe)


def test_deleted_queue(rabbitmq_server: RabbitMQ, probe: Probe, queue: str) -> None:
    answer = probe.begin("next 60000")
    rabbitmq_server.delete_queue(queue)
    lost = answer()
    assert_lost(lost, "ended the subscription", queue, "basic.cancel")
    assert "was deleted" in lost["hint"] and "consumer timeout" in lost["hint"], lost
    assert_dead(probe)


def test_unknown_tag(rabbitmq_server: RabbitMQ, probe: Probe, queue: str) -> None:
    rabbitmq_server.publish(queue, b"x")
    probe.take(1)
    assert probe("ack 99") == {"ok": 0}  # handed to the kernel
    assert_lost(probe("next 60000"), "406 PRECONDITION_FAILED", queue)
    assert_dead(probe)


def test_frozen_broker(rabbitmq_server: RabbitMQ, probe: Probe) -> None:
    answer = probe.begin("next 60000")
    os.kill(rabbitmq_server.pid, signal.SIGSTOP)
    try:
        assert_lost(answer(), "nothing came from the broker for two heartbeats")
        assert_dead(probe)
    finally:
        os.kill(rabbitmq_server.pid, signal.SIGCONT)


def test_frozen_broker_does_not_answer(rabbitmq_server: RabbitMQ, open_probe: Callable[..., Probe],
                                       queue: str) -> None:
    probe = open_probe(rpc_timeout_ms=3000)  # enough for the login
    os.kill(rabbitmq_server.pid, signal.SIGSTOP)
    try:
        assert_lost(probe(f"inspect {queue}"), "did not answer in time")
        assert_lost(open_probe(connect_timeout_ms=500).opened, "cannot log in",
                    "did not answer in time")
    finally:
        os.kill(rabbitmq_server.pid, signal.SIGCONT)


def test_interrupted_by_another_thread(probe: Probe) -> None:
    assert_lost(probe("interrupted 200"), "was interrupted")
    assert_dead(probe)


def test_alarm_of_the_broker_does_not_stop_a_consumer(rabbitmq_server: RabbitMQ,
                                                      patient_probe: Probe,
                                                      queue: str) -> None:
    with Publisher(rabbitmq_server) as publisher:
        publisher.publish(queue, b"before")
        rabbitmq_server.rabbitmqctl("set_vm_memory_high_watermark", "0.00000001")
        try:
            assert patient_probe.take(1)[0]["body"] == "before"
            assert patient_probe("next 1000") == {"ok": 0}
            assert patient_probe("ack 1") == {"ok": 0}
            wait_until(lambda: rabbitmq_server.depth(queue).is_empty, 30, "the acknowledgement")
        finally:
            rabbitmq_server.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
        publisher.publish(queue, b"after")
    assert patient_probe.take(1)[0]["body"] == "after"


def test_missing_queue(open_probe: Callable[..., Probe]) -> None:
    for call in ("inspect nowhere", "subscribe nowhere 1"):
        probe = open_probe()
        answer = probe(call)
        assert answer["error"] == PROBLEMS
        assert answer["subject"] == "nowhere"
        assert "404 NOT_FOUND - no queue 'nowhere' in vhost '/'" in answer["why"]
        assert_dead(probe)


def test_refused_login(rabbitmq_server: RabbitMQ, open_probe: Callable[..., Probe]) -> None:
    host = f"127.0.0.1:{rabbitmq_server.port}"
    answer = open_probe(uri=f"amqp://guest:hunter2@{host}").opened
    assert answer["error"] == PERMISSION
    assert "403 ACCESS_REFUSED" in answer["why"]
    assert "hunter2" not in json.dumps(answer)

    answer = open_probe(uri=f"amqp://guest:guest@{host}/nowhere").opened
    assert answer["error"] == PERMISSION
    assert "530 NOT_ALLOWED - vhost nowhere not found" in answer["why"]
    assert "exists" in answer["hint"]

    answer = open_probe(uri=f"amqp://guest:guest@{host}/").opened
    assert answer["error"] == PERMISSION
    assert "leave out the slash at the end of amqp.uri" in answer["hint"]


def test_password_file(rabbitmq_server: RabbitMQ, open_probe: Callable[..., Probe], tmp_path: Path,
                       queue: str) -> None:
    path = tmp_path / "password"
    path.write_text("guest\n", encoding="utf-8")
    path.chmod(0o600)
    probe = open_probe(uri=f"amqp://guest@127.0.0.1:{rabbitmq_server.port}",
                       password_file=str(path))
    assert probe(f"inspect {queue}") == {"messages": 0, "consumers": 0}


def test_nobody_listens(open_probe: Callable[..., Probe]) -> None:
    for host, address in (("127.0.0.1", "127.0.0.1"), ("localhost", "")):
        port = free_port()
        answer = open_probe(uri=f"amqp://guest:guest@{host}:{port}").opened
        assert_lost(answer, f"amqp://guest@{host}:{port}/%2F", f"{address}: Connection refused")
    assert_lost(open_probe(uri="amqp://guest:guest@host.invalid").opened, "cannot resolve",
                "host.invalid")
