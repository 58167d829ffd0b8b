"""cmake/revision.cmake: which revision of the sources a build names."""

import subprocess
from pathlib import Path

import pytest
from support.database import REPOSITORY

pytestmark = pytest.mark.no_kopru


def run_git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True,
                          text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    run_git(folder, "init", "--quiet")
    (folder / "file").write_text("one")
    run_git(folder, "add", "file")
    run_git(folder, "commit", "--quiet", "--message", "one")
    return folder


def run_script(source: Path, revision: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["cmake", f"-DSOURCE={source}", f"-DREVISION={revision}",
         f"-DOUTPUT={source.parent}/revision.c", "-P", REPOSITORY / "cmake" / "revision.cmake"],
        capture_output=True, text=True, check=False)


def revision_of(source: Path, revision: str = "") -> str:
    done = run_script(source, revision)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    line = (source.parent / "revision.c").read_text().splitlines()[-1]
    assert line.startswith('const char KOPRU_REVISION[] = "') and line.endswith('";')
    return line.split('"')[1]


def test_a_clone_is_described_by_git(clone: Path) -> None:
    commit = run_git(clone, "rev-parse", "HEAD")[:12]
    assert revision_of(clone) == commit
    (clone / "file").write_text("two")
    assert revision_of(clone) == f"{commit}-dirty"
    run_git(clone, "commit", "--quiet", "--all", "--message", "two")
    assert revision_of(clone) == run_git(clone, "rev-parse", "HEAD")[:12] != commit
    run_git(clone, "tag", "--annotate", "v1.2.3", "--message", "release")
    assert revision_of(clone) == "v1.2.3"


def test_what_the_build_is_told_counts_more_than_git(clone: Path) -> None:
    assert revision_of(clone, "1.2~rc1+debian/3") == "1.2~rc1+debian/3"


def test_an_archive_has_no_revision_and_never_that_of_a_repository_around_it(clone: Path) -> None:
    archive = clone / "unpacked"
    archive.mkdir()
    assert revision_of(archive) == ""
    assert revision_of(archive, "v1") == "v1"


def test_a_broken_repository_does_not_stop_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / ".git").write_text("gitdir: /does/not/exist\n")
    assert revision_of(source) == ""


def test_the_same_revision_writes_nothing(clone: Path) -> None:
    revision_of(clone)
    written = (clone.parent / "revision.c").stat().st_mtime_ns
    revision_of(clone)
    assert (clone.parent / "revision.c").stat().st_mtime_ns == written


def test_a_revision_cannot_break_out_of_its_string(clone: Path) -> None:
    done = run_script(clone, 'a"; int x')
    assert done.returncode != 0
    assert "KOPRU_REVISION" in done.stderr
