"""What the network and a broken broker do to the AMQP connection: it ends in bounded time, and
nothing is lost or applied twice.
"""

import json
import struct
import threading

import pytest
from support.amqp_frames import (BASIC_ACK, BASIC_DELIVER, BODY, CONNECTION_CLOSE, HEADER, METHOD,
                                 AmqpWatch, FrameSplitter)
from support.proxy import Proxy


def _through(proxy, **more):
    return {"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F", "heartbeat": 1,
            "rpc_timeout": 2, **more}


def _customers(numbers):
    return [json.dumps({"id": f"c{number}", "name": f"Customer {number}"}).encode()
            for number in numbers]


def _wait_until_applied(daemon, broker, db, queue, count, deadline_s=60):
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers") == count, deadline_s,
                      f"{count} customers")
    daemon.wait_until(lambda: broker.depth(queue).is_empty, deadline_s, "the queue to be empty")


class _Tap:
    """Passes everything; a test replaces one direction."""

    def to_server(self, data):
        yield data

    def to_client(self, data):
        yield data


def test_killed_in_the_middle_of_an_acknowledgement(rabbitmq_server, db, queues, kopru):
    half_sent = threading.Event()

    class HalfAck(_Tap):
        def __init__(self):
            self.frames = FrameSplitter(True)

        def to_server(self, data):
            for frame in self.frames.feed(data):
                if frame.method == BASIC_ACK:
                    yield frame.raw[:10]
                    half_sent.set()
                    threading.Event().wait()  # the rest never comes
                yield frame.raw

    rabbitmq_server.publish_many(queues.customer, _customers(range(100)))
    with Proxy(rabbitmq_server.port, tap=HalfAck) as proxy:
        daemon = kopru(amqp=_through(proxy, heartbeat=20), batch={"max_messages": 10})
        daemon.wait_until(half_sent.is_set, 30, "half an acknowledgement")
        daemon.kill9()
        proxy.cut()
    depth = rabbitmq_server.depth(queues.customer)
    assert depth.ready + depth.unacked == 100
    daemon = kopru()
    _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 100)
    assert db.value("SELECT count(*) FROM kopru.customers WHERE created_at <> updated_at") == 0
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def test_a_stall_in_the_middle_of_a_body(rabbitmq_server, db, queues, kopru):
    watch = AmqpWatch()
    with Proxy(rabbitmq_server.port, tap=watch.tap) as proxy:
        daemon = kopru(amqp=_through(proxy))
        stop = watch.stop_at(lambda frame: not frame.is_from_client and frame.kind == BODY)
        rabbitmq_server.publish_many(queues.customer, _customers(range(10)))
        stop.wait()
        (lost, *_) = daemon.wait_for_event("broker_unavailable")
        assert "two heartbeats" in lost["why"]
        stop.release()
        _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 10)
        watch.release_all()


def test_a_broker_that_stops_reading(rabbitmq_server, db, queues, kopru):
    """Acknowledgements and heartbeats pile up on the way. The broker's side of it believes in us,
    ours goes on hearing it.
    """
    reading = threading.Event()
    reading.set()
    held = threading.Event()

    class Deaf(_Tap):
        def __init__(self):
            self.frames = FrameSplitter(True)

        def to_server(self, data):
            for frame in self.frames.feed(data):
                if frame.method == BASIC_ACK and not reading.is_set():
                    held.set()
                    reading.wait()
                yield frame.raw

    with Proxy(rabbitmq_server.port, tap=Deaf) as proxy:
        daemon = kopru(amqp=_through(proxy))
        reading.clear()
        rabbitmq_server.publish_many(queues.customer, _customers(range(100)))
        daemon.wait_until(held.is_set, 30, "an acknowledgement that is not read")
        daemon.wait_for_event("broker_unavailable")
        reading.set()
        _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 100)


def _wrong_end(raw):
    return raw[:-1] + b"\0"


def _oversized(raw):
    return raw[:3] + b"\x7f\xff\xff\xff" + raw[7:]


def _unknown_type(raw):
    return b"\x09" + raw[1:]


def _other_channel(raw):
    return raw[:1] + b"\x12\x34" + raw[3:]


def _too_short(raw):
    return raw[:3] + b"\0\0\0\x02" + raw[7:9] + b"\xce"


@pytest.mark.parametrize("corrupt",
                         [_wrong_end, _oversized, _unknown_type, _other_channel, _too_short])
def test_corrupt_frames(rabbitmq_server, db, queues, kopru, corrupt):
    """Each of the first connections gets one wrong frame of a delivery. None is answered by a
    polite close.
    """
    kinds = [METHOD, HEADER, BODY]
    said_after = []

    class Corrupt(_Tap):
        def __init__(self):
            self.frames = {side: FrameSplitter(side) for side in (True, False)}
            self.delivers = False
            self.is_corrupt = False

        def to_server(self, data):
            for frame in self.frames[True].feed(data):
                if self.is_corrupt:
                    said_after.append(frame.method)
                yield frame.raw

        def to_client(self, data):
            for frame in self.frames[False].feed(data):
                self.delivers = self.delivers or frame.method == BASIC_DELIVER
                if self.delivers and not self.is_corrupt and kinds and frame.kind == kinds[0]:
                    kinds.pop(0)
                    self.is_corrupt = True
                    yield corrupt(frame.raw)
                else:
                    yield frame.raw

    rabbitmq_server.publish_many(queues.customer, _customers(range(20)))
    with Proxy(rabbitmq_server.port, tap=Corrupt) as proxy:
        daemon = kopru(amqp=_through(proxy, heartbeat=20),
                       queues=[{"name": queues.customer, "entity": "customer"}], start=False)
        daemon.launch()
        lines = daemon.wait_for_event("broker_unavailable", count=3)
        # A part of a body that is too short is well-formed: what is missing shows at the next
        # frame.
        assert {line["why"] for line in lines} <= {"the data received is not valid AMQP",
                                                   "an unexpected frame arrived"}
        _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 20)
        assert CONNECTION_CLOSE not in said_after
        assert daemon.terminate() == 0
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def test_one_byte_at_a_time(rabbitmq_server, db, queues, kopru):
    class Trickle(_Tap):
        def to_client(self, data):
            for byte in data:
                yield bytes([byte])

        to_server = to_client

    rabbitmq_server.publish_many(queues.customer, _customers(range(50)))
    with Proxy(rabbitmq_server.port, tap=Trickle) as proxy:
        daemon = kopru(amqp=_through(proxy, heartbeat=20))
        _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 50)
        assert not daemon.events("broker_unavailable")
        assert daemon.terminate() == 0


def test_a_consumer_that_the_broker_forgot(rabbitmq_server, db, queues, kopru):
    """Messages are ready, the connection is well, and no delivery comes: a new subscription gets
    them.
    """
    forgets = threading.Event()
    forgets.set()

    class Forgetful(_Tap):
        def __init__(self):
            self.frames = FrameSplitter(False)
            self.forgets = forgets.is_set()
            forgets.clear()

        def to_client(self, data):
            for frame in self.frames.feed(data):
                yield self._as_if_ready(frame.raw) if self.forgets else frame.raw

        @staticmethod
        def _as_if_ready(raw):
            # queue.declare-ok
            if raw[0] == METHOD and struct.unpack_from("!HH", raw, 7) == (50, 11):
                at = 12 + raw[11]
                return raw[:at] + struct.pack("!I", 7) + raw[at + 4:]
            return raw

    with Proxy(rabbitmq_server.port, tap=Forgetful) as proxy:
        daemon = kopru(amqp=_through(proxy),
                       queues=[{"name": queues.customer, "entity": "customer"}])
        (line, *_) = daemon.wait_for_event("broker_unavailable")
        assert line["why"].startswith("7 messages are ready and none is delivered")
        daemon.wait_for_event("consuming", count=2)
        rabbitmq_server.publish_many(queues.customer, _customers(range(1)))
        _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 1)
        assert len(daemon.events("broker_unavailable")) == 1


@pytest.mark.full
def test_large_messages_wait_unread_for_longer_than_the_broker_allows(rabbitmq_server, db, queues,
                                                                      kopru):
    """RabbitMQ cuts a connection to which it could not send for 30 s. That may happen once, not
    over and over.
    """
    padding = "x" * 500_000
    bodies = [json.dumps({"id": f"c{number}", "padding": padding}).encode()
              for number in range(200)]
    with db.admin() as blocker:
        daemon = kopru(limits={"max_unacknowledged_bytes": 4 * 2**20},
                       queues=[{"name": queues.customer, "entity": "customer"}],
                       postgres={"lock_timeout": 5, "statement_timeout": 10})
        with blocker.transaction():
            blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            rabbitmq_server.publish_many(queues.customer, bodies)
            (reduced,) = daemon.wait_for_event("prefetch_reduced", deadline_s=120)
            assert 1 <= reduced["messages"] < 20
            consuming = daemon.wait_for_event("consuming", count=2)
            assert consuming[1]["prefetch"] == reduced["messages"]
            lost = len(daemon.events("broker_unavailable"))
            daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked
                              == reduced["messages"], 30, "a full prefetch")
            blocker.execute("SELECT pg_sleep(45)")
            assert len(daemon.events("broker_unavailable")) == lost
        _wait_until_applied(daemon, rabbitmq_server, db, queues.customer, 200, 120)
