"""What comes back after a crash shows no older state: not where little may be unacknowledged and
the broker is slow to read acknowledgements, and not where the broker pauses in the middle.
"""

import itertools
import json

import pytest
from support import history
from support.amqp_frames import BASIC_ACK, BASIC_DELIVER, QUEUE_DECLARE, AmqpWatch
from support.proxy import Proxy
from support.wait import wait_until

_BACKLOG = 3000
_MAX_UNACKNOWLEDGED = 256 * 1024
_PREFETCH = _MAX_UNACKNOWLEDGED // 8192  # so that all that can come back fits


@pytest.mark.parametrize("crashes", [6, pytest.param(40, marks=pytest.mark.full)])
def test_what_comes_back_fits_and_shows_nothing_old(rabbitmq_server, db, queues, kopru, observed,
                                                    crashes):
    """All that was committed before the crash was unacknowledged then, or acknowledged in vain:
    it is among the redelivered messages.
    """
    daemon = kopru(start=False, limits={"max_unacknowledged_bytes": _MAX_UNACKNOWLEDGED,
                                        "max_message_bytes": 65536}, batch={"max_bytes": 65536})
    with observed.start(entities=5, backlog=_BACKLOG):
        for queue in queues.entities():
            wait_until(lambda name=queue: rabbitmq_server.depth(name).ready >= _BACKLOG, 60,
                       "a backlog")
        held = 0
        for _ in range(crashes):
            daemon.launch()
            daemon.wait_for_event("consuming", count=2)
            states = db.value("SELECT count(*) FROM history.states")
            daemon.wait_until(lambda: db.value("SELECT count(*) FROM history.states") > states + 20,
                              60, "rows to be written")
            daemon.kill9()
            held += sum(line["messages"] for line in daemon.events("redelivered_messages"))
        daemon.launch()
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120,
                          f"queue {queue!r} to be empty")
    assert daemon.terminate() == 0
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert held > crashes
    assert {line["prefetch"] for line in daemon.events("consuming")} == {_PREFETCH}


_MESSAGES = 20
_BEFORE_THE_PAUSE = 8


def _shown(db):
    """The numbers of the messages that the row of the one entity has shown, in order."""
    return [number for (number,) in db.query("SELECT number FROM history.states ORDER BY n")]


@pytest.mark.parametrize("quorum", [False, True], ids=["classic", "quorum"])
def test_a_pause_of_the_broker_does_not_part_them(rabbitmq_server, db, queues, kopru, quorum):
    """All of it had been committed. The broker pauses after some of it, for longer than kopru waits
    for a delivery: the rest still belongs to it.
    """
    history.install(db)
    queue = queues.customer
    if quorum:
        rabbitmq_server.delete_queue(queue)
        rabbitmq_server.declare_queue(queue, quorum=True)
    rabbitmq_server.publish_many(queue, [json.dumps({"id": "1", "name": f"name {n}"}).encode()
                                         for n in range(_MESSAGES)])
    with Proxy(rabbitmq_server.port, tap=(watch := AmqpWatch()).tap) as proxy:
        daemon = kopru(start=False, queues=[{"name": queue, "entity": "customer"}],
                       amqp={"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F"})
        watch.stop_at(lambda frame: frame.is_from_client and frame.method == BASIC_ACK)
        daemon.launch()
        daemon.wait_until(lambda: _shown(db)[-1:] == [_MESSAGES - 1], 30, "the last message")
        daemon.kill9()
        proxy.cut()
        watch.release_all()
        wait_until(lambda: rabbitmq_server.depth(queue).ready == _MESSAGES, 30,
                   "the broker to take all back")

        passed = itertools.count()
        pause = watch.stop_at(lambda frame: frame.method == BASIC_DELIVER
                              and next(passed) == _BEFORE_THE_PAUSE)
        question = watch.stop_at(lambda frame: frame.method == QUEUE_DECLARE and pause.is_reached)
        daemon.launch()
        pause.wait()
        daemon.wait_until(lambda: question.is_reached or daemon.events("redelivered_messages"), 30,
                          "kopru to ask the broker, or to go on")
        question.release()
        pause.release()
        rabbitmq_server.wait_until_empty(queue)
    assert _shown(db) == sorted(set(_shown(db)))
    assert [line["messages"] for line in daemon.events("redelivered_messages")] == [_MESSAGES]
    assert daemon.terminate() == 0
