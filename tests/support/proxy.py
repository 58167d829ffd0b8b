"""A TCP proxy that cuts and freezes what passes through it."""

import socket
import threading


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes everything to and from another port there.

        with Proxy(broker.port) as proxy:
            ... connect to proxy.port ...
            proxy.freeze()       # nothing moves any more, and the other side does not learn of anything
    """

    def __init__(self, port: int):
        self._target = port
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
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
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            self._thaw.wait()
            if not data:
                break
            try:
                target.sendall(data)
            except OSError:
                if to_server:
                    return
        if not to_server:
            _shut(target)


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
