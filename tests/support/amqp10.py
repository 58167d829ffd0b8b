"""A publisher of AMQP 1.0, which RabbitMQ speaks from 4.0 on: as little of that protocol as one
message takes.

    publish(broker.port, "q", value(text('{"id":"1"}')))
"""

import socket
import struct
from typing import BinaryIO

_DEADLINE_S = 30
_SASL, _AMQP = 1, 0  # types of frames
_FAILURES = (0x16, 0x17, 0x18)  # detach, end, close

_NULL, _FALSE = b"\x40", b"\x42"


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"\xb1" + struct.pack(">I", len(encoded)) + encoded


def binary(value: bytes) -> bytes:
    return b"\xb0" + struct.pack(">I", len(value)) + value


def value(encoded: bytes) -> bytes:
    """A body that is an amqp-value."""
    return b"\x00\x53\x77" + encoded


def data(body: bytes) -> bytes:
    """A body that is a data section (application-data)."""
    return b"\x00\x53\x75" + binary(body)


def _symbol(name: str) -> bytes:
    return b"\xa3" + bytes([len(name)]) + name.encode()


def _uint(number: int) -> bytes:
    return b"\x70" + struct.pack(">I", number)


def _performative(code: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    return (bytes([0x00, 0x53, code, 0xd0]) + struct.pack(">II", len(body) + 4, len(fields))
            + body)


def _wait_for(code: int, stream: BinaryIO) -> None:
    while True:
        (size,) = struct.unpack(">I", stream.read(4))
        frame = stream.read(size - 4)
        received = frame[6] if len(frame) > 6 else None
        if received == code:
            return
        if received in _FAILURES:
            raise ConnectionError(f"the broker refuses: {frame!r}")


def publish(port: int, queue: str, body: bytes) -> None:
    """As guest, to a broker on this machine; returns when the broker has settled the message."""
    with socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE_S) as connection:
        stream = connection.makefile("rb")

        def begin(protocol: int) -> None:
            connection.sendall(b"AMQP" + bytes([protocol, 1, 0, 0]))
            assert stream.read(8) == b"AMQP" + bytes([protocol, 1, 0, 0])

        def send(kind: int, payload: bytes, answers: tuple[int, ...]) -> None:
            connection.sendall(struct.pack(">IBBH", len(payload) + 8, 2, kind, 0) + payload)
            for answer in answers:
                _wait_for(answer, stream)

        begin(3)
        send(_SASL, _performative(0x41, _symbol("PLAIN"), binary(b"\0guest\0guest")), (0x44,))
        begin(0)
        send(_AMQP, _performative(0x10, text("publisher"), text("localhost")), (0x10,))
        send(_AMQP, _performative(0x11, _NULL, _uint(0), _uint(100), _uint(100)), (0x11,))
        send(_AMQP, _performative(0x12, text("sender"), _uint(0), _FALSE, _NULL, _NULL,
                                  _performative(0x28, text("here")),
                                  _performative(0x29, text(f"/queues/{queue}")),
                                  _NULL, _NULL, _uint(0)), (0x12, 0x13))
        send(_AMQP, _performative(0x14, _uint(0), _uint(0), binary(b"0"), _uint(0), _FALSE,
                                  _FALSE) + body, (0x15,))
        send(_AMQP, _performative(0x18), ())
