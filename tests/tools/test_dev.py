"""What ./dev test says at its end of the runners it started."""

import shlex
import subprocess
from pathlib import Path

import pytest
from support.database import REPOSITORY

pytestmark = pytest.mark.no_kopru


def run_steps(folder: Path, *steps: tuple[str, int]) -> subprocess.CompletedProcess[str]:
    """Runners that print a text and end with a status, one step each."""
    functions = (REPOSITORY / "dev").read_text(encoding="utf-8").partition("\ncommand=")[0]
    lines = [f"step {number} bash -c {shlex.quote(f'printf %s {shlex.quote(text)}; exit {status}')}"
             for number, (text, status) in enumerate(steps)]
    script = folder / "dev"
    script.write_text("\n".join([functions, "output=$(mktemp -p .)", *lines, "finish", ""]))
    return subprocess.run(["bash", str(script)], capture_output=True, text=True, check=False)


def test_verdicts_are_repeated(tmp_path: Path):
    done = run_steps(tmp_path, ("noise\n100% tests passed, 0 tests failed out of 3\nTotal\n", 0),
                     ("..\n===== 2 passed in 1.0s =====\nnoise\n", 0), ("a  1.0  b\n3 of 3 mutants caught in 9 s\n", 0))
    assert done.returncode == 0
    assert done.stdout.endswith("\n\n--- 0\n100% tests passed, 0 tests failed out of 3\n--- 1\n===== 2 passed in 1.0s =====\n"
                                "--- 2\n3 of 3 mutants caught in 9 s\n")


def test_a_runner_that_gave_up_does_not_look_as_if_it_passed(tmp_path: Path):
    done = run_steps(tmp_path, ("!!! Exit: still running !!!\n===== 12 passed in 900.0s =====\n", 1), ("===== 1 passed in 1.0s =====\n", 0))
    assert done.returncode == 1
    assert done.stdout.endswith("\n\n--- 0\nFAILED, status 1: ===== 12 passed in 900.0s =====\n--- 1\n===== 1 passed in 1.0s =====\n")


def test_a_runner_without_a_verdict_has_its_last_words_repeated(tmp_path: Path):
    done = run_steps(tmp_path, ("Traceback\nImportError: no module\n", 2))
    assert done.returncode == 1
    assert done.stdout.endswith("\n\n--- 0\nFAILED, status 2: ImportError: no module\n")
