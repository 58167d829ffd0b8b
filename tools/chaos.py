#!/usr/bin/python3
"""Causes random faults everywhere, then checks that nothing was lost, old, early or doubled.

Started by ./dev chaos. What happens and when depends on the seed alone. Everything is private and
temporary; what a failing run leaves is kept, and the path is printed. Exit status: 0 if all checks
hold, 1 if not, 70 if the run itself could not go on.
"""

import argparse
import heapq
import itertools
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chaos import checks, plan, world  # noqa: E402
from chaos.checks import Evidence, Result  # noqa: E402
from chaos.ledger import Ledger  # noqa: E402
from chaos.plan import Fault, Plan  # noqa: E402
from chaos.publisher import Publisher  # noqa: E402
from chaos.watch import Usage, Watch, usage  # noqa: E402
from chaos.world import QUEUES, World  # noqa: E402
from support import hidepid  # noqa: E402
from support.daemon import run_kopru  # noqa: E402
from support.process import unwind_on_signals  # noqa: E402
from support.wait import wait_until  # noqa: E402

_FAILED, _COULD_NOT_RUN = 1, 70
_ENTITIES = 150
_RATE = 350.0  # messages a second and queue
_DRAIN_DEADLINE_S = 90
_IDLE_S = 2.0
_WARM_UP = 300
_WARM_UP_DEADLINE_S = 20


class Course:
    """Makes the faults of a plan happen: one thread, each fault a generator of pauses, and never
    two faults on the same thing.
    """

    def __init__(self, stage: World, faults: list[Fault]):
        self._stage = stage
        self._begin = time.monotonic()
        self._order = itertools.count()
        self._due: list[tuple[float, int, Fault, Iterator[float] | None]] = []
        self._waiting: deque[Fault] = deque()
        self._touched: set[str] = set()
        self.happened: Counter[str] = Counter()
        for fault in faults:
            self._push(fault.at_s, fault, None)

    def run(self) -> None:
        """Returns when all faults are over."""
        while self._due or self._waiting:
            at, _, fault, going = heapq.heappop(self._due)
            time.sleep(max(0.0, at - self._now()))
            if going is None:
                self._waiting.append(fault)
                self._begin_possible()
            else:
                self._go_on(fault, going)

    def _now(self) -> float:
        return time.monotonic() - self._begin

    def _push(self, at_s: float, fault: Fault, going: Iterator[float] | None) -> None:
        heapq.heappush(self._due, (at_s, next(self._order), fault, going))

    def _begin_possible(self) -> None:
        for fault in list(self._waiting):
            if not fault.kind.touches & self._touched:
                self._waiting.remove(fault)
                self._touched |= fault.kind.touches
                self.happened[fault.kind.name] += 1
                say(f"  {self._now():6.1f} s  {fault}")
                self._go_on(fault, fault.kind.act(self._stage, **fault.arguments))

    def _go_on(self, fault: Fault, going: Iterator[float]) -> None:
        try:
            self._push(self._now() + next(going), fault, going)
        except StopIteration:
            self._touched -= fault.kind.touches
            self._begin_possible()
        except Exception as error:
            raise RuntimeError(f"the fault {fault} could not go on: {error}") from error


def say(text: str) -> None:
    print(text, flush=True)


def _launch_consuming(stage: World, publishers: list[Publisher]) -> Usage:
    """What the first daemon uses when all its writers have had work, before anything happens."""
    stage.first.launch()
    stage.first.kopru.wait_until_ready()
    for publisher in publishers:
        publisher.warm_up(_WARM_UP)
    _drain(stage, _WARM_UP_DEADLINE_S)
    return _idle_usage(stage)


def _drain(stage: World, deadline_s: float) -> None:
    """Waits for empty queues; messages that remain are for the checks to find."""
    try:
        wait_until(stage.is_drained, deadline_s, "empty queues")
    except TimeoutError as error:
        say(f"  {error}\n  {stage.first.kopru.tail(10)}")


def _idle_usage(stage: World) -> Usage:
    """What the first daemon uses once it opens and closes nothing any more."""
    time.sleep(_IDLE_S)
    stage.first.launch()  # if it crashed, check P11 says so
    return usage(stage.first.kopru.pid, stage.first.ports)


def _planned_memory_mib(stage: World) -> float:
    text = run_kopru("check", "--offline", "-c", str(stage.first.kopru.config_path)).stdout.decode()
    found = re.search(r"(\d+) MiB", text)
    assert found is not None, f"kopru check tells no memory: {text}"
    return float(found[1])


def _heal(stage: World) -> None:
    for instance in stage.instances:
        instance.amqp_network.heal()
        instance.sql_network.heal()
    for _pause in stage.second.terminated(15):
        time.sleep(_pause)
    stage.first.launch()


def _endure(stage: World, the_plan: Plan, log: Ledger) -> Evidence:
    begin = time.monotonic()
    publishers = [Publisher(stage.broker, queue, entity, log, the_plan.seed, _ENTITIES, _RATE)
                  for queue, entity in QUEUES.items()]
    baseline = _launch_consuming(stage, publishers)
    watch = Watch(stage.instances, stage.traffic)
    watch.start()
    for publisher in publishers:
        publisher.start()
    course = Course(stage, the_plan.faults)
    course.run()
    say(f"  {time.monotonic() - begin:6.1f} s  faults are over: {course.happened.total()} of "
        f"{len(course.happened)} kinds")
    _heal(stage)
    for publisher in publishers:
        publisher.finish(_DRAIN_DEADLINE_S)
    log.close()
    _drain(stage, _DRAIN_DEADLINE_S)
    say(f"  {time.monotonic() - begin:6.1f} s  drained")
    depths = checks.depths_by_queue(stage.depths())
    watch.finish()  # its questions use descriptors too
    before = usage(stage.first.pid) if stage.first.pid else baseline
    end = _idle_usage(stage)
    memory_mib = _planned_memory_mib(stage)
    for _pause in stage.first.terminated(15):
        time.sleep(_pause)
    for instance in stage.instances:
        instance.relay.finish()
    return Evidence(
        db=stage.database, clock=stage.clock, ledger=log.path, traffic=stage.traffic, depths=depths,
        baseline=baseline, end=end,
        sql_connections=the_plan.site.writers * len(QUEUES) + 1, memory_mib=memory_mib,
        peak_mib=max(watch.peak_mib, end.peak_mib), seconds=time.monotonic() - begin,
        daemon_cpu_s=sum(watch.cpu_s.values()),
        quiet_cpu_share=(end.cpu_s - before.cpu_s) / _IDLE_S, busy=watch.busy,
        not_live=watch.not_live,
        late=checks.late_messages(stage, watch),
        logs=[path for instance in stage.instances for path in instance.logs()], ends=stage.ends())


def _table(results: list[Result]) -> str:
    return "\n".join(line for result in results for line in result.lines())


def _keep(stage: World, directory: Path) -> None:
    """Saves the logs and all states that the tables ever had, to find out what happened."""
    if stage.server.is_running():
        states = stage.database.query("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)), "
                                      "xmin, * FROM history.states ORDER BY n")
        leases = stage.database.query("SELECT * FROM history.leases ORDER BY n")
        for name, rows in (("states", states), ("leases", leases)):
            (directory / name).write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    (directory / "clock").write_text("".join(f"{step}\n" for step in stage.clock.steps))
    for name, path in stage.logs().items():
        if path.exists():
            shutil.copyfile(path, directory / name)


def _run(the_plan: Plan, directory: Path, keep: bool) -> int:
    """Runs the plan. directory is removed if every check holds."""
    site = the_plan.site
    reason = hidepid.why_impossible() if site.hidden else None
    if reason is not None:
        say(f"both daemons run as this user: {reason}")
        site = replace(site, hidden=False)
    with world.built(site, the_plan.seed) as stage:
        try:
            with open(directory / "amqp", "w", encoding="utf-8") as stage.traffic.journal:
                evidence = _endure(stage, the_plan, Ledger(directory / "ledger"))
            results = checks.run(evidence)
        except BaseException:
            _keep(stage, directory)
            say(f"kept: {directory}")
            raise
        say(_table(results))
        failed = [result.check for result in results if not result.holds]
        if failed or keep:
            (directory / "report").write_text(_table(results) + "\n")
            _keep(stage, directory)
            say(f"kept: {directory}")
    if failed:
        say(f"chaos: seed {the_plan.seed}: {', '.join(failed)} FAILED; ./dev chaos --seconds "
            f"{the_plan.seconds:g} "
            f"--seed {the_plan.seed} repeats the faults")
        return _FAILED
    if not keep:
        shutil.rmtree(directory)
    say(f"chaos: seed {the_plan.seed}: all checks hold")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60,
                        help="how long there are faults (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="what happens, and when (default 1)")
    parser.add_argument("--plan", action="store_true", help="only print what would happen")
    parser.add_argument("--keep", action="store_true",
                        help="keep ledger and logs also if all is well")
    options = parser.parse_args()
    the_plan = plan.make(options.seed, options.seconds)
    say(f"chaos: {options.seconds:g} seconds, seed {options.seed}; {the_plan.site}")
    if options.plan:
        for fault in the_plan.faults:
            say(f"  {fault.at_s:6.1f} s  {fault}")
        return 0
    unwind_on_signals()
    directory = Path(tempfile.mkdtemp(prefix="kopru-chaos-"))
    try:
        return _run(the_plan, directory, options.keep)
    except Exception:
        traceback.print_exc()
        return _COULD_NOT_RUN


if __name__ == "__main__":
    sys.exit(main())
