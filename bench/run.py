"""./dev bench: kopru and the alternatives on private servers; results as table, JSON and charts."""

import argparse
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]),
                str(Path(__file__).resolve().parents[1] / "tests")]

from bench import instructions, report  # noqa: E402
from bench.course import Course  # noqa: E402
from bench.site import POSTGRES_SETTINGS, Site, machine  # noqa: E402
from support.database import REPOSITORY  # noqa: E402
from support.process import unwind_on_signals  # noqa: E402


@dataclass(frozen=True)
class Size:
    """How much is measured; messages are those of each workload."""

    messages: int
    by_hand: int
    repetitions: int
    hand_trial: int
    hand_trials: tuple[str, ...]
    hand_repetitions: int
    entities: tuple[str, ...]
    latency_messages: int
    latency_repetitions: int
    grown: int
    memory: tuple[int, ...]
    sweep_messages: int


QUICK = Size(messages=10_000, by_hand=2_500, repetitions=3, hand_trial=1_500,
             hand_trials=("churn",), hand_repetitions=3,
             entities=("subscription",), latency_messages=1_000, latency_repetitions=1, grown=0,
             memory=(), sweep_messages=0)
FULL = Size(messages=50_000, by_hand=50_000, repetitions=5, hand_trial=4_000,
            hand_trials=("new", "churn"), hand_repetitions=3,
            entities=("subscription", "customer"), latency_messages=4_000, latency_repetitions=3,
            grown=1_000_000, memory=(100_000, 1_000_000), sweep_messages=25_000)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench",
                                     description="Measures kopru beside the alternatives, on "
                                                 "private servers.")
    parser.add_argument("--quick", action="store_true",
                        help="fewer messages and workloads: under 3 minutes instead of 30")
    parser.add_argument("--record", action="store_true",
                        help="write the results into docs/performance.md")
    parser.add_argument("--messages", type=int,
                        help="of each workload; all else shrinks with it, to try the bench itself")
    parser.add_argument("--instructions", action="store_true",
                        help="count the daemon's instructions a message instead; fails when they "
                             "grew by 10 %%")
    return parser.parse_args()


def size_of(options: argparse.Namespace) -> Size:
    size = QUICK if options.quick else FULL
    if options.messages is None:
        return size
    shrunk = {name: min(getattr(size, name), options.messages)
              for name in ("by_hand", "hand_trial", "sweep_messages")}
    if not options.quick:
        shrunk |= {"grown": 20 * options.messages,
                   "memory": (2 * options.messages, 20 * options.messages)}
    return Size(**{**asdict(size), **shrunk, "messages": options.messages})


def main() -> int:
    options = arguments()
    unwind_on_signals()
    if options.instructions:
        return instructions.run(options.record)
    size = size_of(options)
    begin = time.monotonic()
    results: dict[str, object] = {
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "kind": "quick" if options.quick else "full",
        "size": asdict(size),
        "postgres_settings": POSTGRES_SETTINGS,
    }
    with Site() as site:
        results["machine"] = machine(site)
        course = Course(site, size, lambda text: print(f"{time.monotonic() - begin:7.1f} s  {text}",
                                                       file=sys.stderr, flush=True))
        results |= course.run()
    results["minutes"] = round((time.monotonic() - begin) / 60, 1)
    results["load_after"] = round(os.getloadavg()[0], 2)
    directory = REPOSITORY / "build-release" / "bench-results"
    report.write(results, directory)
    if options.record:
        report.record(results, REPOSITORY / "docs")
    print((directory / "table.md").read_text(encoding="utf-8"))
    print(f"bench: {results['minutes']} minutes; results in {directory.relative_to(REPOSITORY)}",
          file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
