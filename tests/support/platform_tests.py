"""The tests that have the marker platform, as tests/platform.txt names them."""

from functools import cache

from support.database import REPOSITORY

LIST = REPOSITORY / "tests" / "platform.txt"


@cache
def platform_tests() -> list[str]:
    """Files and tests, as pytest names them."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return [name for line in lines if (name := line.partition("#")[0].strip())]


def names(line: str, nodeid: str) -> bool:
    """Whether a line names this test, or its file, or all its parameters."""
    return nodeid == line or nodeid.startswith((f"{line}::", f"{line}["))


def is_platform_test(nodeid: str) -> bool:
    return any(names(line, nodeid) for line in platform_tests())
