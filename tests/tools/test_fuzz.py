"""What ./dev fuzz says of targets that find something, and a replay of unreadable files."""

import os
import subprocess
from pathlib import Path

import pytest
from support.daemon import binary
from support.database import REPOSITORY

# Stand for fuzz targets: they take libFuzzer's arguments.
QUIET = """#!/bin/bash
printf '%s\\n' "$@" > "$0.arguments"
echo 'stat::number_of_executed_units: 5' >&2
"""
FINDER = """#!/bin/bash
for argument in "$@"; do
    case $argument in -artifact_prefix=*) echo x > "${argument#*=}crash-1" ;; esac
done
echo 'file.c:7: does not hold: a promise' >&2
exit 77
"""


def programs_in(folder: Path, **scripts: str) -> Path:
    programs = folder / "programs"
    programs.mkdir()
    for name, text in scripts.items():
        (programs / f"fuzz_{name}").write_text(text)
        (programs / f"fuzz_{name}").chmod(0o755)
    return programs


def run_fuzz(folder: Path, programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "KOPRU_FUZZ_CRASHES": str(folder / "crashes")}
    return subprocess.run([str(REPOSITORY / "tools/fuzz"), str(programs), *arguments],
                          capture_output=True, text=True, check=False, env=env)


@pytest.mark.no_kopru
def test_targets_that_find_nothing(tmp_path: Path):
    programs = programs_in(tmp_path, payload=QUIET, uri=QUIET)
    done = run_fuzz(tmp_path, programs, "7")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "payload: nothing found in 5 inputs\nuri: nothing found in 5 inputs\n"
    arguments = (programs / "fuzz_uri.arguments").read_text().splitlines()
    assert "-max_total_time=7" in arguments
    assert arguments[-3:] == [str(programs / "learned/uri"), str(tmp_path / "crashes/uri"),
                              "tests/fuzz/corpus/uri"]


@pytest.mark.no_kopru
def test_a_finding_fails_the_run_and_does_not_end_it(tmp_path: Path):
    programs = programs_in(tmp_path, fold=FINDER, uri=QUIET)
    done = run_fuzz(tmp_path, programs, "7")
    assert done.returncode == 1
    assert "fold: FOUND SOMETHING (status 77)" in done.stdout
    assert "file.c:7: does not hold: a promise" in done.stdout
    assert f"again: {programs}/fuzz_fold {tmp_path}/crashes/fold/crash-1" in done.stdout
    assert "uri: nothing found" in done.stdout


@pytest.mark.no_kopru
def test_only_the_targets_that_are_named(tmp_path: Path):
    programs = programs_in(tmp_path, fold=FINDER, uri=QUIET)
    assert run_fuzz(tmp_path, programs, "7", "uri").returncode == 0
    done = run_fuzz(tmp_path, programs, "7", "url")
    assert (done.returncode, done.stderr) == (64, 'fuzz: no target "url"\n')
    (programs / "fuzz_fold").unlink()
    (programs / "fuzz_uri").unlink()
    assert run_fuzz(tmp_path, programs, "7").returncode == 64


@pytest.mark.no_kopru
@pytest.mark.parametrize("arguments",
                         [["--seconds"], ["--seconds", "0"], ["--seconds", "x"], ["--fast"]])
def test_the_command_takes_seconds_and_targets(arguments: list[str]):
    done = subprocess.run([str(REPOSITORY / "dev"), "fuzz", *arguments], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 64
    assert done.stderr.startswith("dev: ")


def replay(*files: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary().parent / "fuzz/fuzz_uri"), *map(str, files)],
                          capture_output=True, text=True, check=False, cwd=REPOSITORY)


def test_a_replay_runs_every_file_of_a_directory(tmp_path: Path):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "one").write_text("amqp://")
    (tmp_path / "deeper/two").write_text("")
    done = replay(tmp_path)
    assert done.returncode == 0
    assert done.stderr.endswith("2 files replayed\n")


def test_a_replay_of_nothing_fails(tmp_path: Path):
    assert replay(tmp_path).returncode == 1
    assert replay(tmp_path / "missing").returncode == 1
    assert replay().returncode == 64
