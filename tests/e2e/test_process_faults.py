"""What the machine may do to the process: no descriptors, no memory, another time of day, a signal
at once.
"""

import json
import os
import random
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support.daemon import Kopru
from support.database import DAEMON
from support.preload import (Preload, early_signal, failing_malloc, require_plain_binary,
                             stepping_clock)
from support.wait import wait_until

_HOUR_S = 3600
_INTERNAL = 70
_FEW = 60  # messages
_GOOD = '{"id":"%d","name":"Güneş Ağaç","contactMedium":[{"characteristic":{"city":"Iğdır"}}]}'
_BAD = '{"id":"%d",'


def _publish_some(broker, queue: str, first: int = 0) -> None:
    """Good ones, and after each tenth one that is broken."""
    for n in range(first, first + _FEW):
        broker.publish_many(queue,
                            [(_GOOD % n).encode()] + ([(_BAD % n).encode()] if n % 10 == 9 else []))


def _require_all_applied(db, count: int = _FEW) -> None:
    counts = db.query("SELECT count(*), count(DISTINCT customer_id), count(name) "
                      "FROM kopru.customers")
    assert counts == [(count, count, count)]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == count
    assert db.query("SELECT reason, count(*) FROM kopru.dead_letters GROUP BY 1") == [("not_json",
                                                                                       count // 10)]


def _open_descriptors(daemon: Kopru) -> int:
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cut_broker(broker, _db) -> None:
    broker.rabbitmqctl("close_all_connections", "the test wants it")


def _cut_database(_broker, db) -> None:
    with psycopg.connect(db.admin_dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                           "%s AND datname = %s", (DAEMON, db.name))


# descriptors

@pytest.mark.parametrize(("cut", "event"), [(_cut_broker, "broker_unavailable"),
                                            (_cut_database, "database_unavailable")])
def test_without_a_free_descriptor_it_waits_until_there_is_one(cut, event: str, rabbitmq_server, db,
                                                               queues,
                                                              kopru: Callable[..., Kopru]) -> None:
    daemon = kopru()
    _publish_some(rabbitmq_server, queues.customer)  # now all its connections are made
    rabbitmq_server.wait_until_empty(queues.customer)
    descriptors = _open_descriptors(daemon)
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    # fewer than are open: not one more can be had
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (4, hard))
    cpu_s, logged = _cpu_s(daemon.pid), len(daemon.log_lines())
    cut(rabbitmq_server, db)
    _publish_some(rabbitmq_server, queues.customer, _FEW)

    def refusals() -> int:
        return sum("oo many open files" in line["why"] for line in daemon.events(event))

    daemon.wait_until(lambda: refusals() >= 4, 30, f"{event} for want of descriptors")
    assert _cpu_s(daemon.pid) - cpu_s < 2
    assert len(daemon.log_lines()) - logged < 100
    assert db.value("SELECT count(*) FROM kopru.customers") == _FEW

    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
    rabbitmq_server.wait_until_empty(queues.customer)
    _require_all_applied(db, 2 * _FEW)
    daemon.wait_until(lambda: _open_descriptors(daemon) <= descriptors, 30,
                      "the descriptors to be given back")
    assert daemon.terminate() == 0


@pytest.mark.parametrize("limit", [3, 4, 6, 8, 10, 12])
def test_started_without_descriptors_it_says_so_or_waits(limit: int, rabbitmq_server, db, queues,
                                                         kopru: Callable[..., Kopru]) -> None:
    """Too few even for its files: an error and an exit status of its own. Else it runs as soon as
    there are more.
    """
    rabbitmq_server.publish(queues.customer, (_GOOD % 1).encode())
    daemon = kopru(start=False, prefix=["prlimit", f"--nofile={limit}:1024", "--"])
    daemon.launch()
    wait_until(lambda: not daemon.is_running() or daemon.events("broker_unavailable")
               or daemon.events("database_unavailable")
               or daemon.events("consuming"), 30, "a word")
    if daemon.is_running():
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        rabbitmq_server.wait_until_empty(queues.customer)
        assert daemon.terminate() == 0
        assert db.value("SELECT count(*) FROM kopru.customers") == 1
    else:
        # 127: the loader found no libraries
        assert daemon.exit_code() in (_INTERNAL, 78, 127), daemon.tail()
        said = daemon.stderr_text()
        assert "oo many open files" in said or "cannot open shared object" in said, daemon.tail()


# memory

@contextmanager
def _memory_limit(daemon: Kopru, more_bytes: int) -> Iterator[None]:
    """No more address space than it has now and this."""
    pages = int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[0])
    unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_AS)
    resource.prlimit(daemon.pid, resource.RLIMIT_AS,
                     (pages * resource.getpagesize() + more_bytes, unlimited[1]))
    try:
        yield
    finally:
        if daemon.is_running():
            resource.prlimit(daemon.pid, resource.RLIMIT_AS, unlimited)


def _publish_large(broker, queue: str, count: int, size: int) -> None:
    broker.publish_many(queue,
                        (json.dumps({"id": str(n), "name": "x" * size}).encode()
                         for n in range(count)))


def test_without_memory_it_retries_or_leaves_and_nothing_is_lost(rabbitmq_server, db, queues,
                                                                 kopru: Callable[...,
                                                                                 Kopru]) -> None:
    """8 messages of 900 kB and 1 MiB for them."""
    require_plain_binary()
    daemon = kopru()
    with _memory_limit(daemon, 1 << 20):
        _publish_large(rabbitmq_server, queues.customer, 8, 900_000)
        wait_until(lambda: not daemon.is_running() or "memory" in daemon.stderr_text(), 60,
                   "a word about memory")
        assert "memory" in daemon.stderr_text()
    if not daemon.is_running():
        assert daemon.exit_code() == _INTERNAL
        daemon.start()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT count(*), min(length(name)) FROM kopru.customers") == [(8, 900_000)]
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert daemon.terminate() == 0


@pytest.fixture
def memory_cgroup() -> Iterator[Path]:
    """A memory cgroup of its own, where the kernel allows one (version 1)."""
    root = Path("/sys/fs/cgroup/memory")
    group = root / f"kopru-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    if not (group / "memory.limit_in_bytes").exists():
        group.rmdir()
        pytest.skip("there is no memory controller of cgroup version 1 here")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text(), 10, "the cgroup to be empty")
    group.rmdir()


def test_killed_for_its_memory_it_goes_on_after_a_restart(memory_cgroup: Path, rabbitmq_server, db,
                                                          queues,
                                                         kopru: Callable[..., Kopru]) -> None:
    require_plain_binary()
    daemon = kopru(limits={"max_unacknowledged_bytes": 64 << 20})
    _publish_large(rabbitmq_server, queues.customer, 1, 10)
    rabbitmq_server.wait_until_empty(queues.customer)
    (memory_cgroup / "cgroup.procs").write_text(str(daemon.pid))
    (memory_cgroup / "memory.limit_in_bytes").write_text(str(6 << 20))
    _publish_large(rabbitmq_server, queues.customer, 40, 900_000)
    assert daemon.wait_until_exit(60) == -signal.SIGKILL
    daemon.start()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT count(*), min(length(name)) FROM kopru.customers") == [(40, 900_000)]
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert daemon.terminate() == 0


# every allocation fails once

class _Scarce:
    """Runs of a daemon, each with another allocation that fails."""

    def __init__(self, broker, db, queue: str, make: Callable[..., Kopru], malloc: Preload):
        self._broker, self._db, self._queue, self._malloc = broker, db, queue, malloc
        # Kerberos' library does not look at all its allocations, and libpq asks it at each connect
        # unless told not to. An answer for which libpq finds no memory never comes, so the deadline
        # of a statement is what ends the wait for it.
        self._daemon = make(start=False, env=malloc.environment, postgres={
            "conninfo": f"{db.daemon_dsn} gssencmode=disable", "statement_timeout": 2,
            "lock_timeout": 1})

    def run(self, failing: int) -> str:
        """Work off some messages while that allocation fails; what came of it."""
        daemon, numbers = self._daemon, self._malloc.numbers
        self._db.query("TRUNCATE kopru.customers, kopru.dead_letters CASCADE")
        _publish_some(self._broker, self._queue)
        numbers[0], numbers[1], numbers[2] = 0, failing, 0
        daemon.launch()
        wait_until(lambda: not daemon.is_running() or self._broker.depth(self._queue).is_empty, 60,
                   "the queue to be empty")
        outcome = "went on"
        if daemon.is_running():
            status = daemon.terminate()
            what = f"allocation {failing}: status {status}\n{daemon.tail()}"
            assert status in (0, _INTERNAL, 1), what
        else:
            outcome = "left"
            what = f"allocation {failing}: status {daemon.exit_code()}\n{daemon.tail()}"
            assert daemon.exit_code() in (_INTERNAL, 78), what
            assert daemon.stderr_text(), f"allocation {failing}: it left without a word"
        failed = numbers[2]
        numbers[1] = 0
        if not self._broker.depth(self._queue).is_empty:
            daemon.start()
            self._broker.wait_until_empty(self._queue)
            assert daemon.terminate() == 0
        _require_all_applied(self._db)
        return outcome if failed else "never came to it"


@pytest.fixture
def scarce(rabbitmq_server, db, queues, kopru: Callable[..., Kopru],
           tmp_path: Path) -> tuple[_Scarce, Preload]:
    require_plain_binary()
    malloc = failing_malloc(tmp_path)
    return _Scarce(rabbitmq_server, db, queues.customer, kopru, malloc), malloc


def _numbers_to_fail(choice: random.Random, count: int, total: int) -> Iterator[int]:
    """All over the run: early ones, where there is one of each kind, more densely."""
    for n in range(count):
        low, high = total ** (n / count), total ** ((n + 1) / count)
        yield max(1, int(choice.uniform(low, high)))


def _fail_some(scarce: tuple[_Scarce, Preload], choice: random.Random, count: int) -> None:
    runs, malloc = scarce
    assert runs.run(0) == "never came to it"
    total = malloc.numbers[0]
    assert total > 1000
    outcomes = [runs.run(failing) for failing in _numbers_to_fail(choice, count, total)]
    print(f"{total} allocations in a run; of {count} that failed: "
          f"{ {what: outcomes.count(what) for what in set(outcomes)} }")
    assert outcomes.count("never came to it") < len(outcomes) / 2


def test_an_allocation_that_fails_loses_nothing(scarce: tuple[_Scarce, Preload],
                                                choice: random.Random) -> None:
    _fail_some(scarce, choice, 6)


@pytest.mark.full
def test_many_allocations_that_fail_lose_nothing(scarce: tuple[_Scarce, Preload],
                                                 choice: random.Random) -> None:
    _fail_some(scarce, choice, 150)


# the clock

def _wait_for_renewals(daemon: Kopru, db) -> None:
    before = db.value("SELECT clock_timestamp()")
    daemon.wait_until(lambda: db.value("SELECT min(renewed_at) FROM kopru.queues") > before, 30,
                      "the leases to be renewed")


def test_steps_of_the_clock_disturb_nothing(observed, queues, db, kopru: Callable[..., Kopru],
                                            tmp_path: Path) -> None:
    """An hour ahead, an hour behind, and back, under load, with a standby that must not take over.
    """
    require_plain_binary()
    clock = stepping_clock(tmp_path)
    daemon = kopru(env=clock.environment)
    standby = kopru(start=False, env=clock.environment, log={"level": "debug"})
    standby.launch()
    standby.wait_for_event("standby")
    epochs = db.query("SELECT queue, epoch, holder FROM kopru.queues ORDER BY queue")
    committed = "SELECT count(*) FROM history.states"
    with observed.start(entities=50):
        for offset_s in (_HOUR_S, -_HOUR_S, -1):
            clock.numbers[0] = offset_s
            before = db.value(committed)
            daemon.wait_until(lambda before=before: db.value(committed) > before, 30, "more rows")
            _wait_for_renewals(daemon, db)
    for queue in queues.entities():
        daemon.wait_until(lambda queue=queue: db.value(
            "SELECT last_commit_at >= last_message_at FROM kopru.queues WHERE queue = %s", queue),
                          60, "the rest to be committed")
    clock.numbers[0] = _HOUR_S
    _wait_for_renewals(daemon, db)
    assert db.query("SELECT queue, epoch, holder FROM kopru.queues ORDER BY queue") == epochs
    assert db.value("SELECT bool_and(last_message_at BETWEEN now() - interval '10 minutes' AND "
                    "now()) FROM kopru.queues"), "the daemon's clock got into the table"
    disturbances = {"broker_unavailable", "database_unavailable", "lease_lost", "lease_acquired",
               "shutdown_timeout", "paused"}
    assert {line["event"] for line in daemon.log_lines()} & disturbances == {"lease_acquired"}
    count = len(queues.entities())
    assert len(daemon.events("lease_acquired")) == len(daemon.events("consuming")) == count
    assert not standby.events("consuming")
    assert standby.terminate() == 0
    clock.numbers[0] = -_HOUR_S
    assert daemon.terminate() == 0
    hours = {line["ts"][:13] for line in standby.log_lines()}
    assert len(hours) >= 2, "the clock was not stepped at all"


# signals

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_it_has_read_its_files_ends_it_cleanly(number: signal.Signals,
                                                               kopru: Callable[..., Kopru],
                                                               tmp_path: Path) -> None:
    require_plain_binary()
    early = early_signal(tmp_path)
    early.numbers[0] = number
    daemon = kopru(start=False, env=early.environment)
    daemon.launch()
    assert daemon.wait_until_exit(30) == 0
    assert early.numbers[1] == 1
    assert [line["status"] for line in daemon.events("stopped")] == [0]
