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
pool_mode = transaction
default_pool_size = {pool_size}
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
def knows_prepared_statements() -> bool:
    """Whether this PgBouncer can take a prepared statement along to another session: from 1.21."""
    said = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True)
    version = re.match(r"PgBouncer (\d+)\.(\d+)", said.stdout)
    assert version is not None, said.stdout
    return (int(version[1]), int(version[2])) >= (1, 21)


class PgBouncer:
    """Server sessions are handed out in turn, so a client rarely meets the same one twice. Prepared
    statements stay with the session that prepared them, as they always did before 1.21, unless
    settings has another max_prepared_statements.

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
        if knows_prepared_statements():
            settings = {"max_prepared_statements": "0", **(settings or {})}
        self._config.write_text(
            _CONFIG.format(server_port=server.port, port=self.port, pool_size=pool_size,
                           users=users, superuser=SUPERUSER,
                           more="".join(f"{key} = {value}\n"
                                        for key, value in (settings or {}).items())))
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

    def stop(self) -> None:
        """At once: from 1.21 on SIGTERM waits until each client has left."""
        self._child.stop(signal.SIGQUIT)

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
