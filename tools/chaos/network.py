"""A TCP proxy that cuts, resets, stalls, slows or limits connections, in either direction."""

import ctypes
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

TO_SERVER, TO_CLIENT = True, False

_CHUNK = 65536
_CONNECT_S = 5
_SOCKADDR_UNSPEC = bytes(16)  # of the family AF_UNSPEC

_libc = ctypes.CDLL(None, use_errno=True)


class Tap(Protocol):
    """Sees the bytes of one connection. Each direction calls it from its own thread."""

    def saw(self, to_server: bool, data: bytes) -> None: ...


class Rewriter(Protocol):
    """Changes what the client says on one connection."""

    def to_server(self, data: bytes) -> Iterable[bytes]: ...


class Network:
    """Listens on a free port of 127.0.0.1 and passes everything to and from another port there.

    A fault concerns the connections that are there; a stall, a delay and a limit also those that
    come while it lasts.
    """

    def __init__(self, port: int, tap: Callable[[], Tap] | None = None,
                 rewriter: Callable[[], Rewriter] | None = None):
        self._target = port
        self._tap = tap
        self._rewriter = rewriter
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self._open = {TO_SERVER: threading.Event(), TO_CLIENT: threading.Event()}
        self._delay_s = 0.0
        self._left: dict[bool, int | None] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        _shut(self._listener)  # wakes the thread that accepts
        self._listener.close()
        self.heal()
        self.cut()

    def cut(self) -> None:
        """End all connections politely on both sides."""
        for link in self._current():
            link.cut()

    def reset(self) -> None:
        """Send RST to both sides of all connections."""
        for link in self._current():
            link.reset()

    def stall(self, *directions: bool) -> None:
        """Hold all bytes of these directions; connections stay open and new ones are accepted."""
        for direction in directions:
            self._open[direction].clear()

    def delay(self, seconds: float) -> None:
        """Hold each piece for that time."""
        self._delay_s = seconds

    def limit(self, direction: bool, count: int) -> None:
        """Cut everything after count more bytes in this direction, over all connections."""
        with self._lock:
            self._left[direction] = count

    def heal(self) -> None:
        self._delay_s = 0.0
        with self._lock:
            self._left = {}
        for event in self._open.values():
            event.set()

    def _current(self) -> list["_Link"]:
        with self._lock:
            self._links = [link for link in self._links if not link.ended]
            return list(self._links)

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=_CONNECT_S)
            except OSError:
                _reset(client)
                client.close()
                continue
            server.settimeout(None)
            link = _Link(self, client, server, self._tap() if self._tap is not None else None,
                         self._rewriter() if self._rewriter is not None else None)
            with self._lock:
                self._links.append(link)
            link.start()

    def passes(self, direction: bool, data: bytes) -> tuple[bytes, bool]:
        """Waits as long as the network asks; the data to pass on, and whether to cut afterwards."""
        self._open[direction].wait()
        if self._delay_s:
            time.sleep(self._delay_s)
            self._open[direction].wait()
        with self._lock:
            left = self._left.get(direction)
            if left is None:
                return data, False
            if len(data) < left:
                self._left[direction] = left - len(data)
                return data, False
            del self._left[direction]
        return data[:left], True


class _Link:
    """One connection: two sockets and two threads."""

    def __init__(self, network: Network, client: socket.socket, server: socket.socket,
                 tap: Tap | None, rewriter: Rewriter | None):
        self._network = network
        self._client = client
        self._server = server
        self._tap = tap
        self._rewriter = rewriter
        self._running = 2
        self._end = _shut
        self._lock = threading.Lock()

    @property
    def ended(self) -> bool:
        return self._running == 0

    def start(self) -> None:
        for ends in ((self._client, self._server, TO_SERVER),
                     (self._server, self._client, TO_CLIENT)):
            threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def cut(self) -> None:
        _shut(self._client)
        _shut(self._server)

    def reset(self) -> None:
        self._end = _reset  # for the threads that wake up now too
        _reset(self._client)
        _reset(self._server)

    def _pass(self, source: socket.socket, target: socket.socket, direction: bool) -> None:
        try:
            while data := source.recv(_CHUNK):
                if self._tap is not None:
                    self._tap.saw(direction, data)
                if self._rewriter is not None and direction == TO_SERVER:
                    data = b"".join(self._rewriter.to_server(data))
                data, is_last = self._network.passes(direction, data)
                target.sendall(data)
                if is_last:
                    self._network.cut()
        except OSError:
            pass
        self._network.passes(direction, b"")  # a stalled network does not pass an end either
        self._end(target)
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._client.close()
                self._server.close()


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _reset(end: socket.socket) -> None:
    """connect() to no address: Linux answers the peer with RST and wakes those who wait here."""
    if _libc.connect(end.fileno(), _SOCKADDR_UNSPEC, len(_SOCKADDR_UNSPEC)) != 0:
        error = ctypes.get_errno()
        if error != errno.EBADF:  # closed already
            raise OSError(error, os.strerror(error))
