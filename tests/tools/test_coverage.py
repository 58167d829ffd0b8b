"""The table of ./dev coverage."""

import json
import subprocess
from pathlib import Path

import pytest
from support.database import REPOSITORY

pytestmark = pytest.mark.no_kopru


def line(number: int, count: int, *branches: int) -> dict:
    return {"line_number": number, "count": count,
            "branches": [{"count": taken} for taken in branches]}


def run_coverage(folder: Path, files: dict[str, list[dict]]) -> subprocess.CompletedProcess[str]:
    report = folder / "report.json"
    report.write_text(json.dumps({"files": [{"file": name, "lines": lines}
                                            for name, lines in files.items()]}))
    return subprocess.run([str(REPOSITORY / "tools/coverage"), str(report)], capture_output=True,
                          text=True, check=False)


def test_the_lines_of_a_file_below_the_goal_are_named(tmp_path: Path):
    good = [line(number, 1) for number in range(1, 100)]
    bad = [line(1, 3, 3, 0), line(2, 0), line(3, 0), line(5, 0), line(6, 1)]
    done = run_coverage(tmp_path, {"src/good.c": good, "src/bad.c": bad, "src/empty.h": []})
    assert done.returncode == 0
    assert done.stdout == (
        "file        lines  executed  branches  taken\n"
        "src/bad.c       5    40.0 %         2   50 %\n"
        "src/good.c     99   100.0 %         0  100 %\n"
        "all           104    97.1 %         2   50 %\n"
        "\n"
        "never executed, of the files below 95 %:\n"
        "src/bad.c: 2-3, 5\n")


def test_too_little_altogether_fails(tmp_path: Path):
    done = run_coverage(tmp_path, {"src/a.c": [line(1, 1), line(2, 0)]})
    assert done.returncode == 1
    assert "src/a.c: 2\n" in done.stdout


def test_nothing_at_all_fails(tmp_path: Path):
    done = run_coverage(tmp_path, {})
    assert (done.returncode, done.stdout) == (1, "")
