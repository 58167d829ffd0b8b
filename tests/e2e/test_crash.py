"""kill -9 at random moments under load loses nothing, shows nothing old and applies nothing twice.
"""

import random
import secrets
import time
from collections.abc import Callable, Iterable

import pytest
from support.daemon import Kopru
from support.database import DAEMON
from support.marks import on_partitions_too
from support.rabbitmq import RabbitMQ
from support.wait import patience, wait_until

_CRASHES = 20
_BACKLOG = 4000
_LONGEST_RUN_S = 0.2

_FAULTS = 30


def _unacknowledged(broker: RabbitMQ, queues: Iterable[str]) -> int:
    return sum(broker.depth(queue).unacked for queue in queues)


def _run_until_killed(daemon: Kopru, choice: random.Random,
                      unacknowledged: Callable[[], int]) -> int:
    """Start it at once and kill it at a random moment, mostly while it works; how many deliveries
    it had then.
    """
    daemon.launch()
    if choice.random() < 0.8:
        daemon.wait_until(unacknowledged, 60, "kopru to have deliveries")
    time.sleep(choice.uniform(0, _LONGEST_RUN_S) * patience())
    count = unacknowledged()
    daemon.kill9()
    return count


@on_partitions_too
def test_twenty_crashes_under_load(rabbitmq_server, queues, kopru, observed, choice, capsys):
    daemon = kopru(start=False)
    with observed.start(backlog=_BACKLOG):
        unacknowledged = []
        for _ in range(_CRASHES):
            for queue in queues.entities():  # so that there is work for most of the time
                wait_until(lambda name=queue: rabbitmq_server.depth(name).ready >= _BACKLOG, 60,
                           "a backlog")
            unacknowledged.append(_run_until_killed(
                daemon, choice, lambda: _unacknowledged(rabbitmq_server, queues.entities())))
        daemon.launch()
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120,
                          f"queue {queue!r} to be empty")
    assert daemon.terminate() == 0
    verdict = observed.check()
    with capsys.disabled():
        print(f"\npublished {verdict.published}, crashes {_CRASHES}, lost {len(verdict.lost)}, "
              f"stale {len(verdict.stale)}, "
              f"duplicated {len(verdict.duplicated)}")
    assert verdict.is_clean, verdict
    assert sum(count > 0 for count in unacknowledged) >= _CRASHES // 2, unacknowledged


def _cut_database_connections(postgres, _broker, _daemon):
    with postgres.admin() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                           "usename = %s", (DAEMON,))


def _crash_postgresql(postgres, _broker, _daemon):
    postgres.kill9()
    postgres.start()


_WHAT_HAPPENS = (
    lambda _postgres, _broker, daemon: daemon.kill9(),
    lambda _postgres, broker, _daemon: broker.rabbitmqctl("close_all_connections", "test"),
    lambda postgres, _broker, _daemon: postgres.restart("immediate"),
    _cut_database_connections,
    _crash_postgresql,
)


@pytest.mark.full
@pytest.mark.parametrize("quorum", [False, True], ids=["classic", "quorum"])
def test_everything_fails_again_and_again(rabbitmq_server, postgres_server, db, kopru, observed,
                                          choice, quorum):
    """Crashes of the daemon and of the database, and lost connections, in any order, on both kinds
    of queues.
    """
    mark = secrets.token_hex(4)
    queues = {f"customer-{mark}": "customer", f"subscription-{mark}": "subscription"}
    # Without a limit a quorum queue returns messages to its end.
    for queue in queues:
        rabbitmq_server.declare_queue(queue, quorum=quorum,
                                      arguments={"x-delivery-limit": 1000} if quorum else None)
    daemon = kopru(start=False,
                   queues=[{"name": queue, "entity": entity} for queue, entity in queues.items()])
    try:
        with observed.start(queues=queues, backlog=_BACKLOG):
            for _ in range(_FAULTS):
                if not daemon.is_running():
                    daemon.launch()
                time.sleep(choice.uniform(0, 2 * _LONGEST_RUN_S) * patience())
                choice.choice(_WHAT_HAPPENS)(postgres_server, rabbitmq_server, daemon)
        if not daemon.is_running():
            daemon.launch()
        for queue in queues:
            daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120,
                              f"queue {queue!r} to be empty")
        verdict = observed.check()
        assert verdict.is_clean, verdict
        assert daemon.terminate() == 0
    finally:
        for queue in queues:
            rabbitmq_server.delete_queue(queue)
