"""Messages that are to be in one batch."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from support import prometheus
from support.daemon import Kopru
from support.database import Database
from support.rabbitmq import RabbitMQ

_DEADLINE_S = 30


def _unacknowledged(daemon: Kopru, queue: str) -> float:
    address = daemon.settings["http"]["listen"]  # type: ignore[index]
    connection = http.client.HTTPConnection(address, timeout=_DEADLINE_S)
    try:
        connection.request("GET", "/metrics")
        samples = prometheus.parse(connection.getresponse().read().decode())
        return samples["kopru_unacknowledged_messages", queue]
    finally:
        connection.close()


@contextmanager
def held_back(broker: RabbitMQ, db: Database, daemon: Kopru, queue: str, count: int, *,
              table: str = "customers") -> Iterator[None]:
    """The count messages published inside become one batch: the daemon's one writer waits for that
    root table's lock, with a first message, until it has them all. The daemon has an http.listen.
    """
    with psycopg.connect(db.admin_dsn) as connection:
        connection.execute(f"LOCK TABLE kopru.{table} IN ACCESS EXCLUSIVE MODE")
        broker.publish(queue, b'{"id":"decoy"}')
        waiting = ("SELECT count(*) FROM pg_locks "
                   f"WHERE NOT granted AND relation = 'kopru.{table}'::regclass")
        daemon.wait_until(lambda: db.value(waiting), _DEADLINE_S, "the writer to wait")
        yield
        # Not the broker's count: what it has sent may still be on its way.
        daemon.wait_until(lambda: _unacknowledged(daemon, queue) == 1 + count, _DEADLINE_S,
                          "the daemon to have received every message")
