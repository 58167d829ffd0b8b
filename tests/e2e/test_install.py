"""`cmake --install`: the tree that it makes, wherever it is told to."""

import os
import subprocess
from pathlib import Path

import pytest
from support.daemon import run_kopru
from support.database import REPOSITORY
from support.installation import install

PREFIX = "/opt/kopru"

# What the repository has below each folder is installed as a whole; kinds that are not for users.
NOT_INSTALLED = {".json", ".scd", ".bash", ".txt"}


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def copies() -> dict[str, Path]:
    """Each installed file that is a copy, below the prefix, and of what."""
    found = {}
    for source, target in [("etc/entities", "share/kopru/entities"),
                           ("migrations", "share/kopru/migrations"),
                           ("sql", "share/kopru/sql"), ("docs", "share/doc/kopru/docs")]:
        for name in files_below(REPOSITORY / source):
            if Path(name).suffix not in NOT_INSTALLED and Path(name).name != "CMakeLists.txt":
                found[f"{target}/{name}"] = REPOSITORY / source / name
    for name in ["README.md", "CHANGELOG.md", "LICENSE"]:
        found[f"share/doc/kopru/{name}"] = REPOSITORY / name
    found["share/kopru/kopru.cfg"] = REPOSITORY / "etc/kopru.cfg"
    found["share/kopru/sqitch.conf"] = REPOSITORY / "sqitch.conf"
    found["lib/sysusers.d/kopru.conf"] = REPOSITORY / "etc/kopru.sysusers"
    return found


MADE = {"bin/kopru", "lib/systemd/system/kopru.service", "share/man/man1/kopru.1",
        "share/man/man5/kopru.cfg.5", "share/man/man5/kopru-entity.5",
        "share/bash-completion/completions/kopru"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DESTDIR, installed into under a umask that would hide the files from everybody else."""
    destdir = tmp_path_factory.mktemp("destdir")
    before = os.umask(0o077)
    try:
        install(destdir, PREFIX)
    finally:
        os.umask(before)
    return destdir


def test_everything_is_installed_below_the_prefix_and_nothing_else(root: Path) -> None:
    assert len(copies()) > 30
    assert files_below(root) == {f"{PREFIX[1:]}/{name}" for name in MADE | set(copies())}
    for name, source in copies().items():
        installed = root / PREFIX[1:] / name
        assert installed.read_bytes() == source.read_bytes(), name


def test_everybody_may_read_it_and_nobody_else_may_write(root: Path) -> None:
    own = [root / PREFIX[1:] / "share" / name for name in ("kopru", "doc/kopru")]
    for path in (root / "opt").rglob("*"):
        mode = path.stat().st_mode & 0o7777
        if path.is_file():
            expected = 0o755 if path.parent.name == "bin" else 0o644
            assert mode == expected, f"{path}: {mode:o}"
        elif any(path.is_relative_to(folder) for folder in own):
            assert mode == 0o755, f"{path}: {mode:o}"


def test_the_unit_starts_the_program_where_it_is(root: Path) -> None:
    source = (REPOSITORY / "etc/kopru.service").read_text(encoding="utf-8")
    unit = (root / PREFIX[1:] / "lib/systemd/system/kopru.service").read_text(encoding="utf-8")
    assert "/usr/local/bin/kopru" in source
    assert unit == source.replace("/usr/local/bin/kopru", f"{PREFIX}/bin/kopru")


def test_the_installed_program_runs(root: Path) -> None:
    done = subprocess.run([root / PREFIX[1:] / "bin/kopru", "--version"], capture_output=True,
                          check=False)
    assert (done.returncode, done.stdout) == (0, run_kopru("--version").stdout)


def test_a_second_installation_leaves_an_edited_configuration_alone(tmp_path: Path) -> None:
    edited = tmp_path / "etc/kopru/kopru.cfg"
    edited.parent.mkdir(parents=True)
    edited.write_text("edited")
    install(tmp_path, "/usr")
    assert edited.read_text() == "edited"
    assert files_below(tmp_path / "etc") == {"kopru/kopru.cfg"}
