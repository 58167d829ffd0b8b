"""What happens to a whole PostgreSQL server: killed, frozen, starting up, failed over, out of disk.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support import database
from support.customers import (assert_applied, only_customers, publish, unacked, wait_for_state,
                               wait_until_empty)
from support.database import DAEMON
from support.postgres import Postgres
from support.process import as_user, make_directory
from support.wait import patience, wait_until

_QUICK = {"statement_timeout": 2, "lock_timeout": 1, "connect_timeout": 3}


def _terminate_one(db, choice) -> None:
    pids = [pid for (pid,) in db.query("SELECT pid FROM pg_stat_activity WHERE usename = %s",
                                       DAEMON)]
    if pids:
        db.query("SELECT pg_terminate_backend(%s)", choice.choice(pids))


@pytest.mark.full
def test_backends_are_terminated_at_random_moments(rabbitmq_server, db, queues, kopru, observed,
                                                   choice):
    daemon = kopru()
    with observed.start():
        for _ in range(200):
            # the fault is the random moment, nothing is awaited
            time.sleep(choice.uniform(0, 0.05) * patience())
            _terminate_one(db, choice)
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120,
                          f"queue {queue!r} to be empty")
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert len(daemon.events("database_unavailable")) >= 20
    assert daemon.terminate() == 0


def test_the_server_is_killed_under_load(rabbitmq_server, postgres_server, db, queues, kopru,
                                         observed):
    """kill -9 of the postmaster; its data were on their way to the disk as they are after any
    crash.
    """
    daemon = kopru()
    states = "SELECT count(*) FROM history.states"
    with observed.start():
        for _ in range(2):
            before = db.value(states)
            wait_until(lambda: db.value(states) >= before + 200, 60, "rows to be written")
            postgres_server.kill9()
            postgres_server.start()
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: rabbitmq_server.depth(name).is_empty, 120,
                          f"queue {queue!r} to be empty")
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert daemon.terminate() == 0


@pytest.mark.full
def test_the_whole_server_freezes(rabbitmq_server, postgres_server, db, queues, kopru):
    """Its sockets go on accepting, and nobody answers: neither the old connections nor the new
    ones.
    """
    daemon = kopru(queues=only_customers(queues), amqp={"heartbeat": 10}, postgres=_QUICK)
    publish(rabbitmq_server, queues)
    wait_until_empty(rabbitmq_server, queues, daemon)
    frozen = postgres_server.processes()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        publish(rabbitmq_server, queues, "name 2")
        daemon.wait_until(lambda: {"no answer within the statement timeout",
                                   "no answer within the connect timeout"} <= {
            line["why"] for line in daemon.events("database_unavailable")}, 60,
                          "kopru to give up both ways")
        assert unacked(rabbitmq_server, queues) > 0
        assert not daemon.events("broker_unavailable")
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, "name 2")
    assert daemon.terminate() == 0


# ---- servers of their own


@contextmanager
def _server(**options) -> Iterator[tuple[Postgres, database.Database]]:
    with Postgres(**options) as server:
        yield server, database.create_installed(server)


def _conninfo(db) -> dict:
    return {**_QUICK, "conninfo": db.daemon_dsn}


@pytest.mark.full
def test_the_server_does_not_accept_connections_yet(rabbitmq_server, queues, kopru):
    """57P03: here a standby that does not let anybody in; a server that recovers from a crash says
    the same.
    """
    with _server() as (server, db):
        daemon = kopru(queues=only_customers(queues), postgres=_conninfo(db))
        server.stop()
        data = server.directory / "data"
        with open(data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("hot_standby = off\n")
        (data / "standby.signal").touch()
        if server.user is not None:
            shutil.chown(data / "standby.signal", server.user)
        server.launch()
        publish(rabbitmq_server, queues)
        told = daemon.wait_until(lambda: [line for line in daemon.events("database_unavailable")
                                          if "57P03" in line["why"]], 60,
                                 "the server's answer")[0]
        assert told["hint"] == "the server starts up, recovers or shuts down"
        server.stop("immediate")
        (data / "standby.signal").unlink()
        server.start()
        wait_until_empty(rabbitmq_server, queues, daemon)
        assert_applied(db)


@pytest.mark.full
def test_a_standby_is_promoted(rabbitmq_server, queues, kopru):
    """The old primary comes back as a standby, first in the list of hosts: the one that can write
    is found.
    """
    with _server() as (primary, db):
        standby = _Standby(primary)
        try:
            standby.start()
            dsn = psycopg.conninfo.make_conninfo(db.daemon_dsn, host="127.0.0.1,127.0.0.1",
                                                 port=f"{primary.port},{standby.port}",
                                                 target_session_attrs="read-write")
            daemon = kopru(queues=only_customers(queues), postgres={**_QUICK, "conninfo": dsn})
            publish(rabbitmq_server, queues)
            wait_until_empty(rabbitmq_server, queues, daemon)
            # An asynchronous standby may be behind, which is outside of what kopru promises.
            position = db.value("SELECT pg_current_wal_flush_lsn()::text")
            there = database.Database(standby, db.name)
            wait_until(lambda: there.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn",
                                           position), 30, "the standby to follow")
            primary.stop("immediate")
            publish(rabbitmq_server, queues, "name 2")
            daemon.wait_for_event("database_unavailable", count=2)
            there.query("SELECT pg_promote()")
            # Writable for the server and not for kopru, as a fenced former primary is: only the
            # other can be meant.
            with open(primary.directory / "data" / "postgresql.conf", "a",
                      encoding="utf-8") as conf:
                conf.write("default_transaction_read_only = on\n")
            primary.start()
            wait_until_empty(rabbitmq_server, queues, daemon)
            assert_applied(there, "name 2")
            assert db.query("SELECT DISTINCT name FROM kopru.customers") == [("name 1",)]
            assert daemon.terminate() == 0
        finally:
            standby.release()


class _Standby(Postgres):
    """A streaming standby of another server, made by pg_basebackup."""

    def __init__(self, primary: Postgres):
        super().__init__()
        self._primary = primary

    def _initialize(self) -> None:
        subprocess.run(as_user(self.user, [
            str(self._bin / "pg_basebackup"), "-d", self._primary.dsn(), "-D", str(self._data),
            "-R", "-X", "stream", "-c", "fast"]),
            env=self._environment(), cwd=self.directory, check=True, capture_output=True)
        with open(self._data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.directory}'\n")
        self._initialized = True


# ---- no space


@pytest.fixture
def small_disk() -> Iterator[Callable[[str, int], Path]]:
    """small_disk(user, megabytes): a file system of its own."""
    mounted: list[Path] = []

    def make(user: str | None, megabytes: int) -> Path:
        path = make_directory("kopru-disk-", user)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none",
                               str(path)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            path.rmdir()
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(path)
        if user is not None:
            shutil.chown(path, user)
        path.chmod(0o700)
        return path

    yield make
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=False)
        path.rmdir()


def _fill(directory: Path) -> Path:
    ballast = directory / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass
        try:
            while True:
                file.write(b"\0" * 512)
        except OSError:
            return ballast


@pytest.mark.full
def test_the_disk_of_the_tables_is_full(rabbitmq_server, queues, kopru, small_disk):
    with _server() as (server, db):
        directory = small_disk(server.user, 16)
        db.query(f"CREATE TABLESPACE small LOCATION '{directory}'")
        db.query("ALTER TABLE kopru.contact_mediums SET TABLESPACE small")
        daemon = kopru(queues=only_customers(queues), postgres=_conninfo(db))
        ballast = _fill(directory)
        publish(rabbitmq_server, queues, count=500)
        told = wait_for_state(daemon, "database_unavailable", "53100", 2)
        assert "disk is full" in told["hint"]
        assert unacked(rabbitmq_server, queues) > 0
        ballast.unlink()
        wait_until_empty(rabbitmq_server, queues, daemon)
        assert_applied(db, count=500)


@pytest.mark.full
def test_the_disk_of_the_wal_is_full(rabbitmq_server, queues, kopru, small_disk):
    """PostgreSQL then stops by itself; somebody frees space and starts it again."""
    with Postgres() as server:
        directory = small_disk(server.user, 96)
        server.stop()
        wal = server.directory / "data" / "pg_wal"
        shutil.copytree(wal, directory / "wal", copy_function=shutil.copy2)
        for path in (directory / "wal", *(directory / "wal").rglob("*")):
            if server.user is not None:
                shutil.chown(path, server.user)
        (directory / "wal").chmod(0o700)
        shutil.rmtree(wal)
        wal.symlink_to(directory / "wal")
        server.start()
        db = database.create_installed(server)
        daemon = kopru(queues=only_customers(queues), postgres=_conninfo(db))
        ballast = _fill(directory)
        rounds = 0

        def is_down() -> bool:
            nonlocal rounds
            rounds += 1
            if rabbitmq_server.depth(queues.customer).is_empty:
                publish(rabbitmq_server, queues, f"name {rounds}", 500)
            return not server.is_running()

        wait_until(is_down, 120, "the server to run out of space")
        daemon.wait_for_event("database_unavailable", count=2)
        assert daemon.is_running()
        ballast.unlink()
        server.start()
        wait_until_empty(rabbitmq_server, queues, daemon)
        assert db.value("SELECT count(*) FROM kopru.customers") == 500
        assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
        server.stop()  # before its disk goes
