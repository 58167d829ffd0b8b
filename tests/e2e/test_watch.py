"""The watching proxies themselves: what they say happened did happen, and what they stop stands
still.
"""

import secrets
import socket
import threading

import pika
import pytest
from support.amqp_frames import BASIC_ACK, BASIC_DELIVER, AmqpWatch, FrameSplitter
from support.proxy import Proxy
from support.wait import patience, wait_until

pytestmark = pytest.mark.no_kopru


@pytest.fixture
def queue(rabbitmq_server):
    name = f"watched-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(name)
    yield name
    rabbitmq_server.delete_queue(name)


@pytest.fixture
def watched(rabbitmq_server):
    """What is seen on a proxy, and a function that connects through it."""
    watch = AmqpWatch()
    connections = []

    def connect():
        connections.append(pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1",
                                                                             proxy.port,
                                                                             heartbeat=600)))
        return connections[-1].channel()

    with Proxy(rabbitmq_server.port, tap=watch.tap) as proxy:
        yield watch, connect
        watch.release_all()
        for connection in connections:
            if connection.is_open:
                connection.close()


def _consume(channel, queue, count):
    tags = []
    channel.basic_consume(
        queue, lambda _channel, method, _properties, _body: tags.append(method.delivery_tag))
    wait_until(lambda: channel.connection.process_data_events(0.01) or len(tags) == count, 30,
               "deliveries")
    return tags


def test_deliveries_and_what_an_acknowledgement_covers(rabbitmq_server, queue, watched):
    bodies = [b"", b"one", b"x" * 300_000, b"three", b"four"]  # of no, one, and several body frames
    rabbitmq_server.publish_many(queue, bodies)
    watch, connect = watched
    channel = connect()
    first, second, third, fourth, fifth = _consume(channel, queue, 5)
    assert [delivery.body for delivery in watch.deliveries()] == bodies
    assert not any(delivery.redelivered for delivery in watch.deliveries())
    channel.basic_ack(third, multiple=False)
    channel.basic_ack(second, multiple=True)
    channel.basic_ack(0, multiple=True)
    channel.connection.close()
    assert [[delivery.tag for delivery in ack.covers]
            for ack in watch.acks()] == [[third], [first, second], [fourth, fifth]]
    assert all(delivery.at <= ack.at for ack in watch.acks() for delivery in ack.covers)


def test_each_connection_counts_its_own_tags(rabbitmq_server, queue, watched):
    rabbitmq_server.publish_many(queue, [b"1", b"2"])
    watch, connect = watched
    channel = connect()
    _consume(channel, queue, 2)
    channel.connection.close()
    channel = connect()
    channel.basic_ack(_consume(channel, queue, 2)[0])
    channel.connection.close()
    assert [(delivery.connection, delivery.tag, delivery.redelivered)
            for delivery in watch.deliveries()] == [
        (0, 1, False), (0, 2, False), (1, 1, True), (1, 2, True)]
    ((covered,),) = [ack.covers for ack in watch.acks()]
    assert (covered.connection, covered.body) == (1, b"1")


def test_an_acknowledgement_that_is_held_did_not_reach_the_broker(rabbitmq_server, queue, watched):
    rabbitmq_server.publish_many(queue, [b"1", b"2"])
    watch, connect = watched
    stop = watch.stop_at(lambda frame: frame.is_from_client and frame.method == BASIC_ACK)
    channel = connect()
    tags = _consume(channel, queue, 2)
    assert not stop.is_reached
    for tag in tags:
        channel.basic_ack(tag)
    channel.connection.process_data_events(0)
    stop.wait()
    assert rabbitmq_server.depth(queue).unacked == 2
    stop.release()
    rabbitmq_server.wait_until_empty(queue)


def test_a_delivery_is_held_behind_those_before_it(rabbitmq_server, queue, watched):
    rabbitmq_server.publish_many(queue, [b"1", b"2", b"3"])
    watch, connect = watched
    stop = watch.stop_at(lambda frame: frame.method == BASIC_DELIVER
                         and frame.payload[5 + frame.payload[4]:][7:8] == b"\2")
    channel = connect()
    assert len(_consume(channel, queue, 1)) == 1
    stop.wait()
    threading.Timer(0.01, stop.release).start()
    wait_until(lambda: channel.connection.process_data_events(0.01) or len(watch.deliveries()) == 3,
               30, "the others")


def test_the_end_of_a_client_reaches_the_server_unless_the_proxy_made_it():
    with socket.create_server(("127.0.0.1",
                               0)) as listener, Proxy(listener.getsockname()[1]) as proxy:
        for end in ("client", "proxy"):
            client = socket.create_connection(("127.0.0.1", proxy.port))
            server, _address = listener.accept()
            with client, server:
                client.sendall(b"x")
                assert server.recv(1) == b"x"
                if end == "client":
                    client.close()
                    server.settimeout(30 * patience())
                    assert server.recv(1) == b""
                else:
                    proxy.cut_clients()
                    assert client.recv(1) == b""
                    server.settimeout(0.2)
                    with pytest.raises(TimeoutError):
                        server.recv(1)


def test_frames_are_the_same_however_the_bytes_are_cut():
    raw = [b"AMQP\0\0\x09\1", b"\1\0\0\0\0\0\4\0\x0a\0\x0b\xce", b"\x08\0\0\0\0\0\0\xce",
           b"\3\0\1\0\0\0\2{}\xce"]
    for size in range(1, 40):
        splitter = FrameSplitter(True)
        data = b"".join(raw)
        frames = [frame for at in range(0, len(data), size)
                  for frame in splitter.feed(data[at:at + size])]
        assert [frame.raw for frame in frames] == raw
    assert [frame.kind for frame in frames] == [0, 1, 8, 3]
    assert (frames[1].method, frames[3].channel, frames[3].payload) == ((10, 11), 1, b"{}")
