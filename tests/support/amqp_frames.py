"""AMQP 0-9-1 as it passes a proxy: which deliveries a client got, when it acknowledged them, and a
place to stop it.

    watch = AmqpWatch()
    with Proxy(broker.port, tap=watch.tap) as proxy:
        ... a client of amqp://guest:guest@127.0.0.1:{proxy.port}/%2F consumes and acknowledges ...
    for ack in watch.acks():
        for delivery in ack.covers:
            assert ack.at > time_of_commit(delivery.body)

    stop = watch.stop_at(lambda frame: frame.is_from_client and frame.method == BASIC_ACK)
    stop.wait()          # the frame is here, and neither it nor what follows it goes on ...
    stop.release()       # ... until now
"""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from support.watch import Watch

CONNECTION_CLOSE = (10, 50)
CHANNEL_CLOSE = (20, 40)
QUEUE_DECLARE = (50, 10)
QUEUE_DECLARE_OK = (50, 11)
BASIC_CONSUME = (60, 20)
BASIC_CANCEL = (60, 30)
BASIC_CANCEL_OK = (60, 31)
BASIC_DELIVER = (60, 60)
BASIC_GET_OK = (60, 71)
BASIC_ACK = (60, 80)
BASIC_REJECT = (60, 90)
BASIC_NACK = (60, 120)

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8

_PROTOCOL_HEADER = 8
_FRAME_HEADER = struct.Struct("!BHI")


@dataclass(frozen=True)
class Frame:
    """One frame, or the protocol header that a client begins with (kind 0)."""

    raw: bytes
    is_from_client: bool

    @property
    def kind(self) -> int:
        return 0 if self.raw.startswith(b"AMQP") else self.raw[0]

    @property
    def channel(self) -> int:
        return int.from_bytes(self.raw[1:3], "big") if self.kind else 0

    @property
    def payload(self) -> bytes:
        return self.raw[7:-1] if self.kind else b""

    @property
    def method(self) -> tuple[int, int] | None:
        """Class and method number of a method frame."""
        return struct.unpack_from("!HH", self.payload) if self.kind == METHOD else None


class FrameSplitter:
    """One direction of one connection: bytes in any pieces become whole frames."""

    def __init__(self, is_from_client: bool):
        self._is_from_client = is_from_client
        self._rest = b""
        self._begun = not is_from_client

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now."""
        data = self._rest + data
        frames = []
        at = 0
        while (end := at + self._size_of_next(data, at)) <= len(data):
            frames.append(Frame(data[at:end], self._is_from_client))
            self._begun = True
            at = end
        self._rest = data[at:]
        return frames

    def _size_of_next(self, data: bytes, at: int) -> int:
        if not self._begun:
            return _PROTOCOL_HEADER
        if len(data) - at < _FRAME_HEADER.size:
            return _FRAME_HEADER.size
        return _FRAME_HEADER.unpack_from(data, at)[2] + _FRAME_HEADER.size + 1


@dataclass
class Delivery:
    connection: int  # numbered from 0 in the order of their beginning
    channel: int
    tag: int
    redelivered: bool
    at: float  # time.time() when its last frame passed the proxy
    body: bytes = b""


@dataclass
class Ack:
    connection: int
    channel: int
    tag: int
    multiple: bool
    at: float  # time.time() when it came to the proxy: the client sent it no later
    covers: list[Delivery] = field(default_factory=list)


class AmqpWatch(Watch):
    """What happened on all connections of a proxy. For use from any thread."""

    def __init__(self) -> None:
        super().__init__(_Conversation)

    def deliveries(self) -> list[Delivery]:
        """Complete ones, of each connection in their order."""
        with self.lock:
            return [delivery for conversation in self.conversations
                    for delivery in conversation.deliveries]

    def acks(self) -> list[Ack]:
        with self.lock:
            return [ack for conversation in self.conversations for ack in conversation.acks]


class _Conversation:
    """One connection. Each direction is read by its own thread."""

    def __init__(self, number: int, watch: Watch):
        self._number = number
        self._watch = watch
        self._directions = {side: FrameSplitter(side) for side in (True, False)}
        self._coming: dict[int, Delivery] = {}  # by channel: announced, not complete
        self._missing: dict[int, int] = {}  # bytes of its body
        # by channel and tag: not acknowledged, in their order
        self._open: dict[int, dict[int, Delivery]] = {}
        self.deliveries: list[Delivery] = []
        self.acks: list[Ack] = []

    def to_server(self, data: bytes) -> Iterator[bytes]:
        return self._watch.pass_on(self._directions[True].feed(data), self._note_ack)

    def to_client(self, data: bytes) -> Iterator[bytes]:
        return self._watch.pass_on(self._directions[False].feed(data), self._note_delivery)

    def _note_ack(self, frame: Frame) -> None:
        if frame.method != BASIC_ACK:
            return
        tag, bits = struct.unpack_from("!QB", frame.payload, 4)
        ack = Ack(self._number, frame.channel, tag, bool(bits & 1), time.time())
        with self._watch.lock:
            waiting = self._open.setdefault(frame.channel, {})
            # Tags of a channel are handed out in rising order; 0 means all of them.
            if ack.multiple:
                covered = [n for n in waiting if n <= tag or tag == 0]
            else:
                covered = [n for n in (tag,) if n in waiting]
            ack.covers = [waiting.pop(n) for n in covered]
            self.acks.append(ack)

    def _note_delivery(self, frame: Frame) -> None:
        if frame.method in (BASIC_DELIVER, BASIC_GET_OK):
            # behind the consumer's tag
            at = 4 if frame.method == BASIC_GET_OK else 5 + frame.payload[4]
            tag, redelivered = struct.unpack_from("!QB", frame.payload, at)
            self._coming[frame.channel] = Delivery(self._number, frame.channel, tag,
                                                   bool(redelivered & 1), 0)
        elif frame.channel in self._coming and frame.kind == HEADER:
            (self._missing[frame.channel],) = struct.unpack_from("!Q", frame.payload, 4)
            self._complete(frame.channel)
        elif frame.channel in self._coming and frame.kind == BODY:
            self._coming[frame.channel].body += frame.payload
            self._missing[frame.channel] -= len(frame.payload)
            self._complete(frame.channel)

    def _complete(self, channel: int) -> None:
        if self._missing[channel] > 0:
            return
        delivery = self._coming.pop(channel)
        delivery.at = time.time()
        with self._watch.lock:
            self._open.setdefault(channel, {})[delivery.tag] = delivery
            self.deliveries.append(delivery)
