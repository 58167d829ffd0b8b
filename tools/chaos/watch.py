"""What the daemons use while they run (memory, descriptors, threads, processor time) and report."""

import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from support import prometheus

from chaos.tap import Traffic
from chaos.world import Instance

_PERIOD_S = 1.0
_ANSWER_S = 2.0
_ESTABLISHED = "01"
_LOG = re.compile(r"/.*/stderr\.\d+$")
_TICKS = os.sysconf("SC_CLK_TCK")
_BUSY_SHARE = 0.7
_BUSY_PERIODS = 4


@dataclass(frozen=True)
class Usage:
    cpu_s: float
    rss_mib: float
    peak_mib: float
    threads: int
    descriptors: tuple[str, ...]  # what each of them is


def usage(pid: int, ports: Mapping[int, str] = MappingProxyType({})) -> Usage:
    """What a running process uses; OSError if it has ended. ports: names of what is at the other
    end of a connection.
    """
    process = Path(f"/proc/{pid}")
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, _mib(status["VmRSS"]),
                 _mib(status["VmHWM"]),
                 int(status["Threads"]), tuple(sorted(_descriptors(pid, ports))))


def _descriptors(pid: int, names: Mapping[int, str]) -> Iterator[str]:
    """Connections by what is at the other end, files by their path, others by their kind."""
    sockets = {}
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        port = int(fields[2].rpartition(":")[2], 16)
        state = "" if fields[3] == _ESTABLISHED else f", state {fields[3]}"
        sockets[f"socket:[{fields[9]}]"] = f"connection to {names.get(port, f'port {port}')}{state}"
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:  # it was closed in the meantime
            continue
        yield sockets.get(target, _LOG.sub("log", target.partition(":[")[0]))


def _mib(kilobytes: str) -> float:
    return int(kilobytes.split()[0]) / 1024


@dataclass
class Watch(threading.Thread):
    """Looks once per second, so it misses what a run used in its last second."""

    instances: list[Instance]
    traffic: Traffic
    cpu_s: dict[tuple[str, int], float] = field(default_factory=dict)  # by instance and run
    late: dict[tuple[str, int], float] = field(default_factory=dict)
    peak_mib: float = 0
    not_live: list[str] = field(default_factory=list)
    # where processor time went while nothing was delivered
    busy: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._ending = threading.Event()
        self._spinning: dict[tuple[str, int], int] = {}

    __hash__ = threading.Thread.__hash__

    def finish(self) -> None:
        self._ending.set()
        self.join()

    def run(self) -> None:
        deliveries = -1
        while not self._ending.wait(_PERIOD_S):
            idle = deliveries == self.traffic.deliveries
            deliveries = self.traffic.deliveries
            for instance in self.instances:
                self._look(instance, idle)

    def _look(self, instance: Instance, idle: bool) -> None:
        key = (instance.name, instance.run)
        try:
            pid = instance.pid
            if pid is None:
                return
            now = usage(pid)
        except (OSError, KeyError):  # it ended in the meantime
            return
        is_busy = idle and now.cpu_s - self.cpu_s.get(key, 0.0) > _BUSY_SHARE * _PERIOD_S
        self._spinning[key] = self._spinning.get(key, 0) + 1 if is_busy else 0
        if self._spinning[key] == _BUSY_PERIODS:
            self.busy.append(f"the {instance.name} daemon, run {instance.run}")
        self.cpu_s[key] = now.cpu_s
        self.peak_mib = max(self.peak_mib, now.peak_mib)
        if not instance.is_frozen:
            self._ask(instance, key)

    def _ask(self, instance: Instance, key: tuple[str, int]) -> None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{instance.http_port}/metrics",
                                        timeout=_ANSWER_S) as answer:
                samples = prometheus.parse(answer.read().decode())
            self.late[key] = sum(value for name, value in samples.items()
                                 if name[0] == "kopru_messages_late_total")
            urllib.request.urlopen(f"http://127.0.0.1:{instance.http_port}/livez",
                                   timeout=_ANSWER_S).close()
        except urllib.error.HTTPError as error:
            self.not_live.append(f"the {instance.name} daemon, run {instance.run}: {error.code} at "
                                 f"{time.strftime('%T')}")
        except OSError:  # not yet started, ended, or frozen just now
            pass
