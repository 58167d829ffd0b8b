"""PostgreSQL's protocol as it passes a proxy, as far as tests have to stop kopru inside a
transaction.

    watch = PgWatch()
    with Proxy(postgres.port, tap=watch.tap) as proxy:
        stop = watch.stop_at(sends_commit)       # of a transaction that writes for a queue
        ... kopru connects to the proxy's port and gets a message ...
        stop.wait()
        daemon.kill9()                           # before COMMIT
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from support.watch import Watch

_ENCRYPTION_REQUESTS = (80877103, 80877104)  # SSL, GSSAPI; the answer is one byte
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True)
class Message:
    """One message of the protocol; kind is "" for what has none."""

    raw: bytes
    kind: str
    is_from_client: bool
    # of its transaction, bound so far: names, or the text of unnamed ones
    statements: tuple[str, ...] = ()

    @property
    def payload(self) -> bytes:
        return self.raw[5:] if self.kind else self.raw[4:]

    @property
    def is_of_writer(self) -> bool:
        """Whether its transaction checks the lease on a queue."""
        return any("kopru_check_epoch" in statement or "FOR KEY SHARE" in statement
                   for statement in self.statements)


def sends_epoch_check(message: Message) -> bool:
    return (message.is_from_client and message.kind == "B" and message.is_of_writer
            and len(message.statements) < 4)


def sends_commit(message: Message) -> bool:
    """The COMMIT of a transaction that writes for a queue."""
    return (message.is_from_client and message.kind == "B" and message.is_of_writer
            and _is_commit(message.statements[-1]))


def answers_commit(message: Message) -> bool:
    """The server says that it committed such a transaction."""
    return (not message.is_from_client and message.kind == "C" and message.payload == b"COMMIT\0"
            and message.is_of_writer
            and _is_commit(message.statements[-1]))


def _is_commit(statement: str) -> bool:
    return statement.startswith(("kopru_commit", "COMMIT"))


class PgWatch(Watch):
    def __init__(self) -> None:
        super().__init__(_Conversation)


class Splitter:
    """Splits what passes on one connection into messages. The client waits for the end of each
    round trip, so the statements of a transaction do not change while the server answers the last
    of them."""

    def __init__(self) -> None:
        self._rest = {side: b"" for side in (True, False)}
        self._has_begun = False  # the startup message was sent
        self._asked = 0  # encryption requests without an answer
        self._parsed = ""  # the text of the unnamed statement
        self._statements: tuple[str, ...] = ()

    def split(self, data: bytes, is_from_client: bool) -> Iterator[Message]:
        data = self._rest[is_from_client] + data
        at = 0
        while len(data) - at >= 1:
            without_kind = is_from_client and not self._has_begun
            if not is_from_client and self._asked > 0:
                assert data[at:at + 1] == b"N", "what is encrypted cannot be read"
                self._asked -= 1
                size, kind = 1, "N"
            else:
                start = at if without_kind else at + 1
                if len(data) - start < _LENGTH.size:
                    break
                size = _LENGTH.unpack_from(data, start)[0] + (start - at)
                kind = "" if without_kind else chr(data[at])
            if len(data) - at < size:
                break
            raw = data[at:at + size]
            at += size
            if is_from_client:
                self._follow(kind, raw)
            yield Message(raw, kind, is_from_client, self._statements)
        self._rest[is_from_client] = data[at:]

    def _follow(self, kind: str, raw: bytes) -> None:
        if kind == "":
            is_request = _LENGTH.unpack_from(raw, 4)[0] in _ENCRYPTION_REQUESTS
            self._asked += is_request
            self._has_begun = not is_request
        elif kind == "P":
            name, text = raw[5:].split(b"\0")[:2]
            self._parsed = text.decode() if not name else self._parsed
        elif kind == "B":
            name = raw[5:].split(b"\0")[1].decode()
            statement = name or self._parsed
            begins = statement.startswith(("kopru_begin", "BEGIN"))
            self._statements = (statement,) if begins else (*self._statements, statement)


class _Conversation:
    """One connection."""

    def __init__(self, _number: int, watch: Watch):
        self._watch = watch
        self._splitter = Splitter()

    def to_server(self, data: bytes) -> Iterator[bytes]:
        return self._watch.pass_on(list(self._splitter.split(data, True)), lambda _message: None)

    def to_client(self, data: bytes) -> Iterator[bytes]:
        return self._watch.pass_on(list(self._splitter.split(data, False)), lambda _message: None)
