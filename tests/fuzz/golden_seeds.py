#!/usr/bin/python3
"""Writes the bodies of the golden cases as files: seeds of the fuzz target payload.

Usage: golden_seeds.py DIRECTORY

The directory is made anew. Bodies that are only long are left out: they slow a fuzzer down and
teach it nothing.
"""

import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from golden.cases import all_cases  # noqa: E402

MAX_BYTES = 4096


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: golden_seeds.py DIRECTORY", file=sys.stderr)
        return 64
    folder = Path(arguments[0])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for case in all_cases():
        for number, message in enumerate(case.messages(), start=1):
            if len(message.body) <= MAX_BYTES:
                (folder / f"{case.name.replace('/', '-')}-{number}").write_bytes(message.body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
