"""From publish to row visible, at a steady rate.

One clock: the publisher notes when it sent each message, and a reader that asks for the rows still
missing, again and again, notes when it saw each first. The same for the floor: the same messages,
the same rows, but known before (bench/latency_floor.c).
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from support.database import Database
from support.generator import FIRST_SUBSCRIPTION_ID
from support.rabbitmq import RabbitMQ

from bench import site
from bench.drain import PREFETCH, QUEUE, running_kopru, wait_until_alone
from bench.figures import percentile
from bench.site import TABLES_OF

RATE = 200

_WARM_UP = RATE  # messages that are not counted: plans and caches are made then
_LOOK_AHEAD = 64
_PAUSE_S = 0.0002
_DEADLINE_S = 60


def _wait_for_consumer(broker: RabbitMQ) -> None:
    end = time.monotonic() + _DEADLINE_S
    while broker.depth(QUEUE).consumers == 0:
        if time.monotonic() > end:
            raise TimeoutError("nobody consumes")
        time.sleep(0.01)


def _watch(db: Database, count: int) -> list[int]:
    """When the row of each number was seen first, nanoseconds of the monotonic clock."""
    seen = [0] * count
    frontier = 0
    end = time.monotonic() + count / RATE + _DEADLINE_S
    with psycopg.connect(db.admin_dsn, autocommit=True) as connection:
        cursor = connection.cursor()
        while frontier < count:
            missing = [str(FIRST_SUBSCRIPTION_ID + n)
                       for n in range(frontier, min(frontier + _LOOK_AHEAD, count)) if not seen[n]]
            cursor.execute("SELECT subscription_id FROM kopru.subscriptions WHERE subscription_id "
                           "= ANY (%s::text[])",
                           ("{" + ",".join(missing) + "}",), prepare=True)
            rows = cursor.fetchall()
            now = time.monotonic_ns()
            for (id_,) in rows:
                seen[int(id_) - FIRST_SUBSCRIPTION_ID] = now
            while frontier < count and seen[frontier]:
                frontier += 1
            if time.monotonic() > end:
                raise TimeoutError("rows are missing")
            time.sleep(_PAUSE_S)
    return seen


def _measure(broker: RabbitMQ, db: Database, bodies: Path, count: int) -> dict[str, float]:
    """p50, p99 and the longest, in milliseconds; a consumer is there already."""
    times = bodies.with_suffix(".times")
    publisher = subprocess.Popen([str(site.programs() / "publish"), broker.uri, QUEUE, str(bodies),
                                  str(RATE), str(times)])
    try:
        seen = _watch(db, count)
    finally:
        publisher.wait()
    published = [int(line) for line in times.read_text().split()]
    latencies = [(late - early) / 1e6
                 for early, late in zip(published, seen, strict=True)][_WARM_UP:]
    return {"p50": percentile(latencies, 0.5), "p99": percentile(latencies, 0.99),
            "most": max(latencies)}


def of_kopru(broker: RabbitMQ, db: Database, bodies: Path, count: int) -> dict[str, float]:
    with running_kopru(broker, db, "subscription", {}) as daemon:
        daemon.start()
        figures = _measure(broker, db, bodies, count)
    wait_until_alone(db)
    return figures


def stage_rows(db: Database) -> list[str]:
    """Copy the rows into tables for the floor to read; the statements of one message."""
    statements = []
    with db.admin() as connection:
        for table in TABLES_OF["subscription"]:
            connection.execute(f"CREATE UNLOGGED TABLE public.{table} AS SELECT * FROM "
                               f"kopru.{table}")
            connection.execute(f"CREATE INDEX ON public.{table} (subscription_id)")
            connection.execute(f"GRANT SELECT ON public.{table} TO PUBLIC")
            statements.append(f"INSERT INTO kopru.{table} SELECT * FROM public.{table} WHERE "
                              "subscription_id = $1::text")
        connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("TRUNCATE kopru.subscriptions CASCADE")
        connection.execute("CHECKPOINT")
    return statements


@contextmanager
def _floor(broker: RabbitMQ, db: Database, statements: list[str], count: int) -> Iterator[None]:
    command = [str(site.programs() / "latency_floor"), broker.uri, QUEUE, str(PREFETCH),
               db.daemon_dsn, str(FIRST_SUBSCRIPTION_ID), str(count), *statements]
    process = subprocess.Popen(command)
    try:
        yield
        if process.wait(_DEADLINE_S) != 0:
            raise RuntimeError(f"latency_floor ended with status {process.returncode}")
    finally:
        process.kill()
        process.wait()


def of_the_floor(broker: RabbitMQ, db: Database, bodies: Path, count: int) -> dict[str, float]:
    """To be measured after kopru, in the database it wrote: these are the rows."""
    statements = stage_rows(db)
    with _floor(broker, db, statements, count):
        _wait_for_consumer(broker)
        figures = _measure(broker, db, bodies, count)
    wait_until_alone(db)
    return figures
