"""Podman, for the tests that boot a Debian in a container: booted.py and container_host.py.

    podman = Podman(Path("containers.conf"), "--root=/var/tmp/storage")
    podman("run", "--detach", "--name=site", "debian:trixie-slim")
    found = podman("image", "exists", "site", check=False).returncode == 0
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from support.wait import patience

_MIRROR = os.environ.get("KOPRU_MIRROR", "http://deb.debian.org/debian")
_DEADLINE_S = 1800  # of each command, such as one that builds an image on a busy machine


def why_impossible() -> str | None:
    """What keeps this machine from booting a container; None if nothing does."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    if os.environ.get("KOPRU_ROOT_ENTERED") == "yes":
        return "a container cannot be started from a root of another Debian"
    missing = [name for name in ("podman", "runc", "debootstrap") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def run(command: list[str], *, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    """stdout of the result has both streams, unless the options give stderr a place of its own.
    Unless check is False, the command must succeed."""
    done = subprocess.run(command, text=True, errors="replace", check=False,
                          timeout=_DEADLINE_S * patience(),
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options})
    assert not check or done.returncode == 0, \
        f"{shlex.join(command)}: status {done.returncode}\n{done.stdout[-8000:]}{done.stderr or ''}"
    return done


def make_debian(suite: str, folder: Path) -> None:
    """A minimal Debian in a folder, from Debian's packages alone: no registry may be reachable."""
    run(["debootstrap", "--variant=minbase", suite, str(folder), _MIRROR])


class Podman:
    """Podman with settings of its own: whoever has a configuration of podman keeps it."""

    def __init__(self, settings: Path, *options: str) -> None:
        """settings is a containers.conf; the options go before each command of podman."""
        self._command = ["podman", *options]
        self.environment = {**os.environ, "CONTAINERS_CONF": str(settings)}

    def __call__(self, *words: str, check: bool = True,
                 **options) -> subprocess.CompletedProcess[str]:
        """The options are those of subprocess.run, such as input."""
        return run([*self._command, *words], check=check, env=self.environment, **options)
