"""./dev: what it says at the end of ./dev test, how it answers mistakes, and what is quick."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.daemon import binary
from support.database import REPOSITORY
from support.process import is_gone
from support.wait import wait_until

pytestmark = pytest.mark.no_kopru

STEPS = f"set -euo pipefail; . {REPOSITORY}/tools/steps.sh"


def run_steps(folder: Path, *steps: tuple[str, int]) -> subprocess.CompletedProcess[str]:
    """Runners that print a text and end with a status, one step each."""
    lines = [f"step {number} bash -c {shlex.quote(f'printf %s {shlex.quote(text)}; exit {status}')}"
             for number, (text, status) in enumerate(steps)]
    script = folder / "dev"
    script.write_text("\n".join([STEPS, "output=$(mktemp -p .)", *lines, "finish", ""]))
    return subprocess.run(["bash", str(script)], cwd=folder, capture_output=True, text=True,
                          check=False)


def test_verdicts_are_repeated(tmp_path: Path):
    done = run_steps(tmp_path, ("noise\n100% tests passed, 0 tests failed out of 3\nTotal\n", 0),
                     ("..\n===== 2 passed in 1.0s =====\nnoise\n", 0),
                     ("a  1.0  b\n3 of 3 mutants caught in 9 s\n", 0))
    assert done.returncode == 0
    assert done.stdout.endswith("\n\n--- 0\n100% tests passed, 0 tests failed out of 3\n--- "
                                "1\n===== 2 passed in 1.0s =====\n"
                                "--- 2\n3 of 3 mutants caught in 9 s\n")


def test_a_runner_that_gave_up_does_not_look_as_if_it_passed(tmp_path: Path):
    done = run_steps(tmp_path, ("!!! Exit: still running !!!\n===== 12 passed in 900.0s =====\n",
                                1), ("===== 1 passed in 1.0s =====\n", 0))
    assert done.returncode == 1
    assert done.stdout.endswith("\n\n--- 0\nFAILED, status 1: ===== 12 passed in 900.0s =====\n--- "
                                "1\n===== 1 passed in 1.0s =====\n")


def test_a_runner_without_a_verdict_has_its_last_words_repeated(tmp_path: Path):
    done = run_steps(tmp_path, ("Traceback\nImportError: no module\n", 2))
    assert done.returncode == 1
    assert done.stdout.endswith("\n\n--- 0\nFAILED, status 2: ImportError: no module\n")


def run_beside(folder: Path, text: str, status: int) -> subprocess.CompletedProcess[str]:
    script = folder / "dev"
    script.write_text("\n".join([
        "set -euo pipefail", "run() {", f". {REPOSITORY}/tools/steps.sh", "output=output",
        "trap end_beside EXIT",
        f"begin_beside one bash -c {shlex.quote(f'printf %s {shlex.quote(text)}; exit {status}')}",
        "begin_beside 'the other' bash -c 'echo == 4 passed ==; exit 0'",
        "step first echo '== 2 passed =='", "step beside follow_beside one",
        "step last follow_beside 'the other'", "finish", "}", "run", ""]))
    temporary = folder / "temporary"
    temporary.mkdir()
    done = subprocess.run(["bash", str(script)], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"TMPDIR": str(temporary)}, check=False)
    assert not list(temporary.iterdir())
    return done


def test_a_runner_beside_another_is_a_step_like_all(tmp_path: Path):
    done = run_beside(tmp_path, "noise\n===== 1 passed in 1.0s =====\n", 0)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        "--- beside\nnoise\n===== 1 passed in 1.0s =====\n--- last\n== 4 passed ==\n\n"
        "--- first\n== 2 passed ==\n--- beside\n===== 1 passed in 1.0s =====\n"
        "--- last\n== 4 passed ==\n")


def test_a_runner_that_fails_beside_another_fails_all(tmp_path: Path):
    done = run_beside(tmp_path, "===== 1 failed in 1.0s =====\n", 3)
    assert done.returncode == 1
    assert done.stdout.endswith("--- beside\nFAILED, status 3: ===== 1 failed in 1.0s =====\n"
                                "--- last\n== 4 passed ==\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_dev_ends_what_runs_beside(tmp_path: Path, number: signal.Signals):
    script = tmp_path / "dev"
    runner = "trap 'echo clean >clean-$name; exit' TERM; echo $$ >pid-$name; sleep 1000 & wait"
    script.write_text("\n".join([
        STEPS, "trap end_beside EXIT", "trap 'exit 130' INT", "trap 'exit 143' TERM",
        *(f"begin_beside {name} env name={name} bash -c {shlex.quote(runner)}"
          for name in ("one", "two")),
        "while :; do read -r -t 0.1 <> <(:) || true; done", ""]))
    pids = [tmp_path / f"pid-{name}" for name in ("one", "two")]
    with subprocess.Popen(["bash", str(script)], cwd=tmp_path) as running:
        wait_until(lambda: all(pid.exists() and pid.read_text().strip() for pid in pids), 30,
                   "the runners")
        running.send_signal(number)
        assert running.wait(30) == 128 + number
    assert all(is_gone(int(pid.read_text())) for pid in pids)
    assert len(list(tmp_path.glob("clean-*"))) == 2


def collected(**environment: str) -> list[str]:
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           "--collect-only", "tests/golden", "tests/tools"], cwd=REPOSITORY,
                          env=os.environ | environment, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_two_parts_have_all_tests_once():
    first, second = (collected(KOPRU_TEST_PART=part) for part in ("1/2", "2/2"))
    assert first and second
    assert sorted(first + second) == sorted(collected())


# mistakes

COMMANDS = ["setup", "build", "demo", "test", "chaos", "mutants", "bench", "fuzz", "coverage",
            "lint", "fmt", "package"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of ./dev and of the names of the tests, on a machine that notes what is installed."""
    shutil.copy(REPOSITORY / "dev", tmp_path)
    for name in ("tests/mutants/stale-applied.mutant", "tests/golden/test_map.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    (tmp_path / "tools").mkdir()
    shutil.copy(REPOSITORY / "tools/packages.txt", tmp_path / "tools")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("apt-get", "cmake", "clang-format", "ctest", "dpkg-query", "sudo"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/started\nexit 1\n")
        (programs / name).chmod(0o755)
    (tmp_path / "tools/install-packages").symlink_to(programs / "apt-get")
    return tmp_path


def run_dev(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{root}/programs:/usr/bin:/bin"}
    return subprocess.run([str(root / "dev"), *arguments], capture_output=True, text=True,
                          check=False, env=env)


def started(root: Path) -> list[str]:
    path = root / "started"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("words", [
    "demo --kep", "demo --keep=1", "demo --messages", "demo --messages many", "demo now",
    "chaos --secs", "chaos --seconds", "chaos --seconds=x", "chaos --seed 1 --pla", "bench --quik",
    "mutants --x", "mutants stale-aplied", "build devv", "build --x", "build dev asan",
    "test --ful", "test --full x", "test quik", "test quick x", "test --asan --x",
    "test tests/gold", "test tests/gold/test_map.py::test", "fuzz --seconds 0", "fuzz nothing",
    "lint src", "fmt -x", "coverage --quick", "setup demo", "dmeo", "--kep",
    "test --on", "test --on sid", "test --on trixie quik", "test --on trixie --ful",
    "test --on trixie --full",
    "test --on trixie --on bookworm", "package now", "package --on", "package --on sid",
    "package --on=", "test --postgres", "test --postgres 12",
    "test --postgres 18 quik", "test --on trixie --postgres 19", "test --postgres 18 --on trixie",
])
def test_a_mistake_is_answered_before_anything_is_installed_or_built(bare: Path,
                                                                     words: str) -> None:
    done = run_dev(bare, *words.split())
    assert (done.returncode, done.stdout) == (64, "")
    assert re.fullmatch(r"dev: .+\n", done.stderr)
    assert started(bare) == []


@pytest.mark.parametrize("words", [
    "setup", "build", "build asan", "demo --keep --messages 10", "demo --messages=10 --seed 2",
    "demo --stop", "chaos --seconds 5 --plan", "mutants --list", "mutants stale-applied",
    "test", "test --full", "test quick", "test unit -R base/", "test --asan -x",
    "test tests/golden --durations=5", "test -k map", "test tests/golden/test_map.py::test[a-b]",
    "bench --instructions --record", "fuzz --seconds=5", "coverage", "lint", "fmt",
    "test --on trixie", "test --on bookworm quick", "test --on trixie tests/golden -x",
    "test --on testing unit", "package", "package --on trixie", "package --on=bookworm",
    "test --postgres 18", "test --postgres 13 tests/golden -x", "test --on trixie --postgres 18",
])
def test_what_is_right_begins_with_the_packages(bare: Path, words: str) -> None:
    done = run_dev(bare, *words.split())
    assert done.returncode not in (0, 64)
    assert started(bare)[0] == "dpkg-query", done.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_is_given_before_anything_is_installed_or_built(bare: Path, command: str,
                                                             asked: str) -> None:
    done = run_dev(bare, command, asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage:\n  ./dev {command}")
    assert len(done.stdout.splitlines()) > 2
    assert started(bare) == []


def test_the_help_fits_and_has_every_command() -> None:
    text = run_dev(REPOSITORY, "help").stdout
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert list(dict.fromkeys(re.findall(r"^  ([a-z]+)", text, re.M))) == [*COMMANDS, "help"]
    assert "\nExample: ./dev " in text


@pytest.mark.parametrize(("command", "script"), [
    ("demo", "tools/demo.py"), ("chaos", "tools/chaos.py"), ("bench", "bench/run.py"),
])
def test_the_options_are_those_of_the_script(command: str, script: str) -> None:
    def options_in(text: str) -> set[str]:
        return set(re.findall(r"(?<![\w-])--[a-z]+", text)) - {"--help"}

    of_script = subprocess.run([sys.executable, REPOSITORY / script, "--help"],
                               capture_output=True, text=True, check=True).stdout
    synopses = re.findall(rf"^  {command}( .*)?$", run_dev(REPOSITORY, "help").stdout, re.M)
    assert options_in(" ".join(synopses)) == options_in(of_script)


# quick

def test_slow_unit_tests_are_left_out_of_quick() -> None:
    def tests(*arguments: str) -> set[str]:
        done = subprocess.run(["ctest", "--test-dir", binary().parent, "--show-only", *arguments],
                              capture_output=True, text=True, check=True)
        return set(re.findall(r"^ +Test +#\d+: (\S+)", done.stdout, re.M))

    text = (REPOSITORY / "tests/unit/CMakeLists.txt").read_text(encoding="utf-8")
    slow = set(re.search(r"set\(SLOW_TESTS ([^)]*)\)", text)[1].split())  # type: ignore[index]
    assert slow and tests("--label-exclude", "slow") == tests() - slow
    quick = (REPOSITORY / "dev").read_text(encoding="utf-8").partition("\ntest_quick() {")[2]
    assert "--label-exclude slow" in quick.partition("\n}\n")[0]
