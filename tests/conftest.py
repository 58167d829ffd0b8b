"""Fixtures for every test that needs real servers: see tests/support."""

import os
import secrets
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

import pytest
from support import database, privacy
from support.daemon import Kopru, default_settings, merged
from support.platform_tests import is_platform_test
from support.postgres import Postgres
from support.process import unwind_on_signals
from support.rabbitmq import RabbitMQ
from support.transaction_rate import RollbackWatch


def pytest_configure() -> None:
    def leave(number: int) -> None:
        pytest.exit(f"ended by {signal.Signals(number).name}", returncode=128 + number)

    def give_up(_number: int, frame: FrameType | None) -> None:
        where = "".join(traceback.format_stack(frame)[-5:])
        pytest.exit(f"still running after KOPRU_TEST_LIMIT = {limit_s} s, in\n{where}",
                    returncode=1)

    unwind_on_signals(leave)
    limit_s = int(os.environ.get("KOPRU_TEST_LIMIT", "0"))
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(limit_s)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Taken out of the environment: a pytest that a test runs collects everything.
    part, _, parts = os.environ.pop("KOPRU_TEST_PART", "1/1").partition("/")
    files = sorted({item.path for item in items})[int(part) - 1::int(parts)]
    left_out = [item for item in items if item.path not in files]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.path in files]
    for item in items:
        if is_platform_test(item.nodeid):
            item.add_marker("platform")


@pytest.fixture(scope="module", autouse=True)
def watched_for_personal_values() -> Iterator[None]:
    """Search all that daemons and commands say for what the module publishes: privacy.py."""
    privacy.WATCH.enabled = True
    yield
    privacy.WATCH.forget()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    with RabbitMQ() as broker:
        yield broker


@pytest.fixture
def db(request: pytest.FixtureRequest, postgres_server: Postgres) -> Iterator[database.Database]:
    """A fresh database with kopru's schema; on_partitions_too says how its tables are."""
    fresh = database.create_installed(postgres_server, partitions=getattr(request, "param", None))
    yield fresh
    fresh.drop()


@dataclass(frozen=True)
class Queues:
    """Two fresh, empty, durable queues."""

    customer: str
    subscription: str

    def entities(self) -> dict[str, str]:
        return {self.customer: "customer", self.subscription: "subscription"}


@pytest.fixture
def queues(rabbitmq_server: RabbitMQ) -> Iterator[Queues]:
    mark = secrets.token_hex(4)
    fresh = Queues(f"customer-{mark}", f"subscription-{mark}")
    for name in fresh.entities():
        rabbitmq_server.declare_queue(name)
    yield fresh
    if not rabbitmq_server.is_running():  # a test that stopped it and failed
        rabbitmq_server.start()
    for name in fresh.entities():
        rabbitmq_server.delete_queue(name)


@pytest.fixture
def kopru(rabbitmq_server: RabbitMQ, db: database.Database,
          queues: Queues) -> Iterator[Callable[..., Kopru]]:
    """Makes daemons on the test's queues and database: kopru(batch={"max_messages": 10}).

    Keywords change the configuration (see daemon.merged), env adds to the environment, prefix to
    the command. The daemon is started and consuming unless start=False. At the end those that still
    run are killed, and a sanitizer's report fails the test; so does a loop that rolls back one
    transaction after the other without a wait.
    """
    made: list[Kopru] = []

    def make(*, start: bool = True, env: dict[str, str] | None = None, prefix: Sequence[str] = (),
             **changes: object) -> Kopru:
        settings = default_settings(rabbitmq_server.uri, db.daemon_dsn, queues.entities())
        daemon = Kopru(merged(settings, changes), env=env, prefix=prefix)
        made.append(daemon)
        if start:
            daemon.start()
        return daemon

    with RollbackWatch(db) as rollbacks:
        yield make
    failures = []
    for daemon in made:
        try:
            daemon.release()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)
    rollbacks.require_waits()
