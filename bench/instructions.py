"""./dev bench --instructions: what the daemon itself executes for a message, counted by callgrind;
no other load on the machine changes it.

The whole daemon runs on real servers: AMQP, decoding, mapping, folding, encoding, libpq. Two runs
of different length give what one message more costs, so that start and end do not count.
"""

import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.daemon import binary
from support.database import REPOSITORY

from bench import drain
from bench.drain import QUEUE
from bench.site import Site
from bench.workloads import EMPTY, RESTING, Workload, all_workloads, write_bodies

RECORD = REPOSITORY / "bench" / "instructions.json"
GROWTH = 1.10  # more than that is a failure
FEW, MANY = 1_000, 4_000
COUNTED = [("subscription", name) for name in ("new", "churn", "unchanged", "hot key", "wide")] + [
    ("customer", name) for name in ("new", "churn", "unchanged")]
# One writer and full batches: the same work in every run.
_SETTINGS = {"queue": {"writers": 1, "prefetch": MANY},
             "postgres": {"statement_timeout": 60, "lock_timeout": 20}, "shutdown_timeout": 120}


@contextmanager
def _counting() -> Iterator[Path]:
    """While it lasts, each daemon started is counted; its figure is in the file."""
    before = os.environ.get("KOPRU_BINARY")
    with tempfile.TemporaryDirectory(prefix="kopru-callgrind-") as directory:
        figures, script = Path(directory) / "figures", Path(directory) / "kopru"
        script.write_text("#!/bin/sh\nexec valgrind --quiet --tool=callgrind --log-file=/dev/null"
                          f" --callgrind-out-file={figures} {binary()} \"$@\"\n", encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        os.environ["KOPRU_BINARY"] = str(script)
        try:
            yield figures
        finally:
            if before is None:
                del os.environ["KOPRU_BINARY"]
            else:
                os.environ["KOPRU_BINARY"] = before


def _rest(site: Site, entity: str) -> str:
    """A template with entities at rest."""
    path = site.bodies_file("rest")
    (workload,) = [each for each in all_workloads() if (each.name, each.entity) == ("new", entity)]
    write_bodies(path, workload.bodies(MANY))
    db = site.restore(EMPTY)
    site.fresh_queue(QUEUE, path)
    drain.drain_with_kopru(site.broker, db, entity)
    template = f"{RESTING} {entity}"
    site.keep_as(template, template.replace(" ", "_"))
    return template


def _count(site: Site, workload: Workload, template: str, messages: int) -> int:
    path = site.bodies_file("counted")
    write_bodies(path, workload.bodies(messages))
    db = site.restore(template)
    site.fresh_queue(QUEUE, path)
    with _counting() as figures:
        drain.drain_with_kopru(site.broker, db, workload.entity, dict(_SETTINGS))
        totals = re.search(r"^(?:totals|summary): (\d+)", figures.read_text(), re.MULTILINE)
    if totals is None:
        raise RuntimeError("callgrind left no totals")
    return int(totals[1])


def count() -> dict[str, int]:
    """Instructions a message, by workload."""
    found = {}
    with Site() as site:
        resting = {entity: _rest(site, entity) for entity in ("subscription", "customer")}
        for workload in all_workloads():
            if (workload.entity, workload.name) not in COUNTED:
                continue
            template = EMPTY if workload.start == EMPTY else resting[workload.entity]
            few, many = (_count(site, workload, template, messages) for messages in (FEW, MANY))
            name = f"{workload.entity}: {workload.name}"
            found[name] = round((many - few) / (MANY - FEW))
            print(f"{name}: {found[name]:,}", file=sys.stderr, flush=True)
    return found


def compare(found: dict[str, int], recorded: dict[str, int]) -> list[str]:
    """What is wrong, a line each."""
    wrong = [f"{name}: nothing is recorded" for name in found if name not in recorded]
    wrong += [f"{name}: recorded, but not counted" for name in recorded if name not in found]
    return wrong + [f"{name}: {found[name]:,} instructions a message, {recorded[name]:,} are "
                    f"recorded: {found[name] / recorded[name]:.2f} times"
                    for name in found if name in recorded and found[name] > GROWTH * recorded[name]]


def table(found: dict[str, int], recorded: dict[str, int]) -> str:
    lines = ["| instructions a message | counted | recorded |", "| --- | ---: | ---: |"]
    return "\n".join(lines + [f"| {name} | {figure:,} | {recorded.get(name, 0):,} |"
                              for name, figure in found.items()])


def run(record: bool) -> int:
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    found = count()
    print(table(found, recorded))
    if record:
        RECORD.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        return 0
    wrong = compare(found, recorded)
    for line in wrong:
        print(f"bench: {line}", file=sys.stderr)
    if wrong:
        print("bench: make it cheaper, or say why not and record the new figures: ./dev bench "
              "--instructions --record", file=sys.stderr)
    return 1 if wrong else 0
