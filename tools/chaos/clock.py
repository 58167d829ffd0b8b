"""The wall clock of the database server, which a run steps.

What the server says of a commit is by that clock; the acknowledgements are by the machine's. So
each step is noted, and a commit is placed between the steps by what no step moves: the uptime at
which the row was written (history.uptime(), the first number of /proc/uptime).
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from support.preload import Preload

# The uptime has two decimals, and the machine's clock may be slewed a little during a run.
_INACCURACY_S = 0.1


def uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class _Step:
    """The clock was set between these two times of the machine's clock."""

    began: float
    ended: float
    offset_s: int  # since then


@dataclass
class ServerClock:
    preload: Preload
    steps: list[_Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps.append(_Step(-math.inf, -math.inf, self.preload.numbers[0]))
        self._booted = time.time() - uptime()

    @property
    def environment(self) -> Mapping[str, str]:
        return self.preload.environment

    def step(self, seconds: int) -> None:
        began = time.time()
        self.preload.numbers[0] += seconds
        self.steps.append(_Step(began, time.time(), self.preload.numbers[0]))

    def true_time(self, said: float, written: float) -> float:
        """When a commit was by the machine's clock. said: when it was by the server's; written: the
        uptime at which the transaction wrote. Infinite if it cannot have been at all.

        A transaction that lasts from before a step until after it, for longer than the clock was
        set back, may be placed too early, but never too late.
        """
        least = self._booted + written - _INACCURACY_S
        for began, ended, offset_s in self._intervals():
            at = said - offset_s
            if max(began - _INACCURACY_S, least) <= at <= ended + _INACCURACY_S:
                return at
        return math.inf

    def _intervals(self) -> Iterator[tuple[float, float, int]]:
        ends = [step.ended for step in self.steps[1:]] + [math.inf]
        for step, ended in zip(self.steps, ends, strict=True):
            yield step.began, ended, step.offset_s
