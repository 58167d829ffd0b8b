"""Libraries that stand before those of a daemon under test, or in a database server: an allocation
that fails, a wall clock that is set, a signal that comes early, a message that is fatal."""

import ctypes
import mmap
import os
import subprocess
from pathlib import Path

from support.daemon import binary


def require_plain_binary() -> None:
    """A sanitizer has an allocator of its own, and wants to stand before everybody else."""
    import pytest  # here, because ./dev chaos sets clocks without it

    if b"__asan_init" in binary().read_bytes():
        pytest.skip("the sanitized program takes no library before its own")


def _build(name: str, directory: Path) -> Path:
    library = directory / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-fPIC", "-shared", "-fno-builtin",
                    "-o", str(library), str(source), "-ldl"], check=True)
    return library


class Preload:
    """One of these libraries, built, and the numbers it shares with the daemon.

    environment makes a daemon use it, or Postgres.preload() a server; numbers may be read and
    written while that runs.
    """

    def __init__(self, name: str, variable: str, directory: Path):
        library = _build(name, directory)
        path = directory / f"{name}.shared"
        path.write_bytes(bytes(3 * ctypes.sizeof(ctypes.c_long)))
        descriptor = os.open(path, os.O_RDWR)
        self._memory = mmap.mmap(descriptor, path.stat().st_size)
        os.close(descriptor)
        self.numbers = (ctypes.c_long * 3).from_buffer(self._memory)
        self.environment = {"LD_PRELOAD": str(library), variable: str(path)}


def failing_malloc(directory: Path) -> Preload:
    """numbers: allocations so far; the one that fails, 0 for none; how many failed."""
    return Preload("failing_malloc", "FAILING_MALLOC", directory)


def stepping_clock(directory: Path) -> Preload:
    """numbers[0]: by how many seconds the wall clock is wrong. numbers[1]: for how many seconds the
    machine slept, which the boot clock counts and the monotonic clock does not.
    """
    return Preload("stepping_clock", "STEPPING_CLOCK", directory)


def early_signal(directory: Path) -> Preload:
    """numbers: the signal that comes when the configuration file is opened; how often it came."""
    return Preload("early_signal", "EARLY_SIGNAL", directory)


def fatal_message(directory: Path, text: str) -> dict[str, str]:
    """An environment in which a message whose body contains the text ends the daemon by SIGABRT."""
    return {"LD_PRELOAD": str(_build("fatal_message", directory)), "FATAL_MESSAGE": text}
