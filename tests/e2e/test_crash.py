"""kill -9 at random moments under load loses nothing, shows nothing old and applies nothing twice."""

import random
import time
from collections.abc import Callable, Iterable

from support.daemon import Kopru
from support.rabbitmq import RabbitMQ
from support.wait import patience, wait_until

_CRASHES = 20
_BACKLOG = 6000
_LONGEST_RUN_S = 0.5


def _in_hand(broker: RabbitMQ, queues: Iterable[str]) -> int:
    return sum(broker.depth(queue).unacked for queue in queues)


def _run_until_killed(daemon: Kopru, choice: random.Random, in_hand: Callable[[], int]) -> int:
    """Start it at once and kill it at a random moment, mostly while it works; how many deliveries it had then."""
    daemon.launch()
    if choice.random() < 0.8:
        daemon.wait_until(in_hand, 60, "kopru to have deliveries in hand")
    time.sleep(choice.uniform(0, _LONGEST_RUN_S) * patience())
    count = in_hand()
    daemon.kill9()
    return count


def test_twenty_crashes_under_load(rabbitmq_server, queues, kopru, observed, choice, capsys):
    daemon = kopru(start=False)
    with observed.start(backlog=_BACKLOG):
        for queue in queues.entities():  # so that there is work for most of the time
            wait_until(lambda name=queue: rabbitmq_server.depth(name).ready >= _BACKLOG, 60, "a backlog")
        in_hand = [_run_until_killed(daemon, choice, lambda: _in_hand(rabbitmq_server, queues.entities()))
                   for _ in range(_CRASHES)]
        daemon.launch()
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120, f"queue {queue!r} to be empty")
    assert daemon.terminate() == 0
    verdict = observed.check()
    with capsys.disabled():
        print(f"\npublished {verdict.published}, crashes {_CRASHES}, lost {len(verdict.lost)}, stale {len(verdict.stale)}, "
              f"duplicated {len(verdict.duplicated)}")
    assert verdict.is_clean, verdict
    assert sum(count > 0 for count in in_hand) >= _CRASHES // 2, in_hand
