"""A TCP proxy that cuts and freezes what passes through it."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Protocol


class Tap(Protocol):
    """Sees what passes on one connection: each call gets what arrived and yields what goes on. To
    wait in between is to hold it.

    Each direction has its own thread.
    """

    def to_server(self, data: bytes) -> Iterator[bytes]: ...

    def to_client(self, data: bytes) -> Iterator[bytes]: ...


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes everything to and from another port there.

        with Proxy(broker.port) as proxy:
            ... connect to proxy.port ...
            proxy.freeze()       # nothing moves any more, and the other side learns of nothing


    """

    def __init__(self, port: int, tap: Callable[[], Tap] | None = None):
        """tap makes the tap of each new connection: see amqp_frames and pg_messages."""
        self._target = port
        self._tap = tap
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        # clients whose servers shall not learn of their end
        self._half_open: set[socket.socket] = set()
        self._thaw = threading.Event()
        self._thaw.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
        self._thaw.set()
        self.cut()

    def close(self) -> None:
        """Accept no more connections."""
        _shut(self._listener)  # wakes the thread that accepts
        self._listener.close()

    def freeze(self) -> None:
        """Hold all bytes in both directions; connections stay open and new ones are accepted."""
        self._thaw.clear()

    def thaw(self) -> None:
        self._thaw.set()

    def cut(self) -> None:
        """Break all connections on both sides."""
        with self._lock:
            for end in self._sockets:
                _shut(end)
            self._sockets.clear()

    def cut_clients(self) -> None:
        """Break the clients' sides only: the server goes on believing in its connections."""
        with self._lock:
            self._half_open.update(self._sockets[::2])
            for client in self._sockets[::2]:
                _shut(client)

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._sockets += [client, server]
            tap = self._tap() if self._tap is not None else _Through()
            threading.Thread(target=self._pass, args=(client, server, tap.to_server, True),
                             daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, tap.to_client, False),
                             daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket,
              through: Callable[[bytes], Iterator[bytes]], to_server: bool) -> None:
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            self._thaw.wait()
            if not data:
                break
            try:
                for piece in through(data):
                    target.sendall(piece)
            except OSError:
                if to_server:
                    return
        if source not in self._half_open:
            _shut(target)


class _Through:
    """No tap."""

    def to_server(self, data: bytes) -> Iterator[bytes]:
        yield data

    to_client = to_server


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
