"""Everything that a run breaks: the private servers, the networks before them, and two daemons."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg
from support import database, hidepid, history
from support.daemon import Kopru, Relay, default_settings, merged
from support.database import DAEMON, Database
from support.pg_errors import PgErrors
from support.pgbouncer import PgBouncer
from support.postgres import Postgres
from support.preload import stepping_clock
from support.process import free_port
from support.rabbitmq import RabbitMQ

from chaos import takeovers
from chaos.clock import ServerClock, uptime
from chaos.control import BrokerControl
from chaos.network import Network
from chaos.publisher import REFUSED_STATUS
from chaos.tap import AmqpTap, Traffic

SHUTDOWN_TIMEOUT_S = 12
QUEUES = {"chaos-customer": "customer", "chaos-subscription": "subscription"}

_PAUSE_S = 0.05
_SERVER_DEADLINE_S = 60
_CONNECT_S = 5
_LOCK_MS = 1000
_POSTGRES_SETTINGS = {"deadlock_timeout": "'200ms'", "log_min_messages": "error",
                      "log_min_error_statement": "panic"}

# Short, so that a run of a minute sees them expire.
_TIMES = {
    "amqp": {"heartbeat": 2, "connect_timeout": 3, "rpc_timeout": 3},
    "postgres": {"connect_timeout": 3, "statement_timeout": 4, "lock_timeout": 1},
    "shutdown_timeout": SHUTDOWN_TIMEOUT_S,
}

# The site's own rules, and in the history: dead letters, leases, and when a row was written by what
# no step of the server's clock moves.
SITE_RULES = f"""
CREATE FUNCTION history.uptime() RETURNS float8 LANGUAGE sql VOLATILE AS $$
    SELECT pg_catalog.split_part(pg_catalog.pg_read_file('/proc/uptime'), ' ', 1)::float8
$$;
ALTER TABLE history.states ADD uptime float8 NOT NULL DEFAULT history.uptime();
ALTER TABLE kopru.customers ADD CONSTRAINT site_rule
    CHECK (status IS DISTINCT FROM '{REFUSED_STATUS}');
CREATE FUNCTION history.site_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = '{REFUSED_STATUS}' THEN RAISE EXCEPTION 'the site refuses %', NEW.name; END IF;
    RETURN NEW;
END
$$;
GRANT USAGE ON SCHEMA history TO kopru_writer;
CREATE TRIGGER site_rule BEFORE INSERT OR UPDATE ON kopru.subscriptions
    FOR EACH ROW EXECUTE FUNCTION history.site_rule();
CREATE TABLE history.dead_letters (queue text NOT NULL, body_sha256 bytea NOT NULL,
                                   uptime float8 NOT NULL DEFAULT history.uptime());
CREATE FUNCTION history.note_dead_letter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO history.dead_letters (queue, body_sha256) VALUES (NEW.queue, NEW.body_sha256);
    RETURN NULL;
END
$$;
CREATE TRIGGER history AFTER INSERT OR UPDATE ON kopru.dead_letters
    FOR EACH ROW EXECUTE FUNCTION history.note_dead_letter();
{takeovers.RECORD}"""

_ROOTS = {"customer": ("customers", "customer_id"),
          "subscription": ("subscriptions", "subscription_id")}


class SiteLike(Protocol):
    quorum: dict[str, bool]
    single_active_consumer: bool
    pooler: bool
    writers: int
    prefetch: int
    batch: int
    hidden: bool


def until(condition: Callable[[], object], deadline_s: float, what: str) -> Iterator[float]:
    """Like wait_until, as a generator of pauses."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {deadline_s:g} s for {what}")
        yield _PAUSE_S


@dataclass
class End:
    """How one run of a daemon ended."""

    instance: str
    run: int
    asked: str  # "kill9", a signal's name, or "" if nobody asked
    status: int | None
    silent: bool = False  # it logged nothing
    pid: int = 0
    since: float = 0  # the uptime when it was asked

    @property
    def is_fine(self) -> bool:
        """A signal may find servers that are away: then 1, after shutdown_timeout. Or a program
        that still loads its libraries.
        """
        if self.asked == "kill9":
            return self.status == -signal.SIGKILL
        return bool(self.asked) and (self.status in (0, 1)
                                     or (self.silent and self.status
                                         == -signal.Signals[self.asked]))


class Instance:
    """One daemon behind networks of its own. Its networks outlive its runs."""

    def __init__(self, name: str, settings: dict[str, object], http_port: int,
                 amqp_network: Network, sql_network: Network, prefix: Sequence[str] = ()):
        self.name = name
        self.relay = Relay()
        self.kopru = Kopru(settings, prefix=prefix, relay=self.relay)
        self.http_port = http_port
        self.amqp_network = amqp_network
        self.sql_network = sql_network
        self.is_frozen = False
        self.run = 0
        self.ends: list[End] = []

    def launch(self) -> None:
        if self.is_running():
            return
        self._note_end("", 0)
        self.kopru.launch()
        self.run += 1

    def is_running(self) -> bool:
        return self.kopru.is_running()

    @property
    def pid(self) -> int | None:
        return self.kopru.pid if self.is_running() else None

    @property
    def ports(self) -> dict[int, str]:
        return {self.amqp_network.port: "RabbitMQ", self.sql_network.port: "PostgreSQL"}

    def kill9(self) -> None:
        asked, since = "kill9" if self.is_running() else "", uptime()
        self.kopru.kill9()
        self._note_end(asked, since)

    def terminated(self, number: int) -> Iterator[float]:
        """Asks the daemon to end, and waits until it has ended."""
        asked, since = "", uptime()
        if self.is_running():
            asked = signal.Signals(number).name
            self.kopru.send(number)
            yield from until(lambda: not self.is_running(), SHUTDOWN_TIMEOUT_S + 10,
                             f"the {self.name} daemon to end")
        self._note_end(asked, since)

    def freeze(self) -> None:
        if self.is_running():
            self.is_frozen = True
            self.kopru.stop()

    def thaw(self) -> None:
        if self.is_running():
            self.kopru.cont()
        self.is_frozen = False

    def _note_end(self, asked: str, since: float) -> None:
        """Notes how the daemon ended, once for each run."""
        if self.run > len(self.ends):
            self.ends.append(End(self.name, self.run, asked, self.kopru.exit_code(),
                                 not self.kopru.stderr_text(), self.kopru.pid, since))

    def logs(self) -> list[Path]:
        return [self.kopru.directory / f"stderr.{run}" for run in range(1, self.run + 1)]


@dataclass
class World:
    """with world.built(site) as world: ... Everything is removed at the end."""

    choice: random.Random  # for what no plan can know, such as which backends there will be
    server: Postgres
    clock: ServerClock
    broker: RabbitMQ
    database: Database
    control: BrokerControl
    pooler: PgBouncer | None
    traffic: Traffic
    errors: PgErrors
    instances: list[Instance] = field(default_factory=list)

    @property
    def first(self) -> Instance:
        return self.instances[0]

    @property
    def second(self) -> Instance:
        return self.instances[1]

    # ---- PostgreSQL ----

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection]:
        dsn = self.server.dsn(self.database.name, connect_timeout=str(_CONNECT_S),
                              options=f"-c lock_timeout={_LOCK_MS} -c "
                                      "default_transaction_read_only=off")
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection

    def sql(self, statement: str, *parameters: object) -> None:
        with self.admin() as connection:
            connection.execute(statement, parameters or None)

    def altered(self, statement: str) -> Iterator[float]:
        """Repeats a statement that needs a lock until it gets the lock."""

        def done() -> bool:
            try:
                self.sql(statement)
            except psycopg.errors.LockNotAvailable:
                return False
            return True

        return until(done, _SERVER_DEADLINE_S, statement)

    def backends(self, share: float) -> list[int]:
        """The daemons' backends, or a share of them: at least one, if there are any."""
        with self.admin() as connection:
            pids = [pid for (pid,) in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE usename = %s ORDER BY backend_start",
                (DAEMON,))]
        return self.choice.sample(pids, min(len(pids), max(1, round(share * len(pids)))))

    @staticmethod
    def kill(pid: int, number: int) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def database_started(self) -> Iterator[float]:
        if not self.server.is_running():
            self.server.launch()
        return until(self.server.answers, _SERVER_DEADLINE_S, "PostgreSQL to answer")

    @contextmanager
    def lock(self, table: str) -> Iterator[None]:
        with self.admin() as connection:
            try:
                with connection.transaction():
                    try:
                        connection.execute(f"LOCK TABLE kopru.{table} IN ACCESS EXCLUSIVE MODE")
                    # a frozen daemon holds the lock, and others wait for it
                    except psycopg.errors.LockNotAvailable:
                        pass
                    yield
            except psycopg.errors.InFailedSqlTransaction:
                pass

    @contextmanager
    def quarreling_client(self, entity: str) -> Iterator[None]:
        """A foreign transaction that locks rows in the order opposite to kopru's."""
        stop = threading.Event()
        table, key = _ROOTS[entity]

        def quarrel() -> None:
            with self.admin() as connection:
                while not stop.is_set():
                    try:
                        with connection.transaction():
                            ids = connection.execute(f'SELECT {key} FROM kopru.{table} ORDER BY '
                                                     f'{key} COLLATE "C" DESC LIMIT 60').fetchall()
                            for (entity_id,) in ids[::3]:
                                connection.execute(f"SELECT FROM kopru.{table} WHERE {key} = %s "
                                                   "FOR UPDATE", (entity_id,))
                                time.sleep(0.02)
                    except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
                        pass

        thread = threading.Thread(target=quarrel, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def set_read_only(self, on: bool) -> None:
        self.sql("ALTER SYSTEM SET default_transaction_read_only = on" if on
                 else "ALTER SYSTEM RESET default_transaction_read_only")
        self.sql("SELECT pg_reload_conf(), (SELECT count(pg_terminate_backend(pid)) FROM "
                 "pg_stat_activity WHERE usename = %s)", DAEMON)

    # ---- RabbitMQ ----

    def broker_run(self, expressions: str) -> None:
        answer = self.control.run(expressions)
        if answer != "ok":
            raise RuntimeError(f"the broker answered {answer} to {expressions}")

    def broker_started(self) -> Iterator[float]:
        if not self.broker.is_running():
            self.broker.launch()
        return until(self.broker.answers, _SERVER_DEADLINE_S, "RabbitMQ to answer")

    def depths(self) -> list[tuple[int, int]]:
        """Numbers of ready and unacknowledged messages, by queue."""
        return [(depth.ready, depth.unacked) for depth in map(self.broker.depth, QUEUES)]

    def is_drained(self) -> bool:
        try:
            return all(depth == (0, 0) for depth in self.depths())
        except ConnectionError:
            return False

    # ---- the end ----

    def ends(self) -> list[End]:
        return [end for instance in self.instances for end in instance.ends]

    def logs(self) -> dict[str, Path]:
        """The logs of all programs, by the names under which they are kept."""
        logs = {"postgres.log": self.server.log_path, "rabbitmq.log": self.broker.log_path}
        for instance in self.instances:
            logs |= {f"kopru-{instance.name}.{run}.log": path
                     for run, path in enumerate(instance.logs(), start=1)}
        return logs


@contextmanager
def built(site: SiteLike, seed: int) -> Iterator[World]:
    """A world with running servers, the schema and the queues, but no running daemon."""
    with ExitStack() as stack:
        broker = RabbitMQ()
        stack.callback(broker.release)
        broker.launch()
        server = Postgres(settings=_POSTGRES_SETTINGS)
        stack.callback(server.release)
        clock = ServerClock(stepping_clock(server.directory))
        server.preload(clock.environment)
        server.start()
        base = database.create_installed(server, "chaos")
        history.install(base)
        base.query(SITE_RULES)
        pooler = stack.enter_context(PgBouncer(server, pool_size=12)) if site.pooler else None
        broker.wait_until_ready()
        control = BrokerControl(broker)
        stack.callback(control.close)
        _declare_queues(broker, site)
        world = World(random.Random(seed), server, clock, broker, base, control, pooler, Traffic(),
                      PgErrors())
        # otherwise a broker that is killed soon forgets its queues
        world.broker_run("mnesia:dump_log().")
        for uid, name in enumerate(("first", "second"), start=hidepid.FIRST_UID):
            prefix = hidepid.as_user_that_sees_only_itself(uid) if site.hidden else []
            world.instances.append(_instance(stack, world, site, name, prefix))
        yield world


def _declare_queues(broker: RabbitMQ, site: SiteLike) -> None:
    for queue, entity in QUEUES.items():
        # Without a limit a quorum queue returns messages to its end.
        arguments: dict[str, object] = {"x-delivery-limit": 100_000} if site.quorum[entity] else {}
        if site.single_active_consumer:
            arguments["x-single-active-consumer"] = True
        broker.declare_queue(queue, quorum=site.quorum[entity], arguments=arguments)


def _instance(stack: ExitStack, world: World, site: SiteLike, name: str,
              prefix: Sequence[str]) -> Instance:
    amqp = Network(world.broker.port, tap=lambda: AmqpTap(world.traffic, site.prefetch))
    stack.callback(amqp.close)
    sql = Network(world.pooler.port if world.pooler else world.server.port,
                  rewriter=world.errors.tap)
    stack.callback(sql.close)
    http_port = free_port()
    # Behind a pooler the parameter would have to be asked for with a query on each connect.
    attributes = {} if site.pooler else {"target_session_attrs": "read-write"}
    settings = merged(default_settings(f"amqp://guest:guest@127.0.0.1:{amqp.port}/%2F",
                                       psycopg.conninfo.make_conninfo(world.database.daemon_dsn,
                                                                      port=sql.port, **attributes),
                                       QUEUES),
                      {**_TIMES, "batch": {"max_messages": site.batch}, "log": {"level": "debug"},
                       "http": {"listen": f"127.0.0.1:{http_port}"}})
    settings["queues"] = [{**queue, "writers": site.writers, "prefetch": site.prefetch}
                          for queue in settings["queues"]]  # type: ignore[attr-defined]
    instance = Instance(name, settings, http_port, amqp, sql, prefix)
    stack.callback(instance.kopru.release)
    return instance
