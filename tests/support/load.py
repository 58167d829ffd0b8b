"""A publisher that never stops, and keeps a ledger."""

import random
import threading
import time
from collections.abc import Iterator

import pika

from support.ledger import Ledger
from support.payloads import Message, Payloads
from support.rabbitmq import RabbitMQ
from support.wait import patience

_BURST = 500
_PAUSE_S = 0.02
_OUTAGE_DEADLINE_S = 180
_OUTAGES = (pika.exceptions.AMQPError, OSError, RuntimeError)


class Load:
    """Publishes random messages to the queues, in bursts, one queue after the other, as long as the
    block lasts.

        with Load(broker, {"q": "customer"}, ledger, random.Random(1)) as load:
            ...

    It keeps some backlog in each queue, but not more: the time that tests take stays bounded. What
    the broker did not confirm before an outage is followed up by a message that says everything
    about the same entity.
    """

    def __init__(self, broker: RabbitMQ, queues: dict[str, str], ledger: Ledger,
                 choice: random.Random, *,
                 entities: int = 200, backlog: int = 3000, bad_share: float = 0.01):
        self._broker = broker
        self._queues = queues
        self._ledger = ledger
        self._choice = choice
        self._payloads = Payloads(choice, entities)
        self._backlog = backlog
        self._bad_share = bad_share
        # ids, in order
        self._follow_up: dict[str, dict[str | None, None]] = {queue: {} for queue in queues}
        self._stop = threading.Event()
        self._given_up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_exc: object) -> None:
        if failure is not None:
            self._given_up.set()
        self.finish()

    def finish(self) -> None:
        """Publish what has to be followed up and end; after a failure, end at once."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None and not self._given_up.is_set():
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for queue in self._queues:
                    if self._ready(queue) < self._backlog:
                        self._burst(queue, _BURST)
                self._stop.wait(_PAUSE_S)
            for queue in self._queues:
                while self._follow_up[queue] and not self._given_up.is_set():
                    self._ready(queue)
                    self._burst(queue, 0)
        except BaseException as failure:  # finish() raises it
            self._failure = failure

    def _ready(self, queue: str) -> int:
        return self._through_outages(lambda: self._ask(queue))

    def _ask(self, queue: str) -> int:
        with self._broker.connect() as connection:
            return connection.channel().queue_declare(queue, passive=True).method.message_count

    def _through_outages(self, ask):
        end = time.monotonic() + _OUTAGE_DEADLINE_S * patience()
        while True:
            try:
                return ask()
            except _OUTAGES:
                if time.monotonic() >= end or self._given_up.is_set():
                    raise
                time.sleep(_PAUSE_S)

    def _burst(self, queue: str, count: int) -> None:
        sent: list[tuple[int, Message]] = []
        open_numbers: set[int] = set()

        def messages() -> Iterator[tuple[bytes, dict[str, object]]]:
            for number, message in self._next_messages(queue, count):
                sent.append((number, message))
                open_numbers.add(number)
                self._ledger.sending(number, queue, message)
                yield message.body, {"content_type": "application/json", **self._timestamp()}

        def on_confirm(n: int) -> None:
            number, message = sent[n - 1]
            open_numbers.discard(number)
            self._ledger.confirmed(number)
            if n <= len(follow_up):
                del self._follow_up[queue][message.entity_id]

        follow_up = list(self._follow_up[queue])
        try:
            self._broker.publish_many(queue, messages(), on_confirm)
        except _OUTAGES:
            pass  # what is open now is followed up
        for number, message in sent:
            if number in open_numbers and message.entity_id is not None:
                self._follow_up[queue][message.entity_id] = None

    def _next_messages(self, queue: str, count: int) -> Iterator[tuple[int, Message]]:
        """First what has to be followed up."""
        entity = self._queues[queue]
        for entity_id in list(self._follow_up[queue]):
            number = self._ledger.next_number()
            yield number, self._payloads.message(entity, number, entity_id, full=True)
        for _ in range(count):
            number = self._ledger.next_number()
            bad = self._choice.random() < self._bad_share
            yield number, (self._payloads.bad_message if bad else self._payloads.message)(entity,
                                                                                          number)

    def _timestamp(self) -> dict[str, object]:
        return {"timestamp": int(time.time())} if self._choice.random() < 0.5 else {}
