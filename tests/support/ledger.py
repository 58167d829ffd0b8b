"""The publisher's own log: what it sent, and what the broker confirmed."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.payloads import Message, Payload


@dataclass
class Entry:
    """One publication. Not confirmed: the broker may have it or not."""

    number: int
    queue: str
    entity: str
    entity_id: str | None
    body: bytes
    payload: Payload | None
    reason: str | None
    confirmed: bool = False


class Ledger:
    """A file of JSON lines, written before a message is sent and again when it is confirmed. For
    several threads.

    Messages are numbered from 1 over all queues, and those of one queue are sent in the order of
    their numbers.
    """

    def __init__(self, path: Path):
        self._lock = threading.Lock()
        self._path = path
        self._file = open(path, "a", encoding="utf-8")
        self._last = 0

    def next_number(self) -> int:
        with self._lock:
            self._last += 1
            return self._last

    def sending(self, number: int, queue: str, message: Message) -> None:
        self._write({"number": number, "queue": queue, "entity": message.entity,
                     "entity_id": message.entity_id,
                     "body": base64.b64encode(message.body).decode(), "payload": message.payload,
                     "reason": message.reason})

    def confirmed(self, number: int) -> None:
        self._write({"confirmed": number})

    def entries(self) -> list[Entry]:
        """What the file holds so far."""
        with self._lock:
            self._file.flush()
            return read(self._path)

    def close(self) -> None:
        self._file.close()

    def _write(self, record: dict) -> None:
        with self._lock:
            self._file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[Entry]:
    """All publications in the order of their numbers."""
    entries: dict[int, Entry] = {}
    for record in _records(path):
        if "confirmed" in record:
            entries[record["confirmed"]].confirmed = True
        else:
            entries[record["number"]] = Entry(**{**record,
                                                 "body": base64.b64decode(record["body"])})
    return [entries[number] for number in sorted(entries)]


def _records(path: Path) -> Iterator[dict]:
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)
