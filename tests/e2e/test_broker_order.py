"""In which order RabbitMQ delivers again what was not acknowledged, and what it flags: kopru relies
on that, whichever version of the broker is installed.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.rabbitmq import RabbitMQ
from support.wait import wait_until

pytestmark = pytest.mark.no_kopru

_TOTAL, _PREFETCH = 3000, 2000
_QUEUES = {
    "classic": {"x-queue-type": "classic"},
    "quorum": {"x-queue-type": "quorum"},
    "quorum, limit 1000": {"x-queue-type": "quorum", "x-delivery-limit": 1000},
    "quorum, no limit": {"x-queue-type": "quorum", "x-delivery-limit": -1},
}

# Takes deliveries, prints [number, redelivered] of each, and dies as by kill -9, or acknowledges
# none and closes after basic.nack of some.
_CONSUMER = """
import json, os, signal, sys
import pika

uri, queue, prefetch, count, nacks = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
connection = pika.BlockingConnection(pika.URLParameters(uri))
channel = connection.channel()
channel.basic_qos(prefetch_count=prefetch)
taken = []
channel.basic_consume(queue, lambda _c, method, _p, body: taken.append(
    (int(body), method.redelivered, method.delivery_tag)))
while len(taken) < count:
    connection.process_data_events(1)
print(json.dumps([[number, flag] for number, flag, _ in taken[:count]]), flush=True)
if nacks == 0:
    os.kill(os.getpid(), signal.SIGKILL)
for _, _, tag in taken[count // 2:count // 2 + nacks]:
    channel.basic_nack(tag, requeue=True)
connection.close()
"""


@pytest.fixture(params=_QUEUES)
def queue(rabbitmq_server: RabbitMQ, request) -> Iterator[str]:
    """With as many numbers as messages, in order."""
    arguments = _QUEUES[request.param]
    if arguments.get("x-delivery-limit") == -1 and rabbitmq_server.version < (4,):
        pytest.skip("RabbitMQ 3 has no limit of -1")
    name = f"order-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(name, arguments=arguments)
    rabbitmq_server.publish_many(name, [str(n).encode() for n in range(_TOTAL)])
    yield name
    rabbitmq_server.delete_queue(name)


def _are_all_back(broker: RabbitMQ, queue: str) -> bool:
    """A quorum queue may have no leader yet when its broker has started again."""
    try:
        return broker.depth(queue).ready == _TOTAL
    except ConnectionError:
        return False


def _wait_until_all_are_back(broker: RabbitMQ, queue: str) -> None:
    wait_until(lambda: _are_all_back(broker, queue), 60, "all to be back")


def _consume(broker: RabbitMQ, queue: str, prefetch: int, count: int, nacks: int = 0) -> list:
    done = subprocess.run([sys.executable, "-c", _CONSUMER, broker.uri, queue, str(prefetch),
                           str(count), str(nacks)],
                          check=False, stdout=subprocess.PIPE, timeout=120)
    _wait_until_all_are_back(broker, queue)
    return json.loads(done.stdout)


def test_what_a_killed_consumer_had_comes_first_in_order_and_flagged(rabbitmq_server, queue):
    _consume(rabbitmq_server, queue, _PREFETCH, _PREFETCH)
    for _ in range(2):
        again = _consume(rabbitmq_server, queue, _PREFETCH, _PREFETCH)
        assert again == [[n, True] for n in range(_PREFETCH)]


def test_what_was_not_delivered_is_not_flagged(rabbitmq_server, queue):
    _consume(rabbitmq_server, queue, 500, 500)
    assert _consume(rabbitmq_server, queue, 1000, 1000) == [[n, n < 500] for n in range(1000)]


def test_a_killed_broker_keeps_the_order(rabbitmq_server, queue):
    """A classic queue flags all that it read from disk."""
    _consume(rabbitmq_server, queue, _PREFETCH, _PREFETCH)
    rabbitmq_server.save_definitions()
    rabbitmq_server.kill9()
    rabbitmq_server.start()
    _wait_until_all_are_back(rabbitmq_server, queue)
    again = _consume(rabbitmq_server, queue, _PREFETCH, _PREFETCH)
    assert [n for n, _ in again] == list(range(_PREFETCH))
    assert all(flag for _, flag in again)


def test_what_is_given_back_in_parts_may_come_out_of_order(rabbitmq_server, queue, request):
    """So kopru never sends basic.nack. A classic queue keeps the order even so; a quorum queue puts
    them before or behind the others, by version and delivery-limit.
    """
    _consume(rabbitmq_server, queue, 100, 100, nacks=10)
    numbers = [n for n, _ in _consume(rabbitmq_server, queue, 100, 100)]
    in_order = numbers == list(range(100))
    assert in_order == request.node.callspec.params["queue"].startswith("classic")


def test_fewer_than_came_back_go_behind_the_rest(rabbitmq_server, queue, request):
    """So kopru takes as many together as may have come back."""
    _consume(rabbitmq_server, queue, 200, 200)
    _consume(rabbitmq_server, queue, 50, 50)
    numbers = [n for n, _ in _consume(rabbitmq_server, queue, 200, 200)]
    if request.node.callspec.params["queue"].startswith("classic"):
        assert numbers == list(range(200))
    else:
        assert numbers == [*range(50, 200), *range(50)]
