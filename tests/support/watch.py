"""What proxies that understand a protocol share: they note what passes and can hold it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from support.proxy import Tap
from support.wait import patience

_STOP_DEADLINE_S = 60


class Stop:
    """A message that is held until release(), with all that follows it in its direction on its
    connection.

    Its first bytes may pass: whoever reads it then waits for the rest.
    """

    def __init__(self, matches: Callable[[Any], bool], passing_bytes: int):
        self.matches = matches
        self.passing_bytes = passing_bytes
        self._reached = threading.Event()
        self._released = threading.Event()

    @property
    def is_reached(self) -> bool:
        return self._reached.is_set()

    def wait(self, deadline_s: float = _STOP_DEADLINE_S) -> None:
        """Until such a message is here."""
        if not self._reached.wait(deadline_s * patience()):
            raise TimeoutError("no such message came to the proxy")

    def release(self) -> None:
        self._released.set()

    def hold(self) -> None:
        self._reached.set()
        self._released.wait()


class Watch:
    """What happens on all connections of a proxy. For use from any thread."""

    def __init__(self, conversation: Callable[[int, "Watch"], Tap]):
        self.lock = threading.Lock()
        self.conversations: list[Any] = []
        self._make = conversation
        self._stops: list[Stop] = []

    def tap(self) -> Tap:
        """For Proxy: one for each connection."""
        with self.lock:
            conversation = self._make(len(self.conversations), self)
            self.conversations.append(conversation)
        return conversation

    def stop_at(self, matches: Callable[[Any], bool], passing_bytes: int = 0) -> Stop:
        """Hold the first message from now on for which this is true."""
        stop = Stop(matches, passing_bytes)
        with self.lock:
            self._stops.append(stop)
        return stop

    def release_all(self) -> None:
        """Hold nothing any more: connections of a proxy that closes must not wait."""
        with self.lock:
            stops, self._stops = self._stops, []
        for stop in stops:
            stop.release()

    def pass_on(self, messages: list[Any], note: Callable[[Any], None]) -> Iterator[bytes]:
        """The bytes of the messages; each is noted before the other side has it."""
        passing = b""
        for message in messages:
            note(message)
            stop = self._stop_for(message)
            if stop is None:
                passing += message.raw
            else:
                yield passing + message.raw[:stop.passing_bytes]
                stop.hold()
                passing = message.raw[stop.passing_bytes:]
        yield passing

    def _stop_for(self, message: Any) -> Stop | None:
        with self.lock:
            for stop in self._stops:
                if not stop.is_reached and stop.matches(message):
                    return stop
        return None
