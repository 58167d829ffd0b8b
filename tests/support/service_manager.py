"""The service manager of a unit with Type=notify: a datagram socket, and what it received."""

import secrets
import socket
from pathlib import Path


class ServiceManager:
    """Give its environment to a daemon and look at words().

        with ServiceManager(tmp_path / "notify") as manager:
            kopru(env=manager.environment)
            wait_until(lambda: "READY=1" in manager.words(), 30, "READY=1")
    """

    def __init__(self, path: Path | None, watchdog_s: float = 0):
        """Without a path its name is abstract. watchdog_s: 0 does not watch."""
        name = str(path) if path is not None else f"@kopru-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX,
                                     socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._socket.bind(name.replace("@", "\0", 1) if path is None else name)
        self._words: list[str] = []
        self.environment = {"NOTIFY_SOCKET": name}
        if watchdog_s:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1_000_000))

    def __enter__(self) -> "ServiceManager":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def words(self) -> list[str]:
        """All NAME=value lines so far, in order."""
        while True:
            try:
                self._words += self._socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self._words

    def forget(self) -> None:
        self.words()
        self._words = []
