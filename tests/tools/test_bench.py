"""What the bench publishes, how it sums up and what it draws. Nothing is measured here."""

import json
import re
import struct
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest
from support.database import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from bench import chart, figures, instructions, limits, report, workloads  # noqa: E402

pytestmark = pytest.mark.no_kopru


def run(workload: str, contender: str, repetition: int, seconds: float,
        **more: object) -> figures.Run:
    return {"entity": "subscription", "workload": workload, "contender": contender,
            "repetition": repetition, "messages": 1000, "seconds": seconds, **more}


NEW, LIMIT = ("subscription", "new", "kopru"), ("subscription", "new", "limit")


# figures

def test_a_summary_is_median_and_extremes():
    assert figures.summarize([3, 1, 2]) == figures.Summary(2, 1, 3, 3)
    assert figures.summarize([4, 1]) == figures.Summary(2.5, 1, 4, 2)
    with pytest.raises(ValueError, match="nothing"):
        figures.summarize([])


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: int):
    assert figures.percentile([*range(100, 0, -1)], share) == expected


def test_a_percentile_of_few_values_is_their_largest():
    assert figures.percentile([1, 5, 2], 0.99) == 5
    for values, share in (([], 0.5), ([1], 0), ([1], 1.5)):
        with pytest.raises(ValueError):
            figures.percentile(values, share)


def test_a_ratio_is_taken_within_each_repetition():
    """The machine slowed down tenfold in the second repetition: the ratio does not see it."""
    runs = [run("new", "kopru", 0, 1), run("new", "limit", 0, 0.5), run("new", "kopru", 1, 10),
            run("new", "limit", 1, 5), run("new", "kopru", 2, 1)]
    assert figures.ratios(runs, NEW, LIMIT) == figures.Summary(0.5, 0.5, 0.5, 2)
    assert figures.rates(runs, NEW) == figures.Summary(1000, 100, 1000, 3)
    assert figures.ratios(runs, NEW, ("subscription", "new", "hand")) is None


def test_work_is_counted_for_each_message():
    runs = [run("new", "kopru", 0, 1, updated=1500, deleted=500),
            run("new", "kopru", 1, 1, updated=2500, deleted=500), run("new", "limit", 0, 1)]
    assert figures.per_message(runs, NEW, "updated", "deleted") == 2.5
    assert figures.per_message(runs, LIMIT, "updated") is None


def test_the_ceiling_is_the_limit_with_the_rest_at_work():
    runs = [run("churn", "limit", 0, 1, postgres_cpu_s=0.02),
            run("unchanged", "broker", 0, 1, consumer_cpu_s=0.005, broker_cpu_s=0.015),
            run("unchanged", "kopru", 0, 1, consumer_cpu_s=0.04, postgres_cpu_s=1,
                broker_cpu_s=0.02)]
    assert figures.ceiling(runs, "subscription", "churn", "broker") == pytest.approx(0.5)
    assert figures.ceiling(runs, "subscription", "churn", "kopru") == pytest.approx(0.25)
    assert figures.ceiling(runs, "subscription", "new", "broker") is None


def results(**changes: object) -> dict:
    return {"runs": [], "latency": [], "memory": [], **changes}


def verdict(of: dict, what: str) -> figures.Verdict:
    (found,) = [each for each in figures.verdicts(of) if each.what == what]
    return found


@pytest.mark.parametrize(("seconds", "met"), [(0.61, True), (0.60, True), (0.59, False)])
def test_a_floor_is_met_by_the_median(seconds: float, met: bool):
    of = results(runs=[run("new", "kopru", 0, 1), run("new", "limit", 0, seconds)])
    assert verdict(of, "new, to COPY of the finished rows").met is met


def test_a_floor_that_was_not_measured_is_neither_met_nor_missed():
    for found in figures.verdicts(results()):
        assert (found.figure, found.met) == (None, None)


def test_latency_is_held_against_the_floor_of_the_same_repetition():
    of = results(latency=[{"kopru": {"p50": 3, "p99": 40}, "floor": {"p50": 2, "p99": 10}},
                          {"kopru": {"p50": 30, "p99": 40}, "floor": {"p50": 20, "p99": 10}}])
    assert verdict(of, "latency p50, to the floor's").figure.median == 1.5
    assert verdict(of, "latency p99, to the floor's").met is False


def test_memory_is_that_of_the_longest_run():
    of = results(memory=[{"messages": 100_000, "peak_kb": 40 * 1024},
                         {"messages": 1_000_000, "peak_kb": 45 * 1024}])
    peak = verdict(of, "peak memory while draining 1,000,000 messages, MB")
    growth = verdict(of, "that, to the peak for 100,000")
    assert (peak.figure.median, peak.met) == (45, True)
    assert (growth.figure.median, growth.met) == (1.125, False)


# workloads

def payloads(name: str, entity: str, count: int) -> list[dict]:
    (workload,) = [each for each in workloads.all_workloads()
                   if (each.name, each.entity) == (name, entity)]
    return [json.loads(body) for body in workload.bodies(count)]


def test_churn_differs_from_what_rests_in_two_characteristics():
    resting = {payload["id"]: payload for payload in payloads("unchanged", "subscription", 300)}
    assert len(resting) == 300
    for payload in payloads("churn", "subscription", 300):
        pairs = zip(payload.pop("characteristic"), resting[payload["id"]].pop("characteristic"),
                    strict=True)
        assert sum(one != other for one, other in pairs) == 2
        assert payload == resting[payload["id"]]


def test_updates_come_in_no_order():
    ids = [payload["id"] for payload in payloads("churn", "customer", 300)]
    assert ids != sorted(ids)
    assert sorted(ids) == [payload["id"] for payload in payloads("new", "customer", 300)]


def test_the_mix_is_what_it_says():
    (workload,) = [each for each in workloads.all_workloads()
                   if (each.name, each.entity) == ("mixed", "customer")]
    rest, churned = (set(workloads.updates("customer", version)(5000)) for version in (0, 1))
    counts = {"churn": 0, "unchanged": 0, "new": 0, "broken": 0}
    for body in workload.bodies(5000):
        kind = "new" if body.endswith(b"}") else ""
        kind = "churn" if body in churned else "unchanged" if body in rest else kind
        try:
            json.loads(body)
        except ValueError:
            kind = "broken"
        counts[kind] += 1
    assert sum(counts.values()) == 5000
    for kind, share in (("churn", 0.7), ("unchanged", 0.2), ("new", 0.099)):
        assert abs(counts[kind] / 5000 - share) < 0.03, counts
    assert 1 <= counts["broken"] <= 20


@pytest.mark.parametrize(("name", "refused"), [("poison 0.1 %", 3), ("poison 1 %", 30)])
def test_the_share_of_poison_is_exact(name: str, refused: int):
    documents = [payload["documentNumber"] for payload in payloads(name, "subscription", 3000)]
    assert documents.count(workloads.REFUSED_DOCUMENT) == refused


def test_wide_is_wide():
    for payload in payloads("wide", "subscription", 20):
        names = [(element["name"], number)
                 for number, element in enumerate(payload["characteristic"])]
        assert len(names) == workloads.WIDE_CHARACTERISTICS


def test_the_hot_key_alternates():
    first, second, third = payloads("hot key", "subscription", 3)
    assert first["id"] == second["id"] and first != second and first == third


def test_bodies_come_back_from_their_file(tmp_path: Path):
    bodies = [b"{}", b"", "ğ".encode() * 300]
    assert workloads.write_bodies(tmp_path / "bodies", iter(bodies)) == 3
    assert list(workloads.read_bodies(tmp_path / "bodies")) == bodies


def test_a_binary_array_is_laid_out_as_postgresql_reads_it():
    data = limits._binary_array(25, ["é", None])
    assert data == struct.pack("!iiIiii", 1, 1, 25, 2, 1, 2) + "é".encode() + struct.pack("!i", -1)


# report

@pytest.mark.parametrize(("most", "expected"), [
    (19, [0, 5, 10, 15, 20]), (20, [0, 5, 10, 15, 20]),
    (31_000, [0, 10_000, 20_000, 30_000, 40_000]), (0.4, [0, 0.1, 0.2, 0.3, 0.4]),
])
def test_ticks_are_round_and_reach_the_top(most: float, expected: list[float]):
    assert chart.ticks(most) == pytest.approx(expected)


def test_charts_are_well_formed():
    bars = chart.bars("a < b", [("new", [("kopru", 10, 8, 12), ("limit", 20, 20, 20)])])
    lines = chart.lines("a & b", "writers", [("new", [(1, 5.0), (2, 8.0)])])
    for text in (bars, lines):
        root = xml.etree.ElementTree.fromstring(text)
        assert root.tag.endswith("svg")
    widths = [float(width) for width in re.findall(r'<rect x="150" y="[\d.]+" width="([\d.]+)" '
                                                   r'height="12" fill="#', bars)]
    assert max(widths) == pytest.approx(2 * min(width for width in widths if width > 12))


def test_results_replace_only_what_stands_between_the_marks():
    document = f"before\n{report._BEGIN}old\n{report._END}after\n"
    once = report.insert(document, "new")
    assert once == f"before\n{report._BEGIN}\nnew\n\n{report._END}after\n"
    assert report.insert(once, "new") == once
    with pytest.raises(ValueError, match="no marks"):
        report.insert("nothing", "new")


# instructions

def test_growth_of_instructions_is_told():
    recorded = {"a": 1000, "b": 1000, "gone": 1}
    assert instructions.compare({"a": 1100, "b": 900, "gone": 1}, recorded) == []
    assert instructions.compare({"a": 1101, "b": 1000, "fresh": 1}, recorded) == [
        "fresh: nothing is recorded", "gone: recorded, but not counted",
        "a: 1,101 instructions a message, 1,000 are recorded: 1.10 times"]


def test_each_counted_workload_is_recorded():
    recorded = json.loads(instructions.RECORD.read_text(encoding="utf-8"))
    assert list(recorded) == [f"{each.entity}: {each.name}" for each in workloads.all_workloads()
                              if (each.entity, each.name) in instructions.COUNTED]
    assert min(recorded.values()) > 10_000
