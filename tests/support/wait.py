"""Waiting for conditions, always with a deadline."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.1


def patience() -> float:
    """Factor on every deadline: slow binaries (sanitizers) and slow machines set it above 1."""
    return float(os.environ.get("KOPRU_TEST_PATIENCE", "1"))


def wait_until(condition: Callable[[], T], deadline_s: float, what: str) -> T:
    """Return the first truthy result of condition, or fail with TimeoutError that says what was
    awaited.

    what completes the sentence "waited ... for". deadline_s is multiplied by patience().
    The condition is asked at least once, and once more after the deadline.
    """
    allowed = deadline_s * patience()
    end = time.monotonic() + allowed
    pause = _FIRST_PAUSE_S
    while True:
        last_try = time.monotonic() >= end
        result = condition()
        if result:
            return result
        if last_try:
            raise TimeoutError(f"waited {allowed:g} s for {what}; last seen: {result!r}")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
