"""What several end-to-end tests need besides servers and the daemon."""

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import history
from support.ledger import Ledger
from support.load import Load

# A publisher that lives through outages would bury a failing test's output in what pika says about each attempt.
logging.getLogger("pika").setLevel(logging.CRITICAL)


@pytest.fixture
def choice() -> random.Random:
    """A generator whose seed a failing test shows; KOPRU_TEST_SEED repeats it."""
    seed = int(os.environ.get("KOPRU_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"KOPRU_TEST_SEED={seed}")
    return random.Random(seed)


@dataclass
class Observed:
    """Load on the test's queues, or others, whose every consequence is recorded."""

    start: Callable[..., Load]
    check: Callable[[], history.Verdict]


@pytest.fixture
def observed(rabbitmq_server, db, queues, choice, tmp_path: Path) -> Iterator[Observed]:
    """observed.start() is a block of load; observed.check() compares the database with what was published."""
    history.install(db)
    log = Ledger(tmp_path / "ledger")

    @contextmanager
    def start(**options):
        with Load(rabbitmq_server, options.pop("queues", queues.entities()), log, choice, **options) as load:
            yield load

    yield Observed(start, lambda: history.check(db, log.entries()))
    log.close()
