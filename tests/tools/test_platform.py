"""tests/platform.txt, the tests that CI runs on the other Debian, and .ci/run, which runs them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.database import REPOSITORY
from support.platform_tests import is_platform_test, names, platform_tests

pytestmark = pytest.mark.no_kopru


def collected(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider",
         *arguments, "tests/e2e", "tests/golden"], cwd=REPOSITORY, capture_output=True, text=True,
        check=False)
    assert done.returncode == 0, done.stdout
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_every_line_names_tests_and_they_are_about_a_hundred() -> None:
    tests = collected()
    marked = [test for test in tests if is_platform_test(test)]
    for name in platform_tests():
        assert any(names(name, test) for test in tests), name
    chosen = [test for test in marked if test.startswith("tests/e2e/")
              and "/test_schema.py" not in test]
    assert 80 <= len(chosen) <= 120
    assert collected("-m", "platform") == marked


# .ci/run, with scripts in the place of what it calls

_DEBIAN_ROOT = '#!/bin/bash\necho "why it is so" >&2\nexit "$CHECK"\n'
_DEV = '#!/bin/bash\necho "$*" >>"$CALLS"\n[[ "$*" != "${BROKEN:-}" ]]\n'
_ELSEWHERE = ["lint", "test", "package", "chaos --seconds 60 --seed 1"]


@pytest.fixture
def ci(tmp_path: Path) -> Path:
    for name, text in (("tools/debian-root", _DEBIAN_ROOT), ("dev", _DEV)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci/run", tmp_path / ".ci")
    return tmp_path


def run_ci(root: Path, check: int, **more: str) -> tuple[subprocess.CompletedProcess[str],
                                                         list[str]]:
    calls = root / "calls"
    done = subprocess.run([str(root / ".ci/run")], capture_output=True, text=True, check=False,
                          env={**os.environ, **more, "CHECK": str(check), "CALLS": str(calls)})
    return done, calls.read_text().splitlines() if calls.exists() else []


def other_debian() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    return "bookworm" if "VERSION_CODENAME=trixie\n" in text else "trixie"


def test_it_runs_a_part_on_the_other_debian(ci: Path) -> None:
    done, calls = run_ci(ci, 0)
    on = f"test --on {other_debian()}"
    assert (done.returncode, done.stdout) == (0, "")
    assert calls == [*_ELSEWHERE[:-1], f"{on} quick", f"{on} -m platform", _ELSEWHERE[-1]]


@pytest.mark.parametrize("status", [71, 77])
def test_it_says_at_the_end_that_the_machine_refuses_the_mounts(ci: Path, status: int) -> None:
    done, calls = run_ci(ci, status)
    assert (done.returncode, calls) == (0, _ELSEWHERE)
    assert f"NOTHING WAS RUN ON {other_debian()}" in done.stdout
    assert "why it is so" in done.stdout


def test_any_other_reason_ends_it_at_once(ci: Path) -> None:
    done, calls = run_ci(ci, 69)
    assert (done.returncode, calls) == (69, [])
    assert "why it is so" in done.stderr


@pytest.mark.parametrize("what", ["quick", "-m platform"])
def test_a_failure_on_the_other_debian_fails_it(ci: Path, what: str) -> None:
    broken = f"test --on {other_debian()} {what}"
    done, calls = run_ci(ci, 0, BROKEN=broken)
    assert (done.returncode, calls[-1]) == (1, broken)
