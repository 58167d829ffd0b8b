"""The daemon's HTTP endpoint, asked in one line."""

import urllib.error
import urllib.request

from support import prometheus
from support.daemon import Kopru
from support.process import free_port

_DEADLINE_S = 20


class Endpoint:
    """For a daemon that was made with endpoint.settings: Endpoint().

        endpoint = Endpoint()
        daemon = kopru(http=endpoint.settings)
        assert endpoint.ask("/readyz?verbose")[0] == 200
    """

    def __init__(self) -> None:
        self._port = free_port()
        self.settings = {"listen": f"127.0.0.1:{self._port}"}

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}",
                                        timeout=_DEADLINE_S) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait_until_it_answers(self, daemon: Kopru) -> None:
        """Wait until the daemon is ready, which need not have a log."""

        def is_ready() -> bool:
            try:
                return self.ask("/readyz")[0] == 200
            except OSError:
                return False

        daemon.wait_until(is_ready, 30, "the endpoint to say that the daemon is ready")

    def metrics(self) -> prometheus.Samples:
        return prometheus.parse(self.ask("/metrics")[1])

    def wait_until_readyz(self, daemon: Kopru, status: int, *parts: str) -> str:
        """Wait for an answer of that status with all the parts."""

        def answer() -> str | None:
            code, text = self.ask("/readyz?verbose")
            return text if code == status and all(part in text for part in parts) else None

        return daemon.wait_until(answer, 60, f"/readyz to answer {status} with {parts}")
