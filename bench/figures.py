"""The arithmetic of the benchmark: medians, spreads, ratios within one repetition, and the floors.

A run is a dictionary as it stands in the results file: entity, workload, contender, repetition,
messages, seconds, and what it made the database do. Contenders are "kopru", "limit" (PostgreSQL
with the rows known before), "broker" (consume and ack) and "hand".
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Run = dict[str, Any]
Which = tuple[str, str, str]  # entity, workload, contender


@dataclass(frozen=True)
class Summary:
    median: float
    least: float
    most: float
    count: int


def summarize(values: Iterable[float]) -> Summary:
    found = list(values)
    if not found:
        raise ValueError("nothing to summarize")
    return Summary(median(found), min(found), max(found), len(found))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (above 0, at most 1) of all do not exceed."""
    if not values:
        raise ValueError("no values")
    if not 0 < share <= 1:
        raise ValueError("the share is not above 0 and at most 1")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def rate(run: Run) -> float:
    """Messages a second."""
    return run["messages"] / run["seconds"]


def select(runs: Iterable[Run], which: Which) -> list[Run]:
    return [run for run in runs if (run["entity"], run["workload"], run["contender"]) == which]


def rates(runs: Iterable[Run], which: Which) -> Summary | None:
    found = select(runs, which)
    return summarize(map(rate, found)) if found else None


def ratios(runs: Iterable[Run], one: Which, other: Which) -> Summary | None:
    """How many times as fast one is as the other, per repetition: a slow machine slows both."""
    found = list(runs)
    others = {run["repetition"]: rate(run) for run in select(found, other)}
    pairs = [rate(run) / others[run["repetition"]] for run in select(found, one)
             if run["repetition"] in others]
    return summarize(pairs) if pairs else None


def per_message(runs: Iterable[Run], which: Which, *fields: str) -> float | None:
    """The median of the sum of these fields for each message."""
    found = [sum(run[field] for field in fields) / run["messages"]
             for run in select(runs, which) if all(run.get(field) is not None for field in fields)]
    return median(found) if found else None


def ceiling(runs: Iterable[Run], entity: str, workload: str, contender: str) -> float | None:
    """What the ratio to the limit would be if PostgreSQL did the limit's work and no more, and the
    rest took what the contender and the broker take for unchanged messages: the limit is measured
    while the broker rests. By processor time, so only where that is what limits both."""
    found = list(runs)
    postgres = per_message(found, (entity, workload, "limit"), "postgres_cpu_s")
    rest = per_message(found, (entity, "unchanged", contender), "consumer_cpu_s", "broker_cpu_s")
    if postgres is None or rest is None or postgres + rest == 0:
        return None
    return postgres / (postgres + rest)


@dataclass(frozen=True)
class Floor:
    """A ratio of rates that is promised."""

    what: str
    one: Which
    other: Which
    least: float


def _of(workload: str, contender: str = "kopru", entity: str = "subscription") -> Which:
    return entity, workload, contender


FLOORS = [
    Floor("new, to COPY of the finished rows", _of("new"), _of("new", "limit"), 0.60),
    Floor("new, to the hand-written consumer", _of("new"), _of("new", "hand"), 5),
    Floor("churn, to the known row changes", _of("churn"), _of("churn", "limit"), 0.50),
    Floor("churn, to the hand-written consumer", _of("churn"), _of("churn", "hand"), 6),
    Floor("unchanged, to the broker alone", _of("unchanged"), _of("unchanged", "broker"), 0.25),
    Floor("hot key, to new", _of("hot key"), _of("new"), 1),
    Floor("poison 0.1 %, to new", _of("poison 0.1 %"), _of("new"), 0.4),
    Floor("grown, to churn on small tables", _of("grown"), _of("churn"), 0.5),
]


@dataclass(frozen=True)
class Verdict:
    """A promise and what was measured; figure and met are None if it was not measured."""

    what: str
    promise: str
    figure: Summary | None
    met: bool | None


def at_least(what: str, least: float, figure: Summary | None) -> Verdict:
    return Verdict(what, f"at least {least:g}", figure,
                   None if figure is None else figure.median >= least)


def at_most(what: str, most: float, figure: Summary | None) -> Verdict:
    return Verdict(what, f"at most {most:g}", figure,
                   None if figure is None else figure.median <= most)


def latency_ratio(latency: Sequence[Run], share: str) -> Summary | None:
    """How many times the floor's, repetition by repetition; share is "p50" or "p99"."""
    pairs = [entry["kopru"][share] / entry["floor"][share] for entry in latency]
    return summarize(pairs) if pairs else None


def verdicts(results: dict[str, Any]) -> list[Verdict]:
    found = [at_least(floor.what, floor.least, ratios(results["runs"], floor.one, floor.other))
             for floor in FLOORS]
    for share, most in (("p50", 2.0), ("p99", 3.0)):
        found.append(at_most(f"latency {share}, to the floor's", most,
                             latency_ratio(results["latency"], share)))
    peaks = {entry["messages"]: entry["peak_kb"] / 1024 for entry in results["memory"]}
    least, most_messages = min(peaks, default=0), max(peaks, default=0)
    found.append(at_most("peak memory while draining 1,000,000 messages, MB", 64,
                         summarize([peaks[most_messages]]) if peaks else None))
    found.append(at_most("that, to the peak for 100,000", 1.10,
                         summarize([peaks[most_messages] / peaks[least]]) if len(peaks) > 1
                         else None))
    return found
