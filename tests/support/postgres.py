"""A private PostgreSQL server."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import psycopg

from support.process import (Child, as_user, free_port, is_gone, is_stopped, make_directory,
                             unprivileged_user)
from support.wait import wait_until

SUPERUSER = "postgres"

_START_DEADLINE_S = 60
_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def bin_directory() -> Path:
    """The server's programs: those in KOPRU_POSTGRES_BIN, which ./dev test --postgres sets, else
    the newest that are installed.
    """
    if "KOPRU_POSTGRES_BIN" in os.environ:
        return Path(os.environ["KOPRU_POSTGRES_BIN"])
    return installed_bin_directory()


def installed_bin_directory() -> Path:
    """Those of Debian's newest package; Debian keeps them out of PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                      key=lambda path: int(path.parts[4]))
    if not versions:
        raise RuntimeError("no PostgreSQL server below /usr/lib/postgresql; "
                           "./dev setup installs it")
    return versions[-1].parent


@cache
def major_version() -> int:
    """Of these programs: 18 for 18.4."""
    said = subprocess.run([bin_directory() / "postgres", "--version"], capture_output=True,
                          text=True, check=True).stdout
    found = re.search(r"\) (\d+)", said)
    assert found is not None, said
    return int(found[1])


def _children_of(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


class Postgres:
    """One server in its own temporary directory, on a free port of 127.0.0.1 and a UNIX socket.

    Everybody is trusted: the directory, and with it the socket, belongs to the server's user, and
    TCP is loopback only. The port and the data stay the same over stop and start; release() removes
    all.

        with Postgres() as server:
            server.admin().execute("SELECT 1")
    """

    def __init__(self, *, fsync: bool = False, settings: dict[str, str] | None = None,
                 keep: bool = False):
        """settings are lines of postgresql.conf. keep: the server outlives this program."""
        self.user = unprivileged_user("postgres")
        self.directory = make_directory("kopru-pg-", self.user)
        self.port = free_port()
        self._keep = keep
        self._bin = bin_directory()
        self._data = self.directory / "data"
        self._settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": f"'{self.directory}'",
            "fsync": "on" if fsync else "off",
            "track_commit_timestamp": "on",
            "shared_buffers": "'64MB'",
            "max_connections": "60",
            **(settings or {}),
        }
        self._child = Child("postgres", self.directory / "server.log", self.user)
        self._initialized = False
        self._preloaded: Mapping[str, str] = {}

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def log_path(self) -> Path:
        return self._child.log_path

    def __enter__(self) -> "Postgres":
        try:
            self.start()
        except BaseException:
            self.release()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def _environment(self) -> dict[str, str]:
        # PG* variables and locale of the caller must not reach the server.
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory),
                "LC_ALL": "C.UTF-8"}

    def _initialize(self) -> None:
        done = subprocess.run(
            as_user(self.user, [
                str(self._bin / "initdb"), "--auth=trust", f"--username={SUPERUSER}",
                "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D", str(self._data)]),
            env=self._environment(), cwd=self.directory, capture_output=True, text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")
        with open(self._data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{key} = {value}\n" for key, value in self._settings.items())
        self._initialized = True

    def preload(self, environment: Mapping[str, str]) -> None:
        """Start with a library before libc from now on, so that the server's clock can be set while
        it runs: its files must be in self.directory, where the server's user can read them.

            clock = stepping_clock(server.directory)
            server.preload(clock.environment)
            server.start()
            clock.numbers[0] = -3600
        """
        self._preloaded = environment

    def launch(self) -> None:
        """Begin to start, without waiting; make the data directory on first use."""
        if not self._initialized:
            self._initialize()
        self._child.launch(
            [str(self._bin / "postgres"), "-D", str(self._data)],
            {**self._environment(), **self._preloaded}, self.directory,
            None if self._keep else "INT",
        )

    def wait_until_ready(self) -> None:
        wait_until(self.answers, _START_DEADLINE_S, f"PostgreSQL to answer on port {self.port}")

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def stop(self, mode: str = "fast") -> None:
        """mode as pg_ctl's: smart, fast or immediate."""
        self._child.stop(_STOP_SIGNALS[mode])

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill9(self) -> None:
        """Kill the postmaster and wait for its backends, which hold the shared memory."""
        if not self._child.is_running():
            return
        self.freeze()  # else it could start another backend meanwhile
        wait_until(lambda: is_stopped(self.pid), 30, "the server to stand still")
        backends = _children_of(self.pid)
        self._child.kill9()
        wait_until(lambda: all(map(is_gone, backends)), 30, "the killed server's backends to end")

    def freeze(self) -> None:
        """The postmaster alone: nobody can connect, those who are connected go on."""
        self._child.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._child.send(signal.SIGCONT)

    def release(self) -> None:
        """Stop and remove everything. May be called twice."""
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def processes(self) -> list[int]:
        """The postmaster and all its children."""
        return [self.pid, *_children_of(self.pid)]

    def is_running(self) -> bool:
        return self._child.is_running()

    def answers(self) -> bool:
        """Whether it takes connections; RuntimeError if it ended."""
        self._child.require_running()
        try:
            psycopg.connect(self.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def dsn(self, dbname: str = "postgres", user: str = SUPERUSER, **parameters: str) -> str:
        """A libpq connection string over TCP; further parameters as keywords."""
        return psycopg.conninfo.make_conninfo(
            host="127.0.0.1", port=self.port, dbname=dbname, user=user, **parameters)

    def socket_dsn(self, dbname: str = "postgres", user: str = SUPERUSER, **parameters: str) -> str:
        """The same over the UNIX socket, which only root and the server's user can reach."""
        return psycopg.conninfo.make_conninfo(
            host=str(self.directory), port=self.port, dbname=dbname, user=user, **parameters)

    def admin(self, dbname: str = "postgres") -> psycopg.Connection:
        """A new autocommit connection as superuser; the caller closes it."""
        return psycopg.connect(self.dsn(dbname), autocommit=True)
