"""What several end-to-end tests need besides servers and the daemon."""

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from support import history
from support.check import Check, check_of
from support.daemon import default_settings
from support.ledger import Ledger
from support.load import Load
from support.pg_messages import PgWatch
from support.proxy import Proxy

# A publisher that lives through outages would bury a failing test's output in what pika says about
# each attempt.
logging.getLogger("pika").setLevel(logging.CRITICAL)


@pytest.fixture
def choice() -> random.Random:
    """A generator whose seed a failing test shows; KOPRU_TEST_SEED repeats it."""
    seed = int(os.environ.get("KOPRU_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"KOPRU_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def short_consumer_timeout(rabbitmq_server) -> Iterator[None]:
    """The broker closes a channel that holds a delivery unacknowledged for longer than three
    seconds, and looks every second. From 4.3 on it cancels the consumer of a quorum queue instead.
    """
    rabbitmq_server.rabbitmqctl(
        "eval", "application:set_env(rabbit, consumer_timeout, 3000), "
                "application:set_env(rabbit, channel_tick_interval, 1000).")
    yield
    rabbitmq_server.rabbitmqctl(
        "eval", "application:set_env(rabbit, consumer_timeout, 1800000), "
                "application:set_env(rabbit, channel_tick_interval, 60000).")


@pytest.fixture
def check(rabbitmq_server, db, queues, tmp_path: Path) -> Check:
    """Runs `kopru check --output json` with changes to a configuration that has no problem."""
    return check_of(default_settings(rabbitmq_server.uri, db.daemon_dsn, queues.entities()),
                    tmp_path)


@dataclass
class Observed:
    """Load on the test's queues, or others, whose every consequence is recorded."""

    start: Callable[..., Load]
    check: Callable[[], history.Verdict]


@pytest.fixture
def observed(rabbitmq_server, db, queues, choice, tmp_path: Path) -> Iterator[Observed]:
    """observed.start() is a block of load; observed.check() compares the database with what was
    published.
    """
    history.install(db)
    log = Ledger(tmp_path / "ledger")

    @contextmanager
    def start(**options):
        with Load(rabbitmq_server, options.pop("queues", queues.entities()), log, choice,
                  **options) as load:
            yield load

    yield Observed(start, lambda: history.check(db, log.entries()))
    log.close()


@pytest.fixture
def watched(postgres_server, db) -> Iterator[tuple[Proxy, PgWatch, str]]:
    """A proxy to the server, what is said through it, and the conninfo of a daemon that goes that
    way.
    """
    watch = PgWatch()
    with Proxy(postgres_server.port, tap=watch.tap) as proxy:
        yield proxy, watch, psycopg.conninfo.make_conninfo(db.daemon_dsn, port=str(proxy.port))
        watch.release_all()
