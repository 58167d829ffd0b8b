"""No loop without a wait: how many transactions a database rolls back in a few seconds."""

import threading
from collections import deque
from time import monotonic

import psycopg

from support.database import Database

# The search for one bad entity rolls back about 2 log2 n transactions, and a flood of 300 messages
# of which each is refused twice as many as messages. A loop that does not wait rolls back more than
# a thousand in each second.
MOST = 1500
PERIOD_S = 3.0

_INTERVAL_S = 0.25
_COUNT = "SELECT xact_rollback FROM pg_stat_database WHERE datname = %s"


class RollbackWatch:
    """Counts, in a thread, what one database rolls back, from start until the end of the block.

        with RollbackWatch(db) as watch:
            ...
        watch.require_waits()

    Servers that restart meanwhile are asked again; their counts begin anew.
    """

    def __init__(self, db: Database, most: int = MOST):
        self._db = db
        self._most = most
        self._seen: deque[tuple[float, int]] = deque()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.worst = 0

    def __enter__(self) -> "RollbackWatch":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join(timeout=30)  # a frozen server does not answer

    def require_waits(self) -> None:
        if self.worst > self._most:
            raise AssertionError(f"{self.worst} transactions were rolled back within "
                                 f"{PERIOD_S:g} s, more than {self._most}: a loop does not wait")

    def _note(self, rolled_back: int) -> None:
        now = monotonic()
        if self._seen and rolled_back < self._seen[-1][1]:
            self._seen.clear()  # the server lost its statistics
        self._seen.append((now, rolled_back))
        while now - self._seen[0][0] > PERIOD_S:
            self._seen.popleft()
        self.worst = max(self.worst, rolled_back - self._seen[0][1])

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._db.server.dsn("postgres"), autocommit=True,
                                     connect_timeout=2) as connection:
                    while not self._ended.wait(_INTERVAL_S):
                        row = connection.execute(_COUNT, (self._db.name,)).fetchone()
                        if row is not None:
                            self._note(row[0])
            except psycopg.Error:
                self._ended.wait(_INTERVAL_S)
