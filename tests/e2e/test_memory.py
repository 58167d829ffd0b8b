"""Memory is bounded by the figure that kopru check prints, whatever comes, and small while what
comes is ordinary.
"""

import secrets

import pytest
from support.daemon import binary
from support.generator import Erp
from support.memory import memory_bound, peak_bytes

_MIB = 1 << 20
_LARGEST = 256 * 1024
_WORKING_SET = 64 * 1000 * 1000  # what ordinary messages may take, in bytes

_LIMITS = {"max_message_bytes": _LARGEST, "max_unacknowledged_bytes": 8 * _MIB}


@pytest.fixture(autouse=True)
def _no_sanitizer():
    if b"__asan_init" in binary().read_bytes():
        pytest.skip("a sanitizer's shadow memory is not the program's")


def _repeat(head: str, part: str, tail: str = "]}", size: int = _LARGEST) -> bytes:
    """The largest body of that form."""
    count = (size - len(head) - len(tail) + 1) // (len(part) + 1)
    return (head + ",".join([part] * count) + tail).encode()


_TRIPLET = '{"name":"CAMPAIGN","valueType":"Float","value":"12.50"}'
_CUSTOMERS = {
    "empty elements": lambda n: _repeat(f'{{"id":"{n}","contactMedium":[', "{}"),
    "small elements": lambda n: _repeat(f'{{"id":"{n}","contactMedium":[',
                                        '{"mediumType":"a","city":"b"}'),
    "broken elements": lambda n: _repeat(f'{{"id":"{n}","contactMedium":[', "0"),
    "deep": lambda n: _repeat(f'{{"id":"{n}","x":[', "[" * 60 + "]" * 60),
    "many values": lambda n: _repeat(f'{{"id":"{n}","x":[', "0"),
    "many objects": lambda n: _repeat(f'{{"id":"{n}","x":[', '{"":0}'),
    "escapes": lambda n: _repeat(f'{{"id":"{n}","name":"', r"\u00e7\n", '"}'),
    "long numbers": lambda n: _repeat(f'{{"id":"{n}","x":[', "1e64", size=_LARGEST // 20),
    "cut off": lambda n: _repeat(f'{{"id":"{n}","x":[', '{"a":[]}', ""),
    "too large": lambda n: _repeat(f'{{"id":"{n}","x":[', "0", size=2 * _MIB),
}
_SUBSCRIPTIONS = {
    "empty triplets": lambda n: _repeat(f'{{"id":"{n}","characteristic":[', "{}"),
    "names": lambda n: _repeat(f'{{"id":"{n}","characteristic":[', '{"name":"a"}'),
    "triplets": lambda n: _repeat(f'{{"id":"{n}","properties":[', _TRIPLET),
    "parties": lambda n: _repeat(f'{{"id":"{n}","engagedParty":[', '{"id":12}'),
}


def _with_one_writer(queues) -> list[dict[str, object]]:
    """So that the bound is small."""
    return [{"name": name, "entity": entity, "writers": 1}
            for name, entity in queues.entities().items()]


def _publish_all(broker, queues, rounds: int) -> None:
    broker.publish_many(queues.customer,
                        (make(n) for n in range(rounds) for make in _CUSTOMERS.values()))
    broker.publish_many(queues.subscription,
                        (make(n) for n in range(rounds) for make in _SUBSCRIPTIONS.values()))


def _wait_until_applied(daemon, broker, queues) -> None:
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: broker.depth(name).is_empty, 240,
                          f"queue {queue!r} to be empty")


def _wait_until_full(daemon, broker, queues) -> None:
    """Until the daemon reads no further: what the broker has handed out stays the same."""
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: broker.depth(name).unacked > 0, 60,
                          f"deliveries of {queue!r}")


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.full)])
def test_the_largest_messages_stay_within_the_bound(rabbitmq_server, postgres_server, db, queues,
                                                    kopru, rounds):
    """They gather during an outage of the database, are committed after it, and come back after a
    crash.
    """
    daemon = kopru(limits=_LIMITS, queues=_with_one_writer(queues))
    postgres_server.stop("immediate")
    try:
        _publish_all(rabbitmq_server, queues, rounds)
        _wait_until_full(daemon, rabbitmq_server, queues)
        daemon.wait_for_event("database_unavailable")
        peaks = [peak_bytes(daemon.pid)]
        daemon.kill9()
        daemon.launch()
    finally:
        postgres_server.start()
    _wait_until_applied(daemon, rabbitmq_server, queues)
    peaks.append(peak_bytes(daemon.pid))
    bound = memory_bound(daemon, 2 * _MIB)
    assert max(peaks) < bound, f"{[peak // _MIB for peak in peaks]} MiB; at most {bound // _MIB}"
    assert db.value("SELECT count(*) FROM kopru.dead_letters") > 0


@pytest.mark.parametrize("entities", [100, pytest.param(300, marks=pytest.mark.full)])
def test_rows_that_are_loaded_stay_within_the_bound(rabbitmq_server, db, queues, kopru, entities):
    """Small messages about entities with many rows come in one batch; their rows are not all read
    at once.
    """
    daemon = kopru(limits=_LIMITS, queues=_with_one_writer(queues))
    rabbitmq_server.publish_many(queues.subscription,
                                 (_SUBSCRIPTIONS["triplets"](n) for n in range(entities)))
    _wait_until_applied(daemon, rabbitmq_server, queues)
    assert daemon.terminate() == 0
    rabbitmq_server.publish_many(queues.subscription,
                                 (f'{{"id":"{n}","properties":[]}}'.encode()
                                  for n in range(entities)))
    daemon.start()
    _wait_until_applied(daemon, rabbitmq_server, queues)
    peak, bound = peak_bytes(daemon.pid), memory_bound(daemon, _LARGEST)
    assert peak < bound, f"{peak // _MIB} MiB; at most {bound // _MIB}"
    assert db.value("SELECT count(*) FROM kopru.subscription_characteristics") == 0
    assert db.value("SELECT count(*) FROM kopru.subscriptions") == entities


@pytest.mark.parametrize("count", [10_000, pytest.param(50_000, marks=pytest.mark.full)])
def test_ordinary_messages_take_little(rabbitmq_server, queues, kopru, count):
    daemon = kopru(start=False)
    erp = Erp()
    rabbitmq_server.publish_many(queues.customer, (erp.customer(n) for n in range(count)))
    rabbitmq_server.publish_many(queues.subscription, (erp.subscription(n) for n in range(count)))
    daemon.start()
    _wait_until_applied(daemon, rabbitmq_server, queues)
    assert peak_bytes(daemon.pid) < _WORKING_SET


def test_a_message_of_the_brokers_largest_size_becomes_a_dead_letter(rabbitmq_server, db, queues,
                                                                     kopru):
    """Whatever the limits are: it passes through memory whole."""
    body = secrets.token_bytes(_MIB) * (16 if rabbitmq_server.version >= (4,) else 128)
    daemon = kopru(limits={"max_message_bytes": 65536, "max_unacknowledged_bytes": _MIB},
                   batch={"max_bytes": 65536})
    rabbitmq_server.publish(queues.customer, body)
    _wait_until_applied(daemon, rabbitmq_server, queues)
    assert db.query("SELECT reason, octet_length(body) FROM kopru.dead_letters") == [("too_large",
                                                                                      len(body))]
    assert peak_bytes(daemon.pid) < memory_bound(daemon, len(body))
