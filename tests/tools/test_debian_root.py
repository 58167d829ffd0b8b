"""tools/debian-root: what it copies into the root of another Debian, and when it makes one."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.database import REPOSITORY

pytestmark = [pytest.mark.no_kopru,
              pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a root")]

# debootstrap [OPTION] SUITE ROOT MIRROR makes a root with nothing in it.
_PROGRAMS = {
    "debootstrap": 'mkdir -p "$3/etc" && [[ -z ${BROKEN:-} ]]',
    "unshare": 'echo "$KOPRU_ROOT_ENTERED $*" >"$KOPRU_ROOTS/unshared"',
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a committed, a changed, a new and an ignored file."""
    root = tmp_path / "repository"
    (root / "tools").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tools/debian-root", root / "tools")
    (root / ".gitignore").write_text("/build/\n*.log\n")
    for name in ("kept", "changed", "deleted"):
        (root / name).write_text(name)
    git = ["git", "-C", str(root), "-c", "user.name=kopru", "-c", "user.email=kopru@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "all"], check=True)
    (root / "changed").write_text("differs")
    (root / "deleted").unlink()
    (root / "new file").write_text("new")
    (root / "ignored.log").write_text("ignored")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, body in _PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\necho {name} >>{tmp_path}/calls\n{body}\n")
        (programs / name).chmod(0o755)
    return root


def enter(repository: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    here = repository.parent
    # These tests may themselves run in such a root.
    outside = {name: value for name, value in os.environ.items() if name != "KOPRU_ROOT_ENTERED"}
    return subprocess.run([str(repository / "tools/debian-root"), *arguments], check=False,
                          capture_output=True, text=True, env={
                              **outside, **more, "KOPRU_ROOTS": str(here / "roots"),
                              "PATH": f"{here}/programs:/usr/sbin:/usr/bin:/sbin:/bin"})


def calls(repository: Path) -> list[str]:
    return (repository.parent / "calls").read_text().split()


def source_of(repository: Path) -> Path:
    return repository.parent / "roots/trixie/srv/kopru"


def test_it_copies_what_is_not_ignored_as_it_is_now(repository: Path) -> None:
    done = enter(repository, "trixie", "test", "quick")
    assert (done.returncode, done.stderr) == (0, "")
    source = source_of(repository)
    found = {path.name: path.read_text() for path in source.iterdir() if path.is_file()}
    assert found == {".gitignore": "/build/\n*.log\n", "kept": "kept", "changed": "differs",
                     "new file": "new"}
    assert (source / "kept").stat().st_mtime == int((repository / "kept").stat().st_mtime)
    assert (source / "tools/debian-root").stat().st_mode & 0o111
    entered = (repository.parent / "roots/unshared").read_text()
    assert entered.startswith("yes --mount ") and entered.endswith(" trixie test quick\n")


def test_the_clone_may_be_somebody_else_s(repository: Path) -> None:
    for path in (repository, repository / ".git"):
        os.chown(path, 65534, 65534)
    done = enter(repository, "trixie", "test")
    assert (done.returncode, done.stderr) == (0, "")
    assert (source_of(repository) / "kept").exists()


def test_it_says_where_the_copy_is(repository: Path) -> None:
    done = enter(repository, "--source", "trixie")
    assert (done.returncode, done.stdout) == (0, f"{source_of(repository)}\n")
    assert not (repository.parent / "roots").exists()


def test_a_root_is_made_once_and_keeps_its_builds(repository: Path) -> None:
    enter(repository, "trixie", "test")
    (source_of(repository) / "build-asan").mkdir()
    (source_of(repository) / "stale").write_text("")
    done = enter(repository, "trixie", "test")
    assert (done.returncode, done.stdout) == (0, "")
    assert calls(repository) == ["debootstrap", "unshare", "unshare"]
    assert (source_of(repository) / "build-asan").is_dir()
    assert not (source_of(repository) / "stale").exists()


def test_a_root_that_was_not_finished_is_made_again(repository: Path) -> None:
    done = enter(repository, "trixie", "test", BROKEN="yes")
    assert (done.returncode, calls(repository)) == (69, ["debootstrap"])
    assert "its output is in " in done.stderr
    assert enter(repository, "trixie", "test").returncode == 0
    assert calls(repository) == ["debootstrap", "debootstrap", "unshare"]


def test_two_runs_do_not_share_a_root(repository: Path) -> None:
    enter(repository, "trixie", "test")
    with open(repository.parent / "roots/trixie.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = enter(repository, "trixie", "test")
    assert (done.returncode, "in use by another run" in done.stderr) == (75, True)
    assert calls(repository) == ["debootstrap", "unshare"]


@pytest.mark.parametrize(("unshare", "status", "said"), [
    ("exit 0", 0, ""),
    ("echo not permitted >&2; exit 1", 71, "does not permit the mounts: not permitted"),
])
def test_a_machine_that_refuses_mounts_is_told_apart(repository: Path, unshare: str, status: int,
                                                     said: str) -> None:
    (repository.parent / "programs/unshare").write_text(f"#!/bin/bash\n{unshare}\n")
    done = enter(repository, "--check")
    assert done.returncode == status
    assert said in done.stderr
    assert not (repository.parent / "roots").exists()
