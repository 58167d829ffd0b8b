"""The program under test: the daemon, and its one-shot commands."""

import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from support import libconfig, privacy
from support.database import REPOSITORY, clean_environment
from support.process import as_user, in_main_thread
from support.wait import patience, wait_until

_COMMAND_DEADLINE_S = 60
_READY_DEADLINE_S = 30
_DEFAULT_SHUTDOWN_S = 30
_ENDPOINT_PATHS = ("/metrics", "/readyz?verbose", "/livez?verbose")
# The last: valgrind, which tests/valgrind/run keeps silent otherwise.
_SANITIZER_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error: "
                               r"|^==\d+== \S", re.MULTILINE)


def binary() -> Path:
    """The program to test: KOPRU_BINARY, or what ./dev build leaves."""
    path = Path(os.environ.get("KOPRU_BINARY", "build/kopru"))
    return path if path.is_absolute() else REPOSITORY / path


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    env = {name: value for name, value in clean_environment().items()
           if not name.startswith("KOPRU_")}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    return {**env, **(extra or {})}


def require_no_sanitizer_report(text: str, source: str) -> None:
    found = _SANITIZER_REPORT.search(text)
    if found is not None:
        raise AssertionError(f"a sanitizer reported on {source}:\n{text[found.start():][:8000]}")


def run_kopru(*arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None,
              deadline_s: float = _COMMAND_DEADLINE_S) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end, whatever its exit code; stdout and stderr are bytes."""
    if arguments[:1] == ("map",):
        privacy.WATCH.published(stdin, {})
    done = subprocess.run([str(binary()), *arguments], input=stdin, capture_output=True,
                          check=False, env=_environment(env), timeout=deadline_s * patience())
    said = done.stderr.decode(errors="replace")
    require_no_sanitizer_report(said, "kopru " + " ".join(arguments))
    if arguments[:1] != ("map",):  # whose data is what the payload says
        said += done.stdout.decode(errors="replace")
    privacy.require_private(said, "kopru " + " ".join(arguments))
    return done


def default_settings(amqp_uri: str, conninfo: str, queues: Mapping[str, str]) -> dict[str, object]:
    """A configuration for tests; queues maps names of queues to customer or subscription."""
    return {
        "erp": {"time_zone": "Europe/Istanbul"},
        "amqp": {"uri": amqp_uri},
        "postgres": {"conninfo": conninfo},
        "entity_files": [str(REPOSITORY / "etc" / "entities" / f"{entity}.cfg")
                         for entity in sorted(set(queues.values()))],
        "queues": [{"name": name, "entity": entity} for name, entity in queues.items()],
        "http": {"listen": ""},
        "log": {"level": "info", "format": "json"},
        "shutdown_timeout": _DEFAULT_SHUTDOWN_S,
    }


def merged(settings: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """settings with changes: a group is merged key by key, all else replaced; None removes."""
    result = dict(settings)
    for name, change in changes.items():
        old = result.get(name)
        if isinstance(change, Mapping) and isinstance(old, Mapping):
            result[name] = merged(old, change)
        elif change is None:
            result.pop(name, None)
        else:
            result[name] = change
    return result


class Relay:
    """The reader of a daemon's log behind a pipe: it can stand still, as a log collector may."""

    _PIPE_BYTES = 4096  # the smallest, so that it is soon full

    def __init__(self) -> None:
        self._reads = threading.Event()
        self._reads.set()
        self._threads: list[threading.Thread] = []

    def stall(self) -> None:
        self._reads.clear()

    def resume(self) -> None:
        self._reads.set()

    def finish(self) -> None:
        """Everything that was written stands in the files. The daemons must have ended."""
        self.resume()
        for thread in self._threads:
            thread.join()

    def to(self, path: Path) -> BinaryIO:
        """What a daemon is to write to; the file gets it."""
        source, target = os.pipe()
        fcntl.fcntl(target, fcntl.F_SETPIPE_SZ, self._PIPE_BYTES)
        path.touch()
        thread = threading.Thread(target=self._copy, args=(source, path), daemon=True)
        self._threads.append(thread)
        thread.start()
        return os.fdopen(target, "wb")

    def _copy(self, source: int, path: Path) -> None:
        with open(source, "rb", buffering=0) as pipe, open(path, "wb", buffering=0) as log:
            while data := pipe.read(self._PIPE_BYTES):
                log.write(data)
                self._reads.wait()


class Kopru:
    """One daemon with its own configuration file; it may be started again after it ended.

        kopru = Kopru(default_settings(broker.uri, database.daemon_dsn, {"q": "customer"}))
        kopru.start()
        ...
        assert kopru.terminate() == 0
        kopru.release()
    """

    def __init__(self, settings: Mapping[str, object], *, env: Mapping[str, str] | None = None,
                 keep: bool = False, prefix: Sequence[str] = (), relay: Relay | None = None):
        """keep: the daemon outlives this program. prefix: a command that starts it, such as
        prlimit. relay: what reads its log.
        """
        self.directory = Path(tempfile.mkdtemp(prefix="kopru-run-"))
        self.config_path = self.directory / "kopru.cfg"
        self.settings = dict(settings)
        self._env = _environment(env)
        self._keep = keep
        self._prefix = prefix
        self._relay = relay
        self._runs = 0
        self._answers: list[str] = []
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError("the daemon was not started")
        return self._popen.pid

    @property
    def stderr_path(self) -> Path:
        """Of the latest run; each run has its own file."""
        return self.directory / f"stderr.{self._runs}"

    def launch(self) -> None:
        """Begin to start, without waiting."""
        if self.is_running():
            raise RuntimeError("the daemon is running already")
        self.config_path.touch(mode=0o600)  # the broker's URI holds a password
        self.config_path.write_text(libconfig.to_text(self.settings), encoding="utf-8")
        self._runs += 1
        # The kernel sends that signal when the launching thread ends, and only the main one lives
        # as long as we do.
        death_signal = "KILL" if in_main_thread() and not self._keep else None
        command = as_user(None, [*self._prefix, str(binary()), "run", "-c", str(self.config_path)],
                          death_signal)
        with self._relay.to(self.stderr_path) if self._relay else open(self.stderr_path,
                                                                       "wb") as stderr:
            self._popen = subprocess.Popen(
                command, env=self._env, cwd=self.directory, stdin=subprocess.DEVNULL,
                stdout=stderr, stderr=stderr, start_new_session=True)

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self, deadline_s: float = _READY_DEADLINE_S) -> None:
        """Wait until every queue of the configuration is being consumed."""
        queues = {queue["name"]
                  for queue in self.settings["queues"]}  # type: ignore[index,attr-defined]

        def all_consuming() -> bool:
            return queues <= {line.get("queue") for line in self.events("consuming")}

        self.wait_until(all_consuming, deadline_s, f"kopru to consume {', '.join(sorted(queues))}")

    def wait_for_event(self, event: str, deadline_s: float = _READY_DEADLINE_S,
                       count: int = 1) -> list[dict]:
        """Wait until the latest run has logged the event count times; the lines."""

        def enough() -> list[dict]:
            lines = self.events(event)
            return lines if len(lines) >= count else []

        return self.wait_until(enough, deadline_s, f"kopru to log {count} x {event!r}")

    def wait_until(self, condition, deadline_s: float, what: str):
        """As wait.wait_until; fails at once, with the log's end, when the daemon ends instead."""

        def checked():
            running = self.is_running()
            result = condition()
            if not result and not running:
                raise RuntimeError(f"kopru ended with status {self.exit_code()} while waiting for "
                                   f"{what}\n{self.tail()}")
            return result

        try:
            return wait_until(checked, deadline_s, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from None

    def terminate(self, number: int = signal.SIGTERM, deadline_s: float | None = None) -> int:
        """Ask it to end; its exit code. The default deadline is somewhat above its
        shutdown_timeout.
        """
        self._ask_endpoint()
        if deadline_s is None:
            timeout_s = self.settings.get("shutdown_timeout", _DEFAULT_SHUTDOWN_S)
            deadline_s = float(timeout_s) + 10  # type: ignore[arg-type]
        self.send(number)
        return self.wait_until_exit(deadline_s)

    def wait_until_exit(self, deadline_s: float) -> int:
        """Its exit code (negative: the signal that ended it), or TimeoutError with the end of the
        log.
        """
        assert self._popen is not None
        try:
            return self._popen.wait(deadline_s * patience())
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"kopru still runs after {deadline_s * patience():g} s\n"
                               f"{self.tail()}") from None

    def _ask_endpoint(self) -> None:
        """What it says of itself before its end, for release() to look at."""
        listen = self.settings.get("http", {}).get("listen")  # type: ignore[attr-defined]
        for path in _ENDPOINT_PATHS if listen and self.is_running() else ():
            connection = http.client.HTTPConnection(listen, timeout=2)
            try:
                connection.request("GET", path)
                self._answers.append(connection.getresponse().read().decode(errors="replace"))
            except (OSError, http.client.HTTPException):
                pass  # it may be frozen, or not there yet
            finally:
                connection.close()

    def kill9(self) -> None:
        if self.is_running():
            self.send(signal.SIGKILL)
            assert self._popen is not None
            self._popen.wait()

    def stop(self) -> None:
        """Freeze it (SIGSTOP)."""
        self.send(signal.SIGSTOP)

    def cont(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: int) -> None:
        if not self.is_running():
            raise RuntimeError(f"kopru is not running (status {self.exit_code()})\n{self.tail()}")
        os.kill(self.pid, number)

    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def exit_code(self) -> int | None:
        return None if self._popen is None else self._popen.poll()

    def release(self) -> None:
        """Kill what still runs, remove the directory, and fail if a sanitizer reported or a
        personal value was said in any run.
        """
        self._ask_endpoint()
        self.kill9()
        try:
            for run in range(1, self._runs + 1):
                text = (self.directory / f"stderr.{run}").read_text(errors="replace")
                require_no_sanitizer_report(text, f"run {run} of the daemon")
                privacy.require_private(text, f"run {run} of the daemon")
            privacy.require_private("".join(self._answers), "the daemon's endpoint")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
            self._runs = 0  # it may be called again

    def stderr_text(self) -> str:
        return self.stderr_path.read_text(errors="replace") if self._runs else ""

    def tail(self, lines: int = 30) -> str:
        """The end of the latest run's log, for messages."""
        return "its log ends:\n" + "\n".join(self.stderr_text().splitlines()[-lines:])

    def log_lines(self) -> list[dict]:
        """The latest run's log, without a last incomplete line and lines that are no JSON."""
        parsed = []
        for line in self.stderr_text().splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                parsed.append(value)
        return parsed

    def events(self, name: str) -> list[dict]:
        return [line for line in self.log_lines() if line.get("event") == name]
