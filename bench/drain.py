"""One measurement: a consumer drains a filled queue, from its first look at it to the last
acknowledgement.

The broker itself is asked, every few milliseconds, what it holds and for whom. The time begins with
the last look that saw the full queue without a consumer and ends after the first that saw nothing
ready and nothing unacknowledged: what the looks cost and miss counts against the consumer.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from support.daemon import Kopru, default_settings, merged
from support.database import REPOSITORY, Database
from support.postgres import Postgres
from support.rabbitmq import RabbitMQ

from bench import site
from bench.site import Work

QUEUE = "bench"
PREFETCH = 2000  # kopru's default
BATCH = 500      # likewise
WRITERS = 2      # likewise

_LOOK_EVERY_S = 0.01
_DEADLINE_S = 900


@dataclass(frozen=True)
class Processor:
    """Seconds of processor time."""

    consumer_cpu_s: float
    postgres_cpu_s: float
    broker_cpu_s: float

    def since(self, before: "Processor") -> "Processor":
        return Processor(*(late - early
                           for early, late in zip(astuple(before), astuple(self), strict=True)))


@dataclass(frozen=True)
class Drained:
    messages: int
    seconds: float
    work: Work | None = None
    peak_kb: int | None = None
    processor: Processor | None = None


def _processor_s(pid: int) -> float:
    """Of a process, its children that have ended, and those that live."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if path.parent.name == str(pid):
            total += sum(map(int, fields[11:15]))
        elif fields[1] == str(pid):
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def processor_so_far(broker: RabbitMQ, server: Postgres) -> Processor:
    """The consumer's part is that of our children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Processor(children.ru_utime + children.ru_stime, _processor_s(server.pid),
                     _processor_s(broker.pid))


def peak_kb(pid: int) -> int:
    """The process's peak resident size so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("the process has no VmHWM")


def time_drain(broker: RabbitMQ, begin: Callable[[], None],
               require_alive: Callable[[], None]) -> tuple[int, float]:
    """(messages, seconds) from begin() until the queue is empty and acknowledged."""
    total = broker.depth(QUEUE).ready
    idle_at = time.monotonic()
    begun = False
    begin()
    while True:
        asked_at = time.monotonic()
        depth = broker.depth(QUEUE)
        if not begun and depth.consumers == 0 and depth.ready == total:
            idle_at = asked_at
        else:
            begun = True
        if begun and depth.is_empty:
            return total, time.monotonic() - idle_at
        if asked_at - idle_at > _DEADLINE_S:
            raise TimeoutError(f"the queue still holds {depth} after {_DEADLINE_S} s")
        require_alive()
        time.sleep(_LOOK_EVERY_S)


def wait_until_alone(db: Database) -> None:
    """Until the sessions of a consumer that left have ended."""
    end = time.monotonic() + 30
    while site.others_connected(db):
        if time.monotonic() > end:
            raise TimeoutError("the consumer's sessions do not end")
        time.sleep(_LOOK_EVERY_S)


def settings_of(broker: RabbitMQ, db: Database, entity: str,
                changes: dict[str, object]) -> dict[str, object]:
    """kopru's defaults, but for what changes says; keys of the queue under "queue"."""
    settings = default_settings(broker.uri, db.daemon_dsn, {QUEUE: entity})
    queue = {"name": QUEUE, "entity": entity, **changes.get("queue", {})}  # type: ignore[dict-item]
    return merged(settings, {**{name: value for name, value in changes.items() if name != "queue"},
                             "queues": [queue]})


@contextmanager
def running_kopru(broker: RabbitMQ, db: Database, entity: str,
                  changes: dict[str, object]) -> Iterator[Kopru]:
    """Not started yet; what still runs at the end is asked to finish, and must."""
    daemon = Kopru(settings_of(broker, db, entity, changes))
    try:
        yield daemon
        if daemon.terminate() != 0:
            raise RuntimeError(daemon.tail())
    finally:
        daemon.release()


def drain_with_kopru(broker: RabbitMQ, db: Database, entity: str,
                     changes: dict[str, object] | None = None) -> Drained:
    before = site.work_so_far(db)
    processor = processor_so_far(broker, db.server)
    with running_kopru(broker, db, entity, changes or {}) as daemon:

        def require_alive() -> None:
            if not daemon.is_running():
                raise RuntimeError(f"kopru ended with status {daemon.exit_code()}\n{daemon.tail()}")

        messages, seconds = time_drain(broker, daemon.launch, require_alive)
        peak = peak_kb(daemon.pid)
    wait_until_alone(db)
    processor = processor_so_far(broker, db.server).since(processor)
    return Drained(messages, seconds, site.work_since(db, before), peak, processor)


def drain_alone(broker: RabbitMQ, server: Postgres) -> Drained:
    processor = processor_so_far(broker, server)
    total = broker.depth(QUEUE).ready
    started: list[subprocess.Popen[bytes]] = []
    command = [str(site.programs() / "broker_alone"), broker.uri, QUEUE, str(PREFETCH), str(BATCH),
               str(total)]

    def require_alive() -> None:
        if started[0].poll() not in (None, 0):
            raise RuntimeError(f"broker_alone ended with status {started[0].returncode}")

    try:
        messages, seconds = time_drain(broker, lambda: started.append(subprocess.Popen(command)),
                                       require_alive)
    finally:
        for process in started:
            process.wait()
    return Drained(messages, seconds, processor=processor_so_far(broker, server).since(processor))


def drain_by_hand(broker: RabbitMQ, db: Database, entity: str, connections: int) -> Drained:
    """Run the hand-written consumer in several processes, connected and warm before they begin."""
    before = site.work_so_far(db)
    processor = processor_so_far(broker, db.server)
    command = [sys.executable, "-m", "bench.handwritten", broker.uri, QUEUE, db.daemon_dsn, entity]
    processes: list[subprocess.Popen[str]] = []

    def begin() -> None:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

    def require_alive() -> None:
        for process in processes:
            if process.poll() is not None:
                raise RuntimeError(f"the hand-written consumer ended with status "
                                   f"{process.returncode}")

    try:
        for _ in range(connections):
            processes.append(subprocess.Popen(command, cwd=REPOSITORY, text=True,
                                              stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the hand-written consumer does not connect")
        messages, seconds = time_drain(broker, begin, require_alive)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.communicate()
    wait_until_alone(db)
    processor = processor_so_far(broker, db.server).since(processor)
    return Drained(messages, seconds, site.work_since(db, before), processor=processor)
