"""What was published and what the broker confirmed, in a file that outlives the run."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFUSED_BY_DATABASE = "rejected_by_database"


@dataclass(frozen=True)
class Entry:
    """One message. reason: why it must become a dead letter, None if it must not. An unconfirmed
    message may have arrived or not.
    """

    number: int
    queue: str
    entity: str
    entity_id: str | None
    reason: str | None
    body: bytes
    confirmed: bool

    @property
    def payload(self) -> dict[str, Any]:
        """The parsed body; only for messages that kopru can read."""
        return json.loads(self.body)


class Ledger:
    """JSON lines, written before a message is sent and again when it is confirmed. For several
    threads.

    Numbers rise over all queues; those of a queue are first sent in their order.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._file = open(path, "w", encoding="utf-8")
        self._last = 0

    @property
    def published(self) -> int:
        return self._last

    def next_number(self) -> int:
        with self._lock:
            self._last += 1
            return self._last

    def sending(self, number: int, queue: str, entity: str, entity_id: str | None,
                reason: str | None, body: bytes) -> None:
        self._write([number, queue, entity, entity_id, reason, body.decode()])

    def confirmed(self, number: int) -> None:
        self._write(number)

    def close(self) -> None:
        self._file.close()

    @staticmethod
    def line(record: list | int) -> str:
        """The line of a published message, or of the number of a confirmed one."""
        return json.dumps(record, ensure_ascii=False) + "\n"

    def _write(self, record: list | int) -> None:
        line = self.line(record)
        with self._lock:
            self._file.write(line)


def read(path: Path) -> Iterator[Entry]:
    """All messages, in the order of their numbers within each queue. They are read one by one,
    because a long run has too many to hold in memory.
    """
    confirmed = {record for record in _records(path) if isinstance(record, int)}
    for record in _records(path):
        if isinstance(record, list):
            *fields, body = record
            yield Entry(*fields, body.encode(), fields[0] in confirmed)


def _records(path: Path) -> Iterator[list | int]:
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)
