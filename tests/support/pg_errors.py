"""Errors of any SQLSTATE at any statement of kopru's, BEGIN and COMMIT included, which no trigger
can raise: before such a statement reaches the server, it gets one that raises the error.

    errors = PgErrors()
    with Proxy(postgres.port, tap=errors.tap) as proxy:
        errors.raise_at("commit", "54000")
        ... kopru, connected to the proxy's port, gets that error for its COMMIT ...
        errors.stop()

The server makes the error itself and fails the transaction with it. It names no table, column or
constraint, as errors of a whole server do not.
"""

import re
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from support.pg_messages import Message, Splitter

# How the text of each kind of statement begins.
STATEMENTS = {
    "begin": r"BEGIN",
    "settings": r"SELECT set_config\('TimeZone'",
    "check epoch": r"SELECT 1 FROM kopru\.queues",
    "find": r"SELECT i\.ordinal",
    "load": r"SELECT t\.[a-z_0-9]+, ",
    "write": r"INSERT INTO kopru\.(?!dead_letters|queues)",
    "remove": r"DELETE FROM kopru\.",
    "copy": r"COPY kopru\.",
    "dead letters": r"INSERT INTO kopru\.dead_letters",
    "commit": r"COMMIT",
}
_KINDS = {kind: re.compile(text, re.DOTALL) for kind, text in STATEMENTS.items()}


@dataclass(frozen=True)
class _Error:
    statement: str
    sqlstate: str


class PgErrors:
    """What is raised now on all connections of a proxy. For use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._error: _Error | None = None
        self.raised = 0

    def raise_at(self, statement: str, sqlstate: str) -> None:
        """From now on, at every statement of that kind."""
        assert statement in STATEMENTS
        with self._lock:
            self._error = _Error(statement, sqlstate)

    def stop(self) -> None:
        with self._lock:
            self._error = None

    def tap(self) -> "PgErrorTap":
        return PgErrorTap(self)

    def before(self, text: str) -> str | None:
        """The SQLSTATE to raise in the place of a statement, which is counted."""
        with self._lock:
            if self._error is None or not _KINDS[self._error.statement].match(text):
                return None
            self.raised += 1
            return self._error.sqlstate


class PgErrorTap:
    """One connection."""

    def __init__(self, errors: PgErrors):
        self._errors = errors
        self._splitter = Splitter()
        self._texts: dict[str, str] = {}  # of prepared statements, by name

    def to_server(self, data: bytes) -> Iterator[bytes]:
        yield b"".join(self._with_error(message) for message in self._splitter.split(data, True))

    def to_client(self, data: bytes) -> Iterator[bytes]:
        yield data

    def _with_error(self, message: Message) -> bytes:
        if message.kind == "P":
            name, text = message.payload.split(b"\0")[:2]
            self._texts[name.decode()] = text.decode()
        elif message.kind == "B":
            name = message.payload.split(b"\0")[1].decode()
            sqlstate = self._errors.before(self._texts.get(name, ""))
            if sqlstate is not None:
                return _extended(_raising(sqlstate)) + message.raw
        elif message.kind == "Q":
            sqlstate = self._errors.before(message.payload.rstrip(b"\0").decode())
            if sqlstate is not None:
                return _message("Q", _raising(sqlstate) + b"\0")
        return message.raw


def _raising(sqlstate: str) -> bytes:
    return f"DO $$BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{sqlstate}'; END$$".encode()


def _extended(text: bytes) -> bytes:
    """Parse, Bind and Execute of an unnamed statement. libpq passes over the answers to the first
    two."""
    return (_message("P", b"\0" + text + b"\0" + struct.pack("!H", 0))
            + _message("B", b"\0\0" + struct.pack("!HHH", 0, 0, 0))
            + _message("E", b"\0" + struct.pack("!I", 0)))


def _message(kind: str, payload: bytes) -> bytes:
    return kind.encode() + struct.pack("!I", 4 + len(payload)) + payload
