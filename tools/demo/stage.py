"""The private servers, the database and the daemon of one demo."""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from demo.kept import KeptDemo, Process
from demo.messages import ENTITIES
from support import database
from support.daemon import Kopru, default_settings, merged
from support.database import REPOSITORY, Database
from support.postgres import Postgres
from support.process import free_port, ignore_ending_signals
from support.rabbitmq import RabbitMQ

DATABASE = "crm"


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits meanwhile: it must not come between a directory and what will remove it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Stage:
    """Everything that is started, and its end: leaving the context stops all and removes it, unless
    keep_running() was called.

    With keep it outlives this program until then, too.
    """

    def __init__(self, keep: bool):
        self._keep = keep
        self._stack = ExitStack()
        self._logs: dict[str, Callable[[], Path]] = {}
        self.server: Postgres
        self.broker: RabbitMQ
        self.database: Database
        self.kopru: Kopru
        self.endpoint: str  # of kopru's health checks and metrics

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_exc: object) -> None:
        ignore_ending_signals()  # a second Ctrl-C must not cut this short
        self._stack.close()

    def launch_servers(self) -> None:
        """Begin to start both, without waiting: the broker takes several seconds."""
        with uninterrupted():
            self.broker = RabbitMQ(keep=self._keep)
            self._stack.callback(self.broker.release)
        self._logs["rabbitmq.log"] = lambda: self.broker.log_path
        self.broker.launch()
        with uninterrupted():
            self.server = Postgres(fsync=True, keep=self._keep)
            self._stack.callback(self.server.release)
        self._logs["postgres.log"] = lambda: self.server.log_path
        self.server.launch()

    def install(self) -> list[str]:
        """Install as migrations/README.md tells a DBA, with Sqitch; the names of the migrations."""
        self.database = database.create_empty(self.server, DATABASE)
        database.run_psql(self.database.admin_dsn, REPOSITORY / "sql" / "roles.sql")
        database.create_logins(self.server)
        database.grant_connect(self.database)
        env = {name: value for name, value in database.clean_environment().items()
               if not name.startswith("SQITCH_")}
        env |= {"PGOPTIONS": "-c role=kopru_owner", "SQITCH_FULLNAME": "kopru demo",
                "SQITCH_EMAIL": "demo@example.com"}
        target = f"db:pg://{database.DEPLOYER}@127.0.0.1:{self.server.port}/{DATABASE}"
        done = subprocess.run(["sqitch", "deploy", target], cwd=REPOSITORY, env=env,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"sqitch deploy ended with status "
                               f"{done.returncode}:\n{done.stdout}{done.stderr}")
        return re.findall(r"^  \+ (\S+)", done.stdout, re.M)

    def server_version(self) -> str:
        with self.server.admin() as connection:
            ((version,),
             ) = connection.execute("SELECT split_part(current_setting('server_version'), ' ', 1)")
        return version

    def broker_version(self) -> str:
        found = re.search(r"RabbitMQ (\d+\.\d+\.\d+)",
                          self.broker.log_path.read_text(errors="replace"))
        return found.group(1) if found else ""

    def launch_kopru(self) -> Kopru:
        """Start the daemon, whose login may write rows and nothing else."""
        self.endpoint = f"127.0.0.1:{free_port()}"
        settings = merged(default_settings(self.broker.uri, self.database.daemon_dsn, ENTITIES),
                          {"http": {"listen": self.endpoint}})
        with uninterrupted():
            self.kopru = Kopru(settings, keep=self._keep)
            self._stack.callback(self.kopru.release)
        self._logs["kopru.log"] = lambda: self.kopru.stderr_path
        self.kopru.launch()
        return self.kopru

    def unfinished(self) -> int:
        """Messages that are in the queues or delivered and not yet acknowledged."""
        depths = [self.broker.depth(queue) for queue in ENTITIES]
        return sum(depth.ready + depth.unacked for depth in depths)

    def save_logs(self) -> Path:
        """Copy the logs, which would go with the servers' directories; returns where they are."""
        directory = Path(tempfile.mkdtemp(prefix="kopru-demo-logs-"))
        for name, path in self._logs.items():
            if path().exists():
                shutil.copyfile(path(), directory / name)
        return directory

    def keep_running(self) -> KeptDemo:
        """Leaving stops nothing any more; saves the record that ./dev demo --stop needs."""
        kept = KeptDemo(
            processes=[
                Process.running("kopru", self.kopru.pid, signal.SIGTERM),
                Process.running("RabbitMQ", self.broker.pid, signal.SIGTERM),
                Process.running("epmd", self.broker.epmd_pid, signal.SIGTERM),
                Process.running("PostgreSQL", self.server.pid, signal.SIGINT),
            ],
            directories=[str(part.directory) for part in (self.kopru, self.broker, self.server)],
            amqp_uri=self.broker.uri,
        )
        kept.save()
        self._stack.pop_all()
        return kept
