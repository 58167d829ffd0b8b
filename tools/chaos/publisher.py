"""Publishers that never give up: every kind of message that there is, with confirms."""

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pika
from support.payloads import Message, Payloads
from support.rabbitmq import RabbitMQ

from chaos.ledger import REFUSED_BY_DATABASE, Ledger

REFUSED_STATUS = "refused by the site"

_BAD_SHARE = 0.01
_REFUSED_SHARE = 0.004
_REPEATED_SHARE = 0.03
_CLUSTER_SHARE = 0.02
_CLUSTER = (3, 12)
_REMEMBERED = 50
_FULL_BACKLOG = 4000
_RETRY_S = 0.1
_OUTAGES = (pika.exceptions.AMQPError, OSError, RuntimeError)


@dataclass(frozen=True)
class _Sent:
    number: int
    message: Message
    properties: dict[str, object]


class Publisher(threading.Thread):
    """The publisher of one queue. finish() follows up what the broker did not confirm, and returns
    when everything is certain.

    Follow-ups say everything about an entity of which a message may be in the queue or not, so that
    it makes no difference which; only dead letters that may be there or not remain.
    """

    def __init__(self, broker: RabbitMQ, queue: str, entity: str, ledger: Ledger, seed: int,
                 entities: int, rate: float):
        super().__init__(daemon=True)
        self._broker = broker
        self._queue = queue
        self._entity = entity
        self._ledger = ledger
        self._choice = random.Random(f"{seed} {queue}")
        self._payloads = Payloads(self._choice, entities)
        self._rate = rate
        self._latest: dict[str, _Sent] = {}  # by id, the latest last
        self._follow_up: dict[str, None] = {}
        self._cluster: list[str] = []
        self._ending = threading.Event()
        self.failure: BaseException | None = None

    def warm_up(self, count: int) -> None:
        """Publish count messages, before the thread is started."""
        self._burst(count)

    def finish(self, deadline_s: float) -> None:
        self._ending.set()
        self.join(deadline_s)
        if self.failure is not None:
            raise self.failure
        if self.is_alive():
            raise TimeoutError(f"queue {self._queue!r}: not everything could be published after "
                               "the faults had ended")

    def run(self) -> None:
        try:
            while not self._ending.is_set():
                begin = time.monotonic()
                count = self._choice.randrange(1, int(self._rate))  # half a second's on average
                if self._room():
                    self._burst(count)
                self._ending.wait(max(0.0, begin + count / self._rate - time.monotonic()))
            while self._follow_up:
                self._burst(0)
        except BaseException as failure:  # finish() raises it
            self.failure = failure

    def _room(self) -> bool:
        try:
            with self._broker.connect() as connection:
                count = connection.channel().queue_declare(self._queue,
                                                           passive=True).method.message_count
        except _OUTAGES:
            time.sleep(_RETRY_S)
            return False
        return count < _FULL_BACKLOG

    def _burst(self, count: int) -> None:
        sent: list[_Sent] = []
        open_positions: set[int] = set()

        def messages() -> Iterator[tuple[bytes, dict[str, object]]]:
            for one in self._next(count):
                sent.append(one)
                open_positions.add(len(sent))
                yield one.message.body, one.properties

        def on_confirm(position: int) -> None:
            open_positions.discard(position)
            self._ledger.confirmed(sent[position - 1].number)

        following_up = list(self._follow_up)
        try:
            self._broker.publish_many(self._queue, messages(), on_confirm)
        except _OUTAGES:
            time.sleep(_RETRY_S)
        for position, entity_id in enumerate(following_up, start=1):
            if position <= len(sent) and position not in open_positions:
                del self._follow_up[entity_id]
        for position in sorted(open_positions):
            entity_id = sent[position - 1].message.entity_id
            if entity_id is not None:
                self._follow_up[entity_id] = None

    def _next(self, count: int) -> Iterator[_Sent]:
        for entity_id in list(self._follow_up):
            number = self._ledger.next_number()
            yield self._new(number, self._payloads.message(self._entity, number, entity_id,
                                                           full=True))
        for _ in range(count):
            if self._latest and self._choice.random() < _REPEATED_SHARE:
                yield self._choice.choice(list(self._latest.values()))
            else:
                number = self._ledger.next_number()
                yield self._new(number, self._make(number))

    def _make(self, number: int) -> Message:
        fate = self._choice.random()
        if fate < _BAD_SHARE:
            return self._payloads.bad_message(self._entity, number)
        if fate < _BAD_SHARE + _REFUSED_SHARE:
            return self._refused(number)
        if not self._cluster and fate > 1 - _CLUSTER_SHARE:
            self._cluster = [self._any_id()] * self._choice.randint(*_CLUSTER)
        return self._payloads.message(self._entity, number,
                                      self._cluster.pop() if self._cluster else None)

    def _any_id(self) -> str:
        entity_id = self._payloads.message(self._entity, 0).entity_id
        assert entity_id is not None
        return entity_id

    def _refused(self, number: int) -> Message:
        """One that the database refuses, unless a later one of its entity covers the status in the
        same fold.

        It says nothing else, so that what the tables hold in the end does not depend on the fold.
        """
        entity_id = f"refused-{number}" if self._choice.random() < 0.5 else self._any_id()
        payload = {"id": entity_id, "name": f"Güneş Ağaç {number}", "status": REFUSED_STATUS}
        return Message(self._entity, entity_id, json.dumps(payload, ensure_ascii=False).encode(),
                       payload, REFUSED_BY_DATABASE)

    def _new(self, number: int, message: Message) -> _Sent:
        self._ledger.sending(number, self._queue, message.entity, message.entity_id, message.reason,
                             message.body)
        timestamp = {"timestamp": int(time.time())} if self._choice.random() < 0.5 else {}
        sent = _Sent(number, message,
                     {"content_type": "application/json", "message_id": str(number), **timestamp})
        # Only the latest of an entity may be repeated: another would be an older state that is
        # newly published.
        key = message.entity_id or "bad"
        self._latest.pop(key, None)
        self._latest[key] = sent
        if len(self._latest) > _REMEMBERED:
            del self._latest[next(iter(self._latest))]
        return sent
