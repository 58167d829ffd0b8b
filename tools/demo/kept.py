"""A demo that was left running: what it consists of, and how to end it."""

import json
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from support.process import is_gone
from support.wait import wait_until

_STOP_DEADLINE_S = 45


class KeptError(Exception):
    pass


def _state_path() -> Path:
    return Path(tempfile.gettempdir()) / f"kopru-demo-{os.getuid()}.json"


def _start_time(pid: int) -> str:
    """In ticks since boot: with the process id, it identifies one process for ever."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@dataclass(frozen=True)
class Process:
    name: str
    pid: int
    stop_signal: int
    start_time: str

    @classmethod
    def running(cls, name: str, pid: int, stop_signal: int) -> "Process":
        return cls(name, pid, stop_signal, _start_time(pid))

    def is_running(self) -> bool:
        try:
            return not is_gone(self.pid) and _start_time(self.pid) == self.start_time
        except OSError:
            return False

    def stop(self) -> None:
        if not self.is_running():
            return
        os.kill(self.pid, self.stop_signal)
        try:
            wait_until(lambda: not self.is_running(), _STOP_DEADLINE_S,
                       f"{self.name} (pid {self.pid}) to end")
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            wait_until(lambda: not self.is_running(), _STOP_DEADLINE_S,
                       f"{self.name} (pid {self.pid}) to end when killed")


@dataclass(frozen=True)
class KeptDemo:
    processes: Sequence[Process]  # in the order in which they are to be stopped
    directories: Sequence[str]
    amqp_uri: str

    def save(self) -> None:
        # Others may write to the directory, so the file must be new and ours alone.
        path = _state_path()
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w",
                       encoding="utf-8") as file:
            json.dump(asdict(self), file)

    @classmethod
    def load(cls) -> "KeptDemo | None":
        """The demo that was left running, None if there is none."""
        try:
            descriptor = os.open(_state_path(), os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
                raise KeptError(f"{_state_path()} belongs to somebody else; not trusting it")
            fields = json.load(file)
        fields["processes"] = [Process(**process) for process in fields["processes"]]
        return cls(**fields)

    def is_running(self) -> bool:
        return any(process.is_running() for process in self.processes)

    def stop(self) -> None:
        for process in self.processes:
            process.stop()
        for directory in self.directories:
            shutil.rmtree(directory, ignore_errors=True)
        _state_path().unlink(missing_ok=True)
