"""What `cmake --install` copies, from the build that the tests use."""

import os
import subprocess
from functools import cache
from pathlib import Path

from support.daemon import binary


@cache
def build_directory() -> Path:
    """With the man pages: a build for one test may have only the program. That is not built here,
    since other tests may be running it.
    """
    folder = binary().parent
    require("cmake", "--build", str(folder), "--target", "kopru_manuals")
    return folder


def require(*command: str, **environment: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr


def install(destdir: Path, prefix: str) -> None:
    require("cmake", "--install", str(build_directory()), "--prefix", prefix,
            DESTDIR=str(destdir))
