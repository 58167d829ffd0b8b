"""kopru status --live: what it says of a daemon that lives, of one that does not answer, and of
what is no daemon.
"""

import http.server
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import libconfig
from support.daemon import Kopru, run_kopru
from support.process import free_port, is_stopped
from support.wait import wait_until

ALIVE, STUCK, USAGE, NO_ANSWER, CONFIGURATION = 0, 1, 64, 69, 78
_NOBODY = {"amqp": {"uri": "amqp://guest:guest@127.0.0.1:1/%2f"},
           "postgres": {"conninfo": "host=127.0.0.1 port=1 dbname=none"}}

Configure = Callable[..., str]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Writes a configuration with nothing but this http.listen, and returns its path."""

    def write(listen: str) -> str:
        path = tmp_path / "kopru.cfg"
        path.write_text(libconfig.to_text({"http": {"listen": listen}}), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def daemon(kopru: Callable[..., Kopru]) -> Kopru:
    """A daemon without any server, which lives all the same."""
    started = kopru(start=False, http={"listen": f"127.0.0.1:{free_port()}"}, **_NOBODY)
    started.launch()
    started.wait_for_event("http_listening")
    return started


def ask(config: str | Path, status: int, *parts: str, env: dict[str, str] | None = None) -> None:
    """Ask; the answer has this exit status and stands in one line, with all the parts."""
    done = run_kopru("status", "--live", "--config", str(config), env=env)
    said = (done.stdout if status == ALIVE else done.stderr).decode()
    assert done.returncode == status, done.stderr
    assert (done.stderr if status == ALIVE else done.stdout) == b""
    line, *hints = said.splitlines()
    assert all(part in line for part in parts), line
    assert len(hints) == (status != ALIVE) and all(hint.startswith("  hint: ") for hint in hints)


def test_it_lives_while_both_servers_are_away(daemon: Kopru):
    ask(daemon.config_path, ALIVE, "127.0.0.1:", "is alive")
    assert daemon.terminate() == 0
    ask(daemon.config_path, NO_ANSWER, "the daemon does not answer", "Connection refused")


def test_a_daemon_that_was_stopped_does_not_hold_it_up(daemon: Kopru):
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: is_stopped(daemon.pid), 30, "SIGSTOP to take effect")
        ask(daemon.config_path, NO_ANSWER, "does not answer", "accepts connections and is silent")
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    ask(daemon.config_path, ALIVE, "is alive")


@pytest.mark.parametrize("listen", ["0.0.0.0", "[::]", "localhost"])
def test_a_daemon_that_listens_everywhere_is_asked_on_the_loopback(listen: str, kopru):
    if listen == "[::]" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    daemon = kopru(start=False, http={"listen": f"{listen}:{free_port()}"}, **_NOBODY)
    daemon.launch()
    daemon.wait_for_event("http_listening")
    ask(daemon.config_path, ALIVE, f"{listen}:", "is alive")


def test_the_environment_says_where_as_for_the_daemon(daemon: Kopru, configure: Configure):
    address = daemon.wait_for_event("http_listening")[0]["address"]
    ask(configure(""), ALIVE, address, env={"KOPRU_HTTP_LISTEN": address})


def test_a_mistake_elsewhere_in_the_file_does_not_make_it_look_dead(daemon: Kopru):
    text = daemon.config_path.read_text(encoding="utf-8")
    daemon.config_path.write_text(f"{text}\nqueuse = ();\n", encoding="utf-8")
    assert run_kopru("check", "--offline", "--config", str(daemon.config_path)).returncode != 0
    ask(daemon.config_path, ALIVE, "is alive")


class Foreign(http.server.BaseHTTPRequestHandler):
    answer = (404, b"nothing here\n")

    def do_GET(self):
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@contextmanager
def foreign_server(status: int, body: bytes) -> Iterator[str]:
    """Another program's HTTP server, at the address that it yields."""
    handler = type("Answers", (Foreign,), {"answer": (status, body)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "body"), [(404, b"nothing here\n"), (200, b"<html>hello"),
                                              (200, b""), (503, b"busy\n"), (204, b"ok\n")])
def test_another_program_is_not_the_daemon(status: int, body: bytes, configure: Configure):
    with foreign_server(status, body) as address:
        ask(configure(address), NO_ANSWER, "another program listens", address, f"status {status}")


def test_what_is_stuck_is_named(configure: Configure):
    """As src/cmd/health.c prints it: no thread of a real daemon can be made to hang by order."""
    said = (b"[-]lease keeper stuck: no sign of life for 200 s\n[+]queue a consumer ok\n"
            b"[-]queue a writers stuck: no sign of life for 201 s\nlivez check failed\n")
    with foreign_server(503, said) as address:
        ask(configure(address), STUCK, "the daemon is not alive", "lease keeper stuck: no sign of "
            "life for 200 s; queue a writers stuck: no sign of life for 201 s")


def test_a_wrong_port_is_said(daemon: Kopru, configure: Configure):
    ask(configure(f"127.0.0.1:{free_port()}"), NO_ANSWER, "does not answer", "Connection refused")


def test_who_speaks_no_http_is_no_daemon(configure: Configure):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def greet():
            connection, _ = server.accept()
            with connection:
                # What is not read when it closes would make a reset of the end.
                connection.recv(4096)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        ask(configure(address), NO_ANSWER, "does not answer", "HTTP")
        thread.join()


def test_without_an_address_it_says_what_to_set(configure: Configure, tmp_path: Path):
    ask(configure(""), CONFIGURATION, "http.listen", "switches the HTTP endpoint off")
    ask(configure("9187"), CONFIGURATION, "http.listen", "it is not host:port")
    ask(tmp_path / "none.cfg", CONFIGURATION, "none.cfg")


def test_without_live_it_says_what_there_is(configure: Configure):
    done = run_kopru("status", "--config", configure("127.0.0.1:1"))
    assert (done.returncode, done.stdout) == (USAGE, b"")
    assert done.stderr.decode().startswith('kopru: missing option "--live": ')
    assert "hint: kopru status --live asks whether the daemon is alive" in done.stderr.decode()
