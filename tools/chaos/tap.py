"""What kopru acknowledged and when, and what the broker handed out of order, read from the AMQP
frames themselves.

The publisher puts a message's number into its AMQP message-id.
"""

import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from support.amqp_frames import BASIC_ACK, BASIC_DELIVER, HEADER, Frame, FrameSplitter

_CHANNEL_OPEN = (20, 10)
# A broker that answers for 10 s and delivers nothing may have given the rest to somebody else.
_SILENCE_S = 9.5

# The properties of a content header in the order of their flags, from the highest bit, up to
# message-id.
_SHORT, _TABLE, _OCTET = "short", "table", "octet"
_PROPERTIES = (_SHORT, _SHORT, _TABLE, _OCTET, _OCTET, _SHORT, _SHORT, _SHORT, _SHORT)
_FIRST_FLAG = 15


@dataclass(frozen=True)
class Delivery:
    subscription: int
    tag: int
    at: float


@dataclass
class Traffic:
    """What passed on all connections of a run. Any thread may use it, under its lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    deliveries: int = 0
    redelivered: int = 0
    subscriptions: int = 0
    # number: time of the first acknowledgement
    acknowledged: dict[int, float] = field(default_factory=dict)
    # number: the delivery that was acknowledged first
    acknowledged_as: dict[int, Delivery] = field(default_factory=dict)
    # numbers that may show an older state, and why: see AmqpTap
    late: dict[int, str] = field(default_factory=dict)
    # number: the deliveries that made it late
    late_as: dict[int, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    unknown_tags: int = 0  # acknowledged, but not open
    journal: TextIO | None = None  # a line for each event: time, connection, event, tag, number
    connections: int = 0

    def note(self, *fields: object) -> None:
        if self.journal is not None:
            print(*fields, file=self.journal)


class AmqpTap:
    """One connection. Both directions take the traffic's lock.

    kopru holds back the redelivered messages that come first after a subscription, and so shows no
    older state. They end with a full prefetch, with a long silence of a broker that answers, or
    with a first delivery. If more redelivered messages come after that, the rows may step back for
    a moment, to one of the messages held back or to one that follows them: this is kopru's
    documented exception.
    """

    def __init__(self, traffic: Traffic, prefetch: int, clock: Callable[[], float] = time.time):
        self._traffic = traffic
        self._prefetch = prefetch
        self._clock = clock
        self._splitters = {side: FrameSplitter(side) for side in (True, False)}
        # tag and flag of a delivery whose header is yet to come
        self._coming: tuple[int, bool] | None = None
        with traffic.lock:
            traffic.connections += 1
            self._number = traffic.connections
        self._begin()

    def saw(self, to_server: bool, data: bytes) -> None:
        now = self._clock()
        frames = self._splitters[to_server].feed(data)
        with self._traffic.lock:
            for frame in frames:
                if to_server:
                    self._from_client(frame, now)
                else:
                    self._from_server(frame, now)

    def _begin(self) -> None:
        # number and delivery by tag, tags rising
        self._open: dict[int, tuple[int, Delivery]] = {}
        self._count = 0
        self._subscription = 0
        self._held_back: list[tuple[int, Delivery]] = []  # the redelivered messages that came first
        self._held_back_until: str | None = None
        self._last_at = 0.0

    def _from_client(self, frame: Frame, now: float) -> None:
        if frame.method == _CHANNEL_OPEN:
            self._begin()
        elif frame.method == BASIC_ACK:
            tag, bits = struct.unpack_from("!QB", frame.payload, 4)
            if tag not in self._open:
                self._traffic.unknown_tags += 1
            covered = [n for n in self._open if n <= tag] if bits & 1 else [tag]
            for n in covered:
                number, delivery = self._open.pop(n, (None, None))
                self._traffic.note(f"{now:.6f}", self._number, "ack", tag, number)
                if number is not None and number not in self._traffic.acknowledged:
                    self._traffic.acknowledged[number] = now
                    self._traffic.acknowledged_as[number] = delivery

    def _from_server(self, frame: Frame, now: float) -> None:
        if frame.method == BASIC_DELIVER:
            # they follow the consumer's tag
            tag, flag = struct.unpack_from("!QB", frame.payload, 5 + frame.payload[4])
            self._coming = (tag, bool(flag & 1))
        elif frame.kind == HEADER and self._coming is not None:
            tag, redelivered = self._coming
            self._coming = None
            self._delivered(tag, redelivered, message_id(frame.payload), now)

    def _delivered(self, tag: int, redelivered: bool, number: int, now: float) -> None:
        self._traffic.note(f"{now:.6f}", self._number, "redelivery" if redelivered else "delivery",
                           tag, number)
        self._traffic.deliveries += 1
        self._traffic.redelivered += redelivered
        if self._count == 0:
            self._traffic.subscriptions += 1
            self._subscription = self._traffic.subscriptions
        delivery = Delivery(self._subscription, tag, now)
        if self._held_back_until is None:
            if not redelivered:
                self._held_back_until = "a first delivery"
            elif self._count >= self._prefetch:
                self._held_back_until = "a full prefetch"
            elif self._count > 0 and now - self._last_at > _SILENCE_S:
                self._held_back_until = "silence"
            else:
                self._held_back.append((number, delivery))
        if redelivered and self._held_back_until is not None:
            for late, as_delivered in [*self._held_back, (number, delivery)]:
                self._traffic.late[late] = self._held_back_until
                self._traffic.late_as[late].append(as_delivered)
            self._held_back = []
        self._count += 1
        self._last_at = now
        self._open[tag] = (number, delivery)


def message_id(header: bytes) -> int:
    """The number in a content header."""
    (flags,) = struct.unpack_from("!H", header, 12)
    at = 14
    for position, kind in enumerate(_PROPERTIES):
        if not flags >> (_FIRST_FLAG - position) & 1:
            continue
        size = {_SHORT: 1 + header[at], _TABLE: 4 + int.from_bytes(header[at:at + 4], "big"),
                _OCTET: 1}[kind]
        if position == len(_PROPERTIES) - 1:
            return int(header[at + 1:at + size])
        at += size
    raise ValueError("a message without a message-id")
