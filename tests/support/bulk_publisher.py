"""Publishing many messages with confirms that are not waited for one by one."""

from collections.abc import Callable, Iterator

import pika
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel

Message = tuple[bytes, dict[str, object]]

_MOST_OPEN = 1000


class BulkPublisher:
    """Sends an iterator of (body, properties) to one queue, in order, with a bounded number of open
    confirms.

    on_confirm(n) is called when the broker has confirmed the n-th message, counted from 1; once
    each, not always in order. run() returns the number of messages when all are confirmed; it
    raises what went wrong, and then only what on_confirm was told is certain.
    """

    def __init__(self, parameters: pika.connection.Parameters, queue: str,
                 messages: Iterator[Message], on_confirm: Callable[[int], None]):
        self._queue = queue
        self._messages = messages
        self._on_confirm = on_confirm
        self._sent = 0
        self._open: set[int] = set()
        self._exhausted = False
        self._failure: BaseException | None = None
        self._channel: Channel | None = None
        self._connection = SelectConnection(
            parameters, on_open_callback=self._opened, on_open_error_callback=self._closed,
            on_close_callback=self._closed)

    def run(self) -> int:
        self._connection.ioloop.start()
        if self._failure is not None:
            raise self._failure
        return self._sent

    def _opened(self, connection: SelectConnection) -> None:
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._answered, callback=lambda _frame: self._fill())

    def _channel_closed(self, _channel: Channel, reason: BaseException) -> None:
        if self._failure is None and not self._finished():
            self._failure = reason
        if self._connection.is_open:
            self._connection.close()

    def _closed(self, _connection: SelectConnection, reason: BaseException) -> None:
        if self._failure is None and not self._finished():
            self._failure = reason
        self._connection.ioloop.stop()

    def _returned(self, _channel: Channel, method: pika.spec.Basic.Return, *_rest: object) -> None:
        self._fail(RuntimeError(f"queue {self._queue!r}: {method.reply_code} {method.reply_text}"))

    def _fail(self, failure: BaseException) -> None:
        if self._failure is None:
            self._failure = failure
        if self._connection.is_open:
            self._connection.close()

    def _finished(self) -> bool:
        return self._exhausted and not self._open

    def _fill(self) -> None:
        assert self._channel is not None
        while not self._exhausted and self._failure is None and len(self._open) < _MOST_OPEN:
            try:
                message = next(self._messages, None)
            except Exception as failure:  # the caller's generator; run() raises it
                self._fail(failure)
                return
            if message is None:
                self._exhausted = True
                break
            body, properties = message
            self._sent += 1
            self._open.add(self._sent)
            self._channel.basic_publish(
                "", self._queue, body, pika.BasicProperties(delivery_mode=2, **properties),
                mandatory=True)
        if self._finished():
            self._connection.close()

    def _answered(self, frame: pika.frame.Method) -> None:
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        confirmed = sorted(n for n in self._open if n <= tag) if multiple else [tag]
        self._open.difference_update(confirmed)
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self._fail(RuntimeError(f"queue {self._queue!r}: the broker refused "
                                    f"{len(confirmed)} messages"))
            return
        for n in confirmed:
            self._on_confirm(n)
        if self._failure is None:
            self._fill()
