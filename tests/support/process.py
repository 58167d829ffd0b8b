"""Child processes that never outlive the program which started them."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from support.wait import patience

# Below the kernel's range for outgoing connections (32768 and up): a client that reconnects in a
# loop while a server is down could otherwise be given the server's own port as its source port.
_PORTS = range(20000, 32000)
_STOP_DEADLINE_S = 60


def unprivileged_user(preferred: str) -> str | None:
    """The user a server should run as: None for the current one, a name if we are root."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        try:
            if pwd.getpwnam(name).pw_uid != 0:
                return name
        except KeyError:
            continue
    raise RuntimeError(f"running as root, and there is neither a user {preferred!r} nor 'nobody' "
                       "to drop to")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    choice = random.SystemRandom()
    for _ in range(200):
        port = choice.choice(_PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free TCP port found between {_PORTS.start} and {_PORTS.stop}")


def make_directory(prefix: str, owner: str | None) -> Path:
    """A new private directory. Short: the path of a UNIX socket below it has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    if owner is not None:
        shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)
    return path


def as_user(user: str | None, command: Sequence[str], death_signal: str | None = None) -> list[str]:
    """The command, run as user; death_signal reaches it when its parent's thread ends."""
    prefix = ["setpriv"]
    if user is not None:
        prefix += [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"]
    if death_signal is not None:
        prefix += ["--pdeathsig", death_signal]
    return [*prefix, "--", *command] if len(prefix) > 1 else list(command)


def _state_of(pid: int) -> str | None:
    """As in proc(5); None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def is_gone(pid: int) -> bool:
    """Whether a process has ended, even if its parent has not collected its status."""
    return _state_of(pid) in ("Z", None)


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has taken effect: some time after it was sent, and then nothing is forked."""
    return _state_of(pid) == "T"


class Child:
    """A server process in a session of its own, out of reach of Ctrl-C; stopped by its id."""

    def __init__(self, name: str, log_path: Path, user: str | None):
        self.name = name
        self.log_path = log_path
        self.user = user
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._popen.pid

    def launch(self, command: Sequence[str], env: Mapping[str, str], cwd: Path,
               death_signal: str | None) -> None:
        """Start the command; its output is appended to the log.

        With a death_signal it is stopped when the thread that called this ends: call it from the
        main thread.
        """
        if self.is_running():
            raise RuntimeError(f"{self.name} is running already")
        with open(self.log_path, "ab") as log:
            self._popen = subprocess.Popen(
                as_user(self.user, command, death_signal),
                env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )

    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def exit_code(self) -> int | None:
        return None if self._popen is None else self._popen.poll()

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send the signal and wait for the end. At the deadline it is killed, with a line on
        stderr.
        """
        if not self.is_running():
            return
        assert self._popen is not None
        self._popen.send_signal(signal.SIGCONT)
        self._popen.send_signal(number)
        try:
            self._popen.wait(_STOP_DEADLINE_S * patience())
        except subprocess.TimeoutExpired:
            print(f"{self.name} (pid {self.pid}) did not stop, killing it", file=sys.stderr)
            self.kill9()

    def kill9(self) -> None:
        if self.is_running():
            assert self._popen is not None
            self._popen.kill()
            self._popen.wait()

    def log_tail(self, lines: int = 20) -> str:
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError as error:
            return f"(no log: {error})"

    def require_running(self) -> None:
        """Fail with the end of the log if the process is gone: nothing to wait for any more."""
        if not self.is_running():
            raise RuntimeError(f"{self.name} ended with status {self.exit_code()}; "
                               f"its log ends:\n{self.log_tail()}")


_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ignore_ending_signals() -> None:
    """Let nothing cut short what comes now: the cleaning up."""
    for ending in _ENDING_SIGNALS:
        signal.signal(ending, signal.SIG_IGN)


def unwind_on_signals(leave: Callable[[int], object] | None = None) -> None:
    """Make Ctrl-C, SIGTERM and SIGHUP unwind as an exception, so that servers are stopped and
    directories removed.

    Only the first one counts: a second would cut short the cleaning up that the first one began.
    leave raises what is to unwind for SIGTERM and SIGHUP; without it that is SystemExit with the
    shell's status.
    """

    def handler(number: int, _frame: object) -> None:
        ignore_ending_signals()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if leave is not None:
            leave(number)
        raise SystemExit(128 + number)

    for ending in _ENDING_SIGNALS:
        signal.signal(ending, handler)


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
