"""The checks P1 to P12 of a run, from its ledger, database, traffic and logs."""

import bisect
import hashlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from support.database import Database
from support.payloads import Expected
from support.tables import DATA_TABLES, read_dead_letters, read_said

from chaos import ledger, leaks, takeovers
from chaos.clock import ServerClock
from chaos.ledger import REFUSED_BY_DATABASE, Entry
from chaos.tap import Traffic
from chaos.watch import Usage, Watch
from chaos.world import QUEUES, End, World

Key = tuple[str, str]  # entity and its id

SQL = "connection to PostgreSQL"

_SHOWN = 5
_QUIET_CPU_SHARE = 0.1
# On average, without debug lines. Each writer may log 50 dead letters in ten seconds.
_LINES_PER_S = 40
_LINES_IN_A_SECOND = 400
_ROOTS = {"customer": ("customers", "customer_id"),
          "subscription": ("subscriptions", "subscription_id")}

_STATES = """
SELECT entity, entity_id, number, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8,
    uptime
FROM history.states ORDER BY n
"""
_DEAD_LETTERS = """
SELECT queue, body_sha256, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8, uptime
FROM history.dead_letters
"""

# Queries that must find nothing, whatever was published.
_CONTRADICTIONS = {
    **{f"the same {table} twice": f"SELECT {', '.join(key)} FROM kopru.{table} GROUP BY "
                                  f"{', '.join(key)} HAVING count(*) > 1"
       for table, key in DATA_TABLES.items()},
    "contact medium without its customer": """
        SELECT customer_id FROM kopru.contact_mediums
        EXCEPT SELECT customer_id FROM kopru.customers""",
    "characteristic without its subscription": """
        SELECT subscription_id FROM kopru.subscription_characteristics
        EXCEPT SELECT subscription_id FROM kopru.subscriptions""",
    "engaged party without its subscription": """
        SELECT subscription_id FROM kopru.engaged_parties
        EXCEPT SELECT subscription_id FROM kopru.subscriptions""",
    "gap in positions": """
        SELECT customer_id FROM kopru.contact_mediums
        GROUP BY 1 HAVING max(position) <> count(*)""",
    "gap in occurrences of a characteristic": """
        SELECT subscription_id, bag, name FROM kopru.subscription_characteristics
        GROUP BY 1, 2, 3 HAVING max(occurrence) <> count(*)""",
    "gap in occurrences of a party": """
        SELECT subscription_id, customer_id FROM kopru.engaged_parties
        GROUP BY 1, 2 HAVING max(occurrence) <> count(*)""",
    "dead letter twice": """
        SELECT queue, encode(body_sha256, 'hex') FROM kopru.dead_letters
        WHERE status = 'open' GROUP BY 1, 2 HAVING count(*) > 1""",
}


@dataclass
class Result:
    check: str
    what: str
    figures: str
    problems: list[str]

    @property
    def holds(self) -> bool:
        return not self.problems

    def lines(self) -> Iterator[str]:
        yield f"{self.check:3} {'ok  ' if self.holds else 'FAIL'} {self.what}: {self.figures}"
        for problem in self.problems[:_SHOWN]:
            yield f"         {problem}"
        if len(self.problems) > _SHOWN:
            yield f"         and {len(self.problems) - _SHOWN} more"


@dataclass
class Evidence:
    """What a run leaves behind."""

    db: Database
    clock: ServerClock
    ledger: Path
    traffic: Traffic
    depths: dict[str, tuple[int, int]]  # ready and unacknowledged at the end, by queue
    baseline: Usage  # of a daemon that has nothing to do, before the first fault
    end: Usage  # after the last
    sql_connections: int  # how many the daemon may have
    memory_mib: float  # what kopru check says to plan for
    peak_mib: float
    seconds: float
    daemon_cpu_s: float
    quiet_cpu_share: float
    busy: list[str]
    not_live: list[str]
    late: int  # as the daemons count
    logs: list[Path]
    ends: list[End]
    dead_letters: list[dict] = field(init=False)
    # numbers and times of commits, in the order in which the states were written
    states: dict[Key, list[tuple[int, float]]] = field(init=False)

    def __post_init__(self) -> None:
        self.dead_letters = read_dead_letters(self.db)
        self.states = defaultdict(list)
        for entity, entity_id, number, said, written in self.db.query(_STATES):
            at = self.clock.true_time(said, written)
            self.states[entity, entity_id].append((number, at))

    @cached_property
    def published(self) -> "Published":
        return Published(ledger.read(self.ledger))

    @cached_property
    def log_text(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.logs)


class Published:
    """What the ledger adds up to."""

    def __init__(self, entries: Iterable[Entry]):
        self.count = self.confirmed = 0
        self.latest: dict[Key, int] = {}  # good and confirmed
        self.key_of: dict[int, Key] = {}  # of what names an entity
        # queue and digest of what may become a dead letter
        self.dead_letter_of: dict[int, tuple[str, bytes]] = {}
        self.must: dict[tuple[str, bytes, str], int] = {}  # with their numbers
        self.may: dict[tuple[str, bytes, str], int] = {}
        self.confirmed_numbers: set[int] = set()
        everything, confirmed = Expected(), Expected()
        # refused ones that a later message may cover
        waiting: dict[Key, list[tuple[str, bytes, str]]] = defaultdict(list)
        for entry in entries:
            self.count += 1
            self.confirmed += entry.confirmed
            if entry.confirmed:
                self.confirmed_numbers.add(entry.number)
            key = (entry.entity, entry.entity_id) if entry.entity_id is not None else None
            if key is not None:
                self.key_of[entry.number] = key
            if entry.reason is not None:
                dead_letter = (entry.queue, entry.body, entry.reason)
                digest = hashlib.sha256(entry.body).digest()
                self.dead_letter_of[entry.number] = (entry.queue, digest)
                self.may[dead_letter] = entry.number
                if entry.confirmed:
                    self.must[dead_letter] = entry.number
                    if key is not None:
                        waiting[key].append(dead_letter)
                continue
            assert key is not None
            payload = entry.payload
            everything.apply(entry.entity, payload)
            if entry.confirmed:
                confirmed.apply(entry.entity, payload)
                self.latest[key] = entry.number
            if "status" in payload:  # it covers the refused message if both are folded
                for dead_letter in waiting.pop(key, ()):
                    del self.must[dead_letter]
        self.rows = confirmed.rows()
        if self.rows != everything.rows():
            raise RuntimeError("what was not confirmed makes a difference: the publisher did not "
                               "follow it up")


def run(evidence: Evidence) -> list[Result]:
    return [check(evidence) for check in (
        _reflected, _drained, _folded, _dead_letters, _no_step_back, _consistent,
        _acknowledged_after_commit, _resources, _quiet, _nothing_personal, _ended_as_asked,
        _nobody_robbed)]


def _reflected(evidence: Evidence) -> Result:
    published = evidence.published
    shown = {(entity, entity_id): number for entity, (table, key) in _ROOTS.items()
             for entity_id, number in evidence.db.query(
        f"SELECT {key}, substring(name FROM '[0-9]+$')::bigint FROM kopru.{table}")}
    lost = [f"{entity} {entity_id}: message {number} is confirmed, the row shows "
            f"{shown.get((entity, entity_id))}"
            for (entity, entity_id), number in published.latest.items()
            if (shown.get((entity, entity_id)) or 0) < number]
    found = _found_dead_letters(evidence)
    lost += [f"message {number}: no dead letter ({reason}, queue {queue})"
             for (queue, body, reason), number in published.must.items()
             if (queue, body, reason) not in found]
    unseen = published.confirmed_numbers - evidence.traffic.acknowledged.keys()
    lost += [f"message {number} is confirmed and was never acknowledged"
             for number in sorted(unseen)]
    return Result("P1", "what is confirmed is in a row or a dead letter",
                  f"published {published.count}, confirmed {published.confirmed}, lost {len(lost)}",
                  lost)


def _found_dead_letters(evidence: Evidence) -> Counter:
    return Counter((row["queue"], row["body"], row["reason"]) for row in evidence.dead_letters)


def _drained(evidence: Evidence) -> Result:
    left = [f"queue {queue}: ready {ready}, unacknowledged {unacked}"
            for queue, (ready, unacked) in evidence.depths.items() if ready or unacked]
    traffic = evidence.traffic
    return Result("P2", "queues are empty, nothing unacknowledged",
                  f"delivered {traffic.deliveries}, redelivered {traffic.redelivered}, "
                  f"subscriptions {traffic.subscriptions}", left)


def _folded(evidence: Evidence) -> Result:
    found, expected = read_said(evidence.db), evidence.published.rows
    wrong = [f"{table} {key} is {found[table].get(key)}, not {expected[table].get(key)}"
             for table in DATA_TABLES for key in sorted(found[table].keys()
                                                        | expected[table].keys())
             if found[table].get(key) != expected[table].get(key)]
    return Result("P3", "the rows are the fold of what was published",
                  f"rows {sum(map(len, expected.values()))}, different {len(wrong)}", wrong)


def _dead_letters(evidence: Evidence) -> Result:
    published, found = evidence.published, _found_dead_letters(evidence)
    problems = [f"missing: message {number} ({reason}, queue {queue})"
                for (queue, body, reason), number in published.must.items()
                if (queue, body, reason) not in found]
    problems += [f"should not be: {reason}, queue {queue}, SHA-256 "
                 f"{hashlib.sha256(body).hexdigest()}"
                 for queue, body, reason in found.keys() - published.may.keys()]
    problems += [f"{count} times: {reason}, queue {queue}, message "
                 f"{published.may.get((queue, body, reason))}"
                 for (queue, body, reason), count in found.items() if count > 1]
    by_database = sum(reason == REFUSED_BY_DATABASE for _queue, _body, reason in found)
    return Result("P4", "dead letters are exactly the bad messages",
                  f"expected {len(published.must)} to {len(published.may)}, found {found.total()}, "
                  f"of them {by_database} by the database", problems)


def _no_step_back(evidence: Evidence) -> Result:
    """What the broker returned out of order may show once more: the documented exception."""
    stale, shown = [], 0
    excused: Counter[str] = Counter()
    for (entity, entity_id), states in evidence.states.items():
        shown += len(states)
        for (before, _), (number, _) in itertools.pairwise(states):
            if number >= before:
                continue
            if number in evidence.traffic.late and evidence.late:
                excused[f"redelivered after {evidence.traffic.late[number]}"] += 1
            else:
                stale.append(f"{entity} {entity_id} showed {before}, then {number}")
    return Result("P5", "no row steps back, but as promise 2 excepts", ", ".join([
        f"states {shown}", f"stale {len(stale)}", f"late by the daemons' count {evidence.late}",
        *(f"showed an older state for a moment, {why}: {count}"
          for why, count in excused.items())]), stale)


def _consistent(evidence: Evidence) -> Result:
    problems = [f"{what}: {row}" for what, query in _CONTRADICTIONS.items()
                for row in evidence.db.query(query)]
    late = evidence.traffic.late.keys()
    for (entity, entity_id), states in evidence.states.items():
        last: dict[int, int] = {}  # where the row showed a message last
        for at, (number, _) in enumerate(states):
            # After an older state that came late, the newer one is written again.
            if number in last and late.isdisjoint(between
                                                  for between, _ in states[last[number]:at + 1]):
                problems.append(f"{entity} {entity_id} was written again as message {number}")
            last[number] = at
    return Result("P6", "each key once, children fit their parents, nothing is written twice",
                  f"duplicated {len(problems)}", problems)


def _acknowledged_after_commit(evidence: Evidence) -> Result:
    """A message is committed with its own state, with a later one, or with that of an older message
    that the broker returned after it: the exception of promise 2.
    """
    published = evidence.published
    committed = {key: _rising(states) for key, states in evidence.states.items()}
    dead_letters: dict[tuple[str, bytes], float] = {}
    for queue, digest, said, written in evidence.db.query(_DEAD_LETTERS):
        committed_at = evidence.clock.true_time(said, written)
        dead_letter = (queue, bytes(digest))
        dead_letters[dead_letter] = min(committed_at, dead_letters.get(dead_letter, math.inf))
    early, margins, covered = [], [], 0
    for number, at in evidence.traffic.acknowledged.items():
        times = []
        if number in published.dead_letter_of:
            times.append(dead_letters.get(published.dead_letter_of[number]))
        key = published.key_of.get(number)
        times.append(_time_of(committed.get(key, ([], [])), number))
        first = min((time for time in times if time is not None), default=None)
        if first is None or first > at:
            first = min(_covered_by_older(evidence, key, number), default=first)
            covered += first is not None and first <= at
        if first is None:
            early.append(f"message {number} was acknowledged and never committed")
        elif first > at:
            early.append(f"message {number} was acknowledged {1000 * (first - at):.1f} ms before "
                         f"its commit at {first:.6f}")
        else:
            margins.append(at - first)
    if evidence.traffic.unknown_tags:
        early.append(f"{evidence.traffic.unknown_tags} acknowledgements of tags that were not open")
    if not margins:
        early.append("no acknowledgement was seen")
    return Result("P7", "acknowledged only after the commit",
                  f"acknowledged {len(evidence.traffic.acknowledged)}, too early {len(early)}, "
                  f"the closest {1000 * min(margins, default=0):.2f} ms after, covered by an older "
                  f"one that came late {covered}", early)


def _rising(states: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Numbers and times of the states that were newer than all states before them."""
    numbers: list[int] = []
    times: list[float] = []
    for number, at in sorted(states, key=lambda state: state[1]):
        if not numbers or number > numbers[-1]:
            numbers.append(number)
            times.append(at)
    return numbers, times


def _time_of(rising: tuple[list[int], list[float]], number: int) -> float | None:
    """When the first state of this message or of a later one was committed."""
    numbers, times = rising
    at = bisect.bisect_left(numbers, number)
    return times[at] if at < len(times) else None


def _covered_by_older(evidence: Evidence, key: Key | None, number: int) -> Iterator[float]:
    """When states of older messages were committed that came late, after this one."""
    traffic = evidence.traffic
    mine = traffic.acknowledged_as.get(number)
    if key is None or mine is None or not evidence.late:
        return
    for older, at in evidence.states.get(key, ()):
        if older < number and any(late.subscription == mine.subscription and late.tag > mine.tag
                                  and late.at <= at for late in traffic.late_as.get(older, ())):
            yield at


def _resources(evidence: Evidence) -> Result:
    begin, end = evidence.baseline, evidence.end
    problems = []
    if end.threads > begin.threads:
        problems.append(f"threads: {begin.threads} at the beginning, {end.threads} at the end")
    # A writer whose connection was lost connects when it has work again.
    wanted = Counter(begin.descriptors) | Counter({SQL: evidence.sql_connections})
    problems += [f"descriptor that was not there before: {what}, {count} times"
                 for what, count in (Counter(end.descriptors) - wanted).items()]
    if evidence.peak_mib > evidence.memory_mib:
        problems.append(f"{evidence.peak_mib:.0f} MiB used, {evidence.memory_mib:.0f} MiB planned")
    return Result("P8", "memory, descriptors and threads are back",
                  f"RSS {begin.rss_mib:.0f} -> {end.rss_mib:.0f} MiB, peak {evidence.peak_mib:.0f} "
                  f"of {evidence.memory_mib:.0f} MiB; "
                  f"descriptors {len(begin.descriptors)} -> {len(end.descriptors)}; threads "
                  f"{begin.threads} -> {end.threads}", problems)


def _quiet(evidence: Evidence) -> Result:
    per_second = Counter(line[:26] for line in evidence.log_text.splitlines()
                         if '"level":"debug"' not in line)
    average = per_second.total() / evidence.seconds
    most = max(per_second.values(), default=0)
    problems = [f"{what}: busy without a delivery" for what in evidence.busy]
    problems += [f"/livez failed: {what}" for what in evidence.not_live]
    if evidence.quiet_cpu_share > _QUIET_CPU_SHARE:
        problems.append(f"{100 * evidence.quiet_cpu_share:.0f} % of a processor with nothing to do")
    if average > _LINES_PER_S or most > _LINES_IN_A_SECOND:
        problems.append(f"log lines: {average:.1f} a second on average, {most} in one second")
    return Result("P9", "no busy loop, no flood of log lines",
                  f"processor {evidence.daemon_cpu_s:.1f} s, idle "
                  f"{100 * evidence.quiet_cpu_share:.1f} %; "
                  f"log lines a second {average:.1f}, at most {most}", problems)


def _nothing_personal(evidence: Evidence) -> Result:
    found = leaks.found_in(evidence.log_text)
    return Result("P10", "no value of a payload in a log",
                  f"log lines {evidence.log_text.count(chr(10))}", found)


def _ended_as_asked(evidence: Evidence) -> Result:
    wrong = [f"the {end.instance} daemon, run {end.run}: status {end.status}, asked by "
             f"{end.asked or 'nobody'}"
             for end in evidence.ends if not end.is_fine]
    asked = Counter(f"{end.asked or 'nobody'} {end.status}" for end in evidence.ends)
    return Result("P11", "daemons end only when asked",
                  ", ".join(f"{what}: {count}" for what, count in sorted(asked.items())), wrong)


def _nobody_robbed(evidence: Evidence) -> Result:
    found = takeovers.judge(evidence.db, {end.pid: end.since for end in evidence.ends})
    problems = list(found.robbed)
    if not found.renewals:
        problems.append("no renewal was seen")
    return Result("P12", "no lease is taken from a process that renews it", ", ".join([
        f"renewals {found.renewals}, takeovers {found.due.total() + len(found.robbed)}",
        *(f"after the holder was {what}: {count}" for what, count in sorted(found.due.items()))]),
        problems)


def late_messages(stage: World, watch: Watch) -> int:
    """As the daemons count them. A run that ended within a second was not asked for its metrics;
    its log tells whether it had one.
    """
    logged = {(instance.name, run) for instance in stage.instances
              for run, path in enumerate(instance.logs(), start=1)
              if '"event":"late_redelivery"' in path.read_text(errors="replace")}
    return sum(int(max(watch.late.get(key, 0), key in logged))
               for key in watch.late.keys() | logged)


def depths_by_queue(depths: list[tuple[int, int]]) -> dict[str, tuple[int, int]]:
    return dict(zip(QUEUES, depths, strict=True))
