"""The private servers of a run, its databases, and what a measurement needs to know of them."""

import os
import platform
import re
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import Path

import pika
import psycopg
from psycopg import sql
from support import database
from support.database import Database
from support.postgres import Postgres
from support.rabbitmq import RabbitMQ
from support.servers import start_together
from support.tables import DATA_TABLES

from bench import workloads

# What a DBA would set on a machine of this size; all else is PostgreSQL's default.
POSTGRES_SETTINGS = {
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "track_commit_timestamp": "off",
    "shared_buffers": "'1GB'",
    "effective_cache_size": "'4GB'",
    "max_wal_size": "'8GB'",
    "checkpoint_timeout": "'15min'",
    "random_page_cost": "1.1",
}
TABLES_OF = {
    "customer": ("customers", "contact_mediums"),
    "subscription": ("subscriptions", "subscription_characteristics", "engaged_parties"),
}
KEY_OF = {"customer": "customer_id", "subscription": "subscription_id"}
_BY_ITSELF = ("payload_hash", "source_time", "created_at", "updated_at")


@dataclass(frozen=True)
class Work:
    """What the database had to do: WAL in bytes, and rows of the data tables by operation."""

    wal_bytes: int
    inserted: int
    updated: int
    hot_updated: int
    deleted: int


def programs() -> Path:
    return database.REPOSITORY / os.environ.get("KOPRU_BENCH_BUILD", "build-release") / "bench"


class Site:
    """A context. Measured databases are copies of templates; restore() makes a new copy."""

    RUN = "bench_run"

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.directory = Path(self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="kopru-bench-")))
        self.broker = RabbitMQ()
        self._stack.callback(self.broker.release)
        self.server = Postgres(fsync=True, settings=POSTGRES_SETTINGS)
        self._stack.callback(self.server.release)

    def __enter__(self) -> "Site":
        try:
            start_together(self.server, self.broker)
            self.templates = {workloads.EMPTY: database.create_installed(self.server,
                                                                         "bench_empty").name}
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def bodies_file(self, name: str) -> Path:
        return self.directory / re.sub(r"\W+", "-", name)

    def restore(self, template: str) -> Database:
        """The database of the next measurement, as the template has it. Nothing of earlier
        measurements is left to be written.
        """
        with self.server.admin() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.RUN} WITH (FORCE)")
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(self.RUN), sql.Identifier(self.templates[template])))
            connection.execute(f"REVOKE ALL ON DATABASE {self.RUN} FROM PUBLIC")
        db = Database(self.server, self.RUN)
        database.grant_connect(db)
        with db.admin() as connection:
            connection.execute(
                f"ALTER TABLE kopru.subscriptions ADD CONSTRAINT site_document CHECK "
                f"(document_number <> '{workloads.REFUSED_DOCUMENT}')"
                if template == workloads.EMPTY else "SELECT")
            connection.execute("CHECKPOINT")
        return db

    def keep_as(self, template: str, name: str) -> None:
        """Make the measured database a template: at rest, without a trace of who wrote it."""
        with psycopg.connect(self.server.dsn(self.RUN), autocommit=True) as connection:
            connection.execute("DELETE FROM kopru.queues")
            connection.execute("VACUUM (ANALYZE)")
        with self.server.admin() as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(self.RUN), sql.Identifier(name)))
        self.templates[template] = name

    def fresh_queue(self, name: str, *bodies: Path) -> None:
        """An empty queue, filled from the files."""
        self.broker.delete_queue(name)
        self.broker.declare_queue(name)
        for path in bodies:
            self.publish(name, path)

    def publish(self, queue: str, path: Path) -> None:
        done = subprocess.run([str(programs() / "publish"), self.broker.uri, queue, str(path)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())


def work_so_far(db: Database) -> Work:
    """To be asked when all sessions that worked have ended: then their counts are complete."""
    (counts,) = db.query("SELECT pg_current_wal_insert_lsn() - '0/0', sum(n_tup_ins), "
                         "sum(n_tup_upd), sum(n_tup_hot_upd),"
                         " sum(n_tup_del) FROM pg_stat_user_tables WHERE schemaname = 'kopru' AND "
                         "relname = ANY (%s)", list(DATA_TABLES))
    return Work(*map(int, counts))


def work_since(db: Database, before: Work) -> Work:
    after = work_so_far(db)
    return Work(*(late - early
                  for early, late in zip(astuple(before), astuple(after), strict=True)))


def others_connected(db: Database) -> int:
    return int(str(db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> "
                            "pg_backend_pid()"
                            " AND backend_type = 'client backend'", db.name)))


def digest(db: Database, entity: str) -> dict[str, tuple[int, str]]:
    """Count and digest of the rows of each table, without the columns that say when and by whom."""
    found = {}
    for table in TABLES_OF[entity]:
        (row,) = db.query(f"SELECT count(*), sum(hashtextextended((to_jsonb(t) - "
                          f"%s::text[])::text, 0))::text FROM kopru.{table} t", list(_BY_ITSELF))
        found[table] = row
    return found


def machine(site: Site) -> dict[str, str]:
    def first(path: str, pattern: str) -> str:
        match = re.search(pattern, Path(path).read_text(errors="replace"), re.MULTILINE)
        return match[1] if match else "unknown"

    memory_kb = int(first("/proc/meminfo", r"^MemTotal:\s+(\d+)"))
    with site.server.admin() as connection:
        ((postgres,),) = connection.execute(
            "SELECT split_part(current_setting('server_version'), ' ', 1)").fetchall()
    return {
        "processor": f"{os.cpu_count()} x {first('/proc/cpuinfo', r'^model name.*: (.*)$')}",
        "memory": f"{memory_kb / 1048576:.0f} GiB",
        "system": f"{first('/etc/os-release', r'^PRETTY_NAME=.(.*).$')}, "
                  f"Linux {platform.release()}",
        "fsync of 8 kB": f"{fsync_ms(site.server.directory):.2f} ms",
        "PostgreSQL": postgres,
        "RabbitMQ": first(str(site.broker.log_path), r"RabbitMQ (\d+\.\d+\.\d+)"),
        "pika": pika.__version__,
        "psycopg": f"{psycopg.__version__} ({psycopg.pq.__impl__})",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def fsync_ms(directory: Path) -> float:
    """Median of some writes with fdatasync, where the database is."""
    times = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(50):
            begin = time.perf_counter()
            os.pwrite(file.fileno(), b"\0" * 8192, 0)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2] * 1000
