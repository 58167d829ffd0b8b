"""A publisher that writes AMQP frames by hand, for what no client library would send."""

import socket
import struct

from support.rabbitmq import RabbitMQ

_FRAME_END = b"\xce"
_METHOD, _HEADER, _BODY = 1, 2, 3
_FRAME_MAX = 131072
_DEADLINE_S = 30
HEADERS = 0x2000  # the flag of the property `headers`


class Refused(Exception):
    """The broker closed the connection or the channel instead of taking the message."""


def short_string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return bytes([len(data)]) + data


def table(*fields: bytes) -> bytes:
    """A field table; each field is field(...)."""
    content = b"".join(fields)
    return struct.pack(">I", len(content)) + content


def field(name: str, kind: bytes, value: bytes) -> bytes:
    return short_string(name) + kind + value


def nested_arrays(depth: int) -> bytes:
    """The value of a field of kind A that holds an array that holds an array ..."""
    value = struct.pack(">I", 0)
    for _ in range(depth - 1):
        value = struct.pack(">I", len(value) + 1) + b"A" + value
    return value


class RawPublisher:
    """with RawPublisher(broker) as publisher: publisher.publish("q", b"{}", flags=HEADERS,
    properties=table(...))
    """

    def __init__(self, broker: RabbitMQ):
        self._socket = socket.create_connection(("127.0.0.1", broker.port), timeout=_DEADLINE_S)
        self._input = self._socket.makefile("rb")
        self._socket.sendall(b"AMQP\0\0\x09\x01")
        self._expect(10, 10)
        login = b"\0guest\0guest"
        self._call(0, 10, 11, table() + short_string("PLAIN") + struct.pack(">I", len(login))
                   + login + short_string("en_US"))
        self._expect(10, 30)
        self._call(0, 10, 31, struct.pack(">HIH", 10, _FRAME_MAX, 0))
        self._call(0, 10, 40, short_string("/") + b"\0\0")
        self._expect(10, 41)
        self._call(1, 20, 10, b"\0")
        self._expect(20, 11)
        self._call(1, 85, 10, b"\0")  # confirm.select
        self._expect(85, 11)

    def __enter__(self) -> "RawPublisher":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._input.close()
        self._socket.close()

    def publish(self, queue: str, body: bytes, *, flags: int, properties: bytes) -> None:
        """Returns when the broker has confirmed the message, or raises Refused."""
        self._call(1, 60, 40, struct.pack(">H", 0) + short_string("") + short_string(queue) + b"\0")
        self._frame(_HEADER, 1, struct.pack(">HHQH", 60, 0, len(body), flags) + properties)
        for start in range(0, len(body), _FRAME_MAX - 8):
            self._frame(_BODY, 1, body[start:start + _FRAME_MAX - 8])
        self._expect(60, 80)

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        self._socket.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload
                             + _FRAME_END)

    def _call(self, channel: int, class_id: int, method_id: int, arguments: bytes) -> None:
        self._frame(_METHOD, channel, struct.pack(">HH", class_id, method_id) + arguments)

    def _expect(self, class_id: int, method_id: int) -> None:
        while True:
            head = self._input.read(7)
            if len(head) < 7:
                raise Refused("the broker closed the connection")
            kind, _channel, size = struct.unpack(">BHI", head)
            payload = self._input.read(size + 1)[:-1]
            if kind == _METHOD:
                got = struct.unpack(">HH", payload[:4])
                if got == (class_id, method_id):
                    return
                raise Refused(f"the broker answered with {got}: {payload[4:]!r}")
