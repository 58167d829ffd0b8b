"""Standard error that nobody reads, or that is not there: it holds up neither the data nor the end,
and no connection takes its place.
"""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from support import privacy
from support.daemon import Kopru, binary
from support.database import REPOSITORY
from support.endpoint import Endpoint
from support.wait import wait_until

_CONFIG = 78
_INTERNAL = 70
_NO_INPUT = 66
_BODY = '{"id":"%d","name":"Güneş Ağaç"}'
_ROUND = 400  # messages; at level debug they make 100 KB of log
_ROUNDS = 6  # more than a pipe or a socket and the queue of base/log_writer.c hold

# Starts a command with its standard error at a path: a FIFO, a device, or a socket. Python ignores
# two signals, and what it starts would ignore them, too.
_REDIRECT = """
import os, signal, socket, stat, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
path = sys.argv[1]
if stat.S_ISSOCK(os.stat(path).st_mode):
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(path)
    fd = connected.detach()
else:
    fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | int(sys.argv[2]))
os.dup2(fd, 2)
os.close(fd)
os.execvp(sys.argv[3], sys.argv[3:])
"""


@dataclass
class Reader:
    """The other end of a daemon's standard error; it reads only when it is asked to."""

    path: str
    fd: Callable[[], int]  # from which what was logged can be read
    flags: int = 0  # of the daemon's open file
    limit: tuple[str, ...] = ()  # a command that limits what the daemon may write
    text: bytearray = field(default_factory=bytearray)

    @property
    def prefix(self) -> tuple[str, ...]:
        return (*self.limit, sys.executable, "-c", _REDIRECT, self.path, str(self.flags))

    def read(self) -> None:
        """All that is there now."""
        while select.select([self.fd()], [], [], 0)[0]:
            read = os.read(self.fd(), 1 << 20)
            if not read:
                return
            self.text += read

    def events(self, name: str) -> list[dict]:
        """Every line is whole, but for the last."""
        whole, _, _rest = bytes(self.text).rpartition(b"\n")
        return [line for line in map(json.loads, whole.splitlines()) if line["event"] == name]


@contextmanager
def _pipe(directory: Path, flags: int = 0) -> Iterator[Reader]:
    path = directory / "pipe"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)  # also for writing, so that it never sees an end
    yield Reader(str(path), lambda: fd, flags)
    os.close(fd)


@contextmanager
def _socket(directory: Path) -> Iterator[Reader]:
    """As systemd's journal has it."""
    accepted: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as server, ExitStack() as stack:
        path = str(directory / "socket")
        server.bind(path)
        server.listen()

        def fd() -> int:
            if not accepted:
                accepted.append(stack.enter_context(server.accept()[0]))
            return accepted[0].fileno()

        yield Reader(path, fd)


@contextmanager
def _terminal(_directory: Path) -> Iterator[Reader]:
    """In which somebody pressed Ctrl-S."""
    master, slave = pty.openpty()
    termios.tcflow(slave, termios.TCOOFF)
    yield Reader(os.ttyname(slave), lambda: master)
    os.close(master)
    os.close(slave)


@contextmanager
def _full_disk(_directory: Path) -> Iterator[Reader]:
    with open("/dev/zero", "rb") as nothing:
        yield Reader("/dev/full", nothing.fileno)


@contextmanager
def _file_at_its_limit(directory: Path) -> Iterator[Reader]:
    """ulimit -f: a write beyond it raises a signal that ends a process."""
    path = directory / "log"
    path.touch()
    with open(path, "rb") as log:
        yield Reader(str(path), log.fileno, limit=("prlimit", "--fsize=20000"))


_STALLED = {"a pipe": _pipe, "a socket": _socket, "a stopped terminal": _terminal}
_USELESS = {**_STALLED, "a full disk": _full_disk,
            "a file at its limit": _file_at_its_limit}


def _continue_reading(reader: Reader) -> None:
    """Ctrl-Q."""
    if reader.path.startswith("/dev/pts"):
        terminal = os.open(reader.path, os.O_RDWR | os.O_NOCTTY)
        termios.tcflow(terminal, termios.TCOON)
        os.close(terminal)


class Site:
    """A daemon that logs much to a standard error of the test's choice."""

    def __init__(self, make: Callable[..., Kopru], reader: Reader, broker, db, queue: str):
        self.endpoint = Endpoint()
        self._broker, self._db, self._queue = broker, db, queue
        self._published = 0
        self.daemon = make(start=False, prefix=reader.prefix, log={"level": "debug"},
                           queues=[{"name": queue, "entity": "customer", "writers": 2}],
                           batch={"max_messages": 1}, http=self.endpoint.settings)
        self.daemon.launch()
        self.endpoint.wait_until_it_answers(self.daemon)

    def publish(self, rounds: int = 1) -> None:
        """Good messages and bad ones in turn; all must be written."""
        for _ in range(rounds):
            numbers = range(self._published, self._published + _ROUND)
            self._published += _ROUND
            self._broker.publish_many(self._queue,
                                      [(_BODY % n if n % 2 else '{"id":%d,' % n).encode()
                                       for n in numbers])
            self._broker.wait_until_empty(self._queue, deadline_s=30)
        assert self._db.value("SELECT count(*) FROM kopru.customers") == self._published // 2
        assert self._db.value(
            "SELECT sum(occurrences) FROM kopru.dead_letters") == self._published // 2

    def dropped(self) -> float:
        return self.endpoint.metrics()["kopru_log_lines_dropped_total",]

    def require_alive(self) -> None:
        assert self.endpoint.ask("/livez")[0] == 200
        assert self.endpoint.ask("/readyz")[0] == 200


@pytest.fixture
def site(rabbitmq_server, db, queues, kopru) -> Callable[[Reader], Site]:
    return lambda reader: Site(kopru, reader, rabbitmq_server, db, queues.customer)


# ---- nobody reads it ----

@pytest.mark.parametrize("kind", _USELESS)
def test_a_log_that_nobody_takes_holds_up_nothing(kind: str, site, tmp_path):
    with _USELESS[kind](tmp_path) as reader:
        stalled = site(reader)
        stalled.publish(_ROUNDS)
        stalled.require_alive()
        assert stalled.dropped() > 0
        assert stalled.daemon.terminate(deadline_s=10) == 0


@pytest.mark.parametrize("kind", _STALLED)
def test_the_next_line_says_how_many_were_dropped(kind: str, site, tmp_path):
    with _STALLED[kind](tmp_path) as reader:
        stalled = site(reader)
        stalled.publish(_ROUNDS)
        _continue_reading(reader)

        def told() -> int:
            reader.read()
            return sum(line["count"] for line in reader.events("log_lines_dropped"))

        wait_until(lambda: told() > 0, 30, "a line that says how many were dropped")
        assert told() == stalled.dropped()
        assert {line["level"] for line in reader.events("log_lines_dropped")} == {"warning"}
        assert stalled.daemon.terminate() == 0
        wait_until(lambda: reader.read() or reader.events("stopped"), 30, "the last line")
        privacy.require_private(reader.text.decode(), "the log")


def test_a_pipe_that_somebody_made_nonblocking_loses_nothing(site, tmp_path):
    """O_NONBLOCK belongs to the open file, which a shell or a supervisor may share."""
    with _pipe(tmp_path, os.O_NONBLOCK) as reader:
        stalled = site(reader)
        stalled.publish(2)  # more than the pipe holds, and less than the queue

        def all_read() -> bool:
            reader.read()
            return len(reader.events("committed")) == 2 * _ROUND

        wait_until(all_read, 30, "a line about each transaction")
        assert stalled.dropped() == 0


def test_a_reader_that_left_is_no_reason_to_end(site, tmp_path):
    with _socket(tmp_path) as reader:
        left = site(reader)
        with socket.socket(fileno=os.dup(reader.fd())) as end:
            end.shutdown(socket.SHUT_RDWR)
        left.publish()
        left.require_alive()
        assert left.dropped() > 0
        assert left.daemon.terminate(deadline_s=10) == 0


def _fill(reader: Reader) -> None:
    """Leave no room in the pipe."""
    os.set_blocking(reader.fd(), False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(reader.fd(), bytes(4096))
    os.set_blocking(reader.fd(), True)


def test_a_second_signal_ends_it_even_so(rabbitmq_server, db, queues, site, tmp_path):
    with _pipe(tmp_path) as reader:
        stalled = site(reader)
        _fill(reader)
        with psycopg.connect(db.admin_dsn) as connection:
            connection.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            rabbitmq_server.publish(queues.customer, b'{"id":"locked out"}')
            wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 1, 30,
                       "the delivery")
            stalled.daemon.send(signal.SIGTERM)
            stalled.endpoint.wait_until_readyz(stalled.daemon, 503, "[-]daemon stopping")
            assert stalled.daemon.terminate(deadline_s=10) == 1


def test_the_last_words_of_a_start_that_fails_hold_it_up_neither(kopru, tmp_path):
    with _pipe(tmp_path) as reader:
        _fill(reader)
        daemon = kopru(start=False, prefix=reader.prefix, http={"listen": "nonsense"})
        daemon.launch()
        assert daemon.wait_until_exit(10) == _CONFIG


# ---- what libraries print ----

def test_what_libpq_prints_goes_through_the_log(db, kopru, tmp_path):
    passfile = tmp_path / "pgpass"
    passfile.touch(mode=0o644)
    daemon = kopru(postgres={"conninfo": psycopg.conninfo.make_conninfo(db.daemon_dsn,
                                                                        passfile=passfile)})
    lines = [json.loads(line) for line in daemon.stderr_text().splitlines()]
    said = {line["text"] for line in lines if line["event"] == "library_message"}
    assert said == {f'WARNING: password file "{passfile}" has group or world access; permissions '
                    "should be u=rw (0600) or less"}
    assert daemon.terminate() == 0


# ---- it is closed ----

@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_connection_takes_the_place_of_a_closed_descriptor(closed: str, postgres_server,
                                                              rabbitmq_server, db, queues, kopru):
    endpoint = Endpoint()
    daemon = kopru(start=False, prefix=("sh", "-c", f'exec "$@" {closed}', "sh"),
                   log={"level": "debug"}, http=endpoint.settings)
    daemon.launch()
    endpoint.wait_until_it_answers(daemon)
    opened = {fd: os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in (0, 1, 2)}
    numbers = {"<": 0, ">": 1, "2": 2}
    for redirection in closed.split():
        assert opened[numbers[redirection[0]]] == "/dev/null"
    rabbitmq_server.publish_many(queues.customer, [b'{"id":"1","name":"first"}', b'{"id":'])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT customer_id FROM kopru.customers") == [("1",)]
    assert endpoint.metrics()["kopru_log_lines_dropped_total",] == 0
    assert daemon.terminate() == 0


@pytest.mark.parametrize(("arguments", "closed", "status"), [
    (["--version"], ">&-", _INTERNAL), (["sql"], ">&-", _INTERNAL), (["map"], "<&-", _NO_INPUT)])
def test_a_closed_descriptor_is_not_an_empty_file(arguments: list[str], closed: str, status: int):
    """It is /dev/null, but a command says that it has no input, or nowhere to write."""
    configuration = ["-c", str(REPOSITORY / "etc" / "kopru.cfg"), "--entity", "customer"]
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", str(binary()), *arguments,
                           *(configuration if arguments != ["--version"] else [])],
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr.decode()
