"""A private PgBouncer that pools by transaction, in front of a private PostgreSQL."""

import os
import re
import shutil
import signal
import subprocess
from functools import cache

import psycopg

from support.database import DAEMON, Database
from support.postgres import SUPERUSER, Postgres
from support.process import Child, free_port, make_directory, unprivileged_user
from support.wait import wait_until

_START_DEADLINE_S = 30

_CONFIG = """\
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
server_round_robin = 1
admin_users = {superuser}
{more}"""


def _program() -> str:
    """Another version than the installed one is named in KOPRU_PGBOUNCER."""
    found = os.environ.get("KOPRU_PGBOUNCER") or shutil.which(
        "pgbouncer", path="/usr/sbin:" + os.environ.get("PATH", os.defpath))
    if found is None:
        raise RuntimeError("no pgbouncer; ./dev setup installs it")
    return found


@cache
def is_newer() -> bool:
    """Whether this is 1.21 or later, which can take a prepared statement along to another session,
    and which SIGTERM does not end at once.
    """
    said = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True)
    version = re.match(r"PgBouncer (\d+)\.(\d+)", said.stdout)
    assert version is not None, said.stdout
    return (int(version[1]), int(version[2])) >= (1, 21)


def keeping(prepared: bool) -> dict[str, str]:
    """The settings with which it keeps prepared statements, or does not. Before 1.21 it cannot."""
    return {"max_prepared_statements": "200" if prepared else "0"} if is_newer() else {}


class PgBouncer:
    """Server sessions are handed out in turn, so a client rarely meets the same one twice. Whether
    it keeps prepared statements is its own default, which differs between versions, unless settings
    say so (keeping).

        with PgBouncer(server) as pooler:
            psycopg.connect(pooler.daemon_dsn(database))
    """

    def __init__(self, server: Postgres, *, pool_size: int = 3,
                 settings: dict[str, str] | None = None):
        self.port = free_port()
        self.directory = make_directory("kopru-pgbouncer-", unprivileged_user("postgres"))
        self._config = self.directory / "pgbouncer.ini"
        users = self.directory / "users.txt"
        users.write_text(f'"{SUPERUSER}" ""\n"{DAEMON}" ""\n')
        settings = {"pool_mode": "transaction", "default_pool_size": str(pool_size),
                    **(settings or {})}
        self._config.write_text(
            _CONFIG.format(server_port=server.port, port=self.port, users=users,
                           superuser=SUPERUSER,
                           more="".join(f"{key} = {value}\n" for key, value in settings.items())))
        self._child = Child("pgbouncer", self.directory / "pgbouncer.log",
                            unprivileged_user("postgres"))

    def __enter__(self) -> "PgBouncer":
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        self.launch()
        wait_until(self._answers, _START_DEADLINE_S, f"PgBouncer to answer on port {self.port}")

    def launch(self) -> None:
        """Begin to start, without waiting."""
        self._child.launch([_program(), str(self._config)], {"PATH": os.defpath}, self.directory,
                           "INT")

    def kill9(self) -> None:
        self._child.kill9()

    def send(self, number: int) -> None:
        """Send a signal, and wait until it has been noticed."""
        def noticed() -> int:
            return self._child.log_path.read_text().count(" got SIG")

        before = noticed()
        self._child.send(number)
        wait_until(lambda: not self.is_running() or noticed() > before, 30,
                   "PgBouncer to notice the signal")

    def is_running(self) -> bool:
        return self._child.is_running()

    def stop(self) -> None:
        """At once: from 1.21 on SIGTERM waits until each client has left, and earlier ones do not
        know SIGQUIT.
        """
        self._child.stop(signal.SIGQUIT if is_newer() else signal.SIGTERM)

    def console(self) -> psycopg.Connection:
        """Its admin console (PAUSE, RESUME, KILL, RECONNECT, SHOW). The caller closes it."""
        return psycopg.connect(self.dsn("pgbouncer", SUPERUSER), autocommit=True,
                               prepare_threshold=None, cursor_factory=psycopg.ClientCursor)

    def dsn(self, dbname: str, user: str) -> str:
        return psycopg.conninfo.make_conninfo(host="127.0.0.1", port=self.port, dbname=dbname,
                                              user=user)

    def daemon_dsn(self, database: Database) -> str:
        """What the daemon connects with, through the pooler."""
        return psycopg.conninfo.make_conninfo(database.daemon_dsn, port=self.port)

    def _answers(self) -> bool:
        self._child.require_running()
        try:
            psycopg.connect(self.dsn("postgres", SUPERUSER), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
