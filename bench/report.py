"""The results as people read them: Markdown tables, and charts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import chart, figures
from bench.figures import Summary, Verdict

_WHY_NOT_MET = (
    "A floor that is not met is open work. The measured reason: a limit has the processors for "
    "itself, kopru shares them with the broker. So the",
    "ratio is at most what follows, if PostgreSQL did the limit's work and no more for it: nothing "
    "to be found, locked, read and compared.")
_BEGIN, _END = "<!-- results: written by ./dev bench --record -->\n", "<!-- end of results -->\n"
_NAMES = {"kopru": "kopru", "limit": "limit", "broker": "broker alone", "hand": "hand-written"}

Results = dict[str, Any]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    align = ["---"] + ["---:"] * (len(head) - 1)
    return [f"| {' | '.join(cells)} |" for cells in [head, align, *rows]] + [""]


def _rate(summary: Summary | None) -> str:
    if summary is None:
        return ""
    return f"**{summary.median:,.0f}** ({summary.least:,.0f} to {summary.most:,.0f})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _figure(summary: Summary | None) -> str:
    if summary is None:
        return "not measured"
    text = f"**{_number(summary.median)}**"
    if summary.count == 1:
        return text
    return f"{text} ({_number(summary.least)} to {_number(summary.most)})"


def _measured(results: Results) -> list[tuple[str, str]]:
    """(entity, workload) in the order they were measured."""
    return list(dict.fromkeys((run["entity"], run["workload"]) for run in sorted(
        results["runs"], key=lambda run: (run["repetition"], run["entity"] != "subscription"))))


def _verdict(verdict: Verdict) -> list[str]:
    said = {None: "", True: "met", False: "**not met**"}[verdict.met]
    return [verdict.what, verdict.promise, _figure(verdict.figure), said]


def promises(results: Results) -> list[str]:
    return _table(["promise", "bound", "measured: median (least to most)", ""],
                  list(map(_verdict, figures.verdicts(results))))


def ceilings(results: Results) -> list[str]:
    rows = []
    for workload, limit in (("new", "COPY of the finished rows"),
                            ("churn", "the known row changes")):
        most = [figures.ceiling(results["runs"], "subscription", workload, contender)
                for contender in ("broker", "kopru")]
        if None not in most:
            rows.append([f"{workload}, to {limit}", *(f"{share:.2f}" for share in most)])
    if not rows:
        return []
    return [*_WHY_NOT_MET, "", *_table(["the ratio, at most", "with the broker alone beside it",
                                        "with the broker, and kopru as for unchanged messages"],
                                       rows)]


def throughput(results: Results) -> list[str]:
    rows = []
    for entity, workload in _measured(results):
        rows.append([f"{entity}: {workload}",
                     *(_rate(figures.rates(results["runs"], (entity, workload, contender)))
                       for contender in _NAMES)])
    return _table(["messages a second", *_NAMES.values()], rows)


def work(results: Results) -> list[str]:
    rows = []
    runs = results["runs"]
    for entity, workload in _measured(results):
        for contender in ("kopru", "limit", "hand"):
            which = (entity, workload, contender)
            wal = figures.per_message(runs, which, "wal_bytes")
            if wal is None:
                continue
            updated = figures.per_message(runs, which, "updated") or 0
            hot = figures.per_message(runs, which, "hot_updated") or 0
            written = figures.per_message(runs, which, "inserted", "updated", "deleted")
            rows.append([f"{entity}: {workload}", _NAMES[contender], f"{written:.2f}",
                         f"{figures.per_message(runs, which, 'updated', 'deleted'):.2f}",
                         f"{hot / updated:.0%}" if updated else "", f"{wal:,.0f}"])
    return _table(["each message", "", "rows written", "dead tuples", "of updates HOT",
                   "WAL bytes"], rows)


def processor(results: Results) -> list[str]:
    rows = []
    for entity, workload in _measured(results):
        for contender, name in _NAMES.items():
            spent = [figures.per_message(results["runs"], (entity, workload, contender),
                                         f"{part}_cpu_s")
                     for part in ("consumer", "postgres", "broker")]
            if None not in spent:
                ours = "" if contender == "limit" else f"{spent[0] * 1e6:,.0f}"
                rows.append([f"{entity}: {workload}", name, ours,
                             *(f"{part * 1e6:,.0f}" for part in spent[1:]),
                             f"{sum(spent if ours else spent[1:]) * 1e6:,.0f}"])
    return _table(["microseconds of processor time a message", "", "consumer", "PostgreSQL",
                   "broker", "sum"], rows)


def _latency(results: Results) -> list[str]:
    rows = []
    for name in ("kopru", "floor"):
        cells = [_figure(figures.summarize(entry[name][share] for entry in results["latency"]))
                 for share in ("p50", "p99", "most")]
        rows.append([{"kopru": "kopru", "floor": "the floor"}[name], *cells])
    return _table(["publish to row visible, ms", "p50", "p99", "longest"], rows)


def _memory(results: Results) -> list[str]:
    if not results["memory"]:
        return []
    return _table(["churn messages drained", "peak RSS", "seconds"],
                  [[f"{entry['messages']:,}", f"{entry['peak_kb'] / 1024:.1f} MB",
                    f"{entry['seconds']:.1f}"]
                   for entry in results["memory"]])


def _conditions(results: Results) -> list[str]:
    size = results["size"]
    rows = [[name, str(value)] for name, value in results["machine"].items()]
    rows += [["load after", str(results["load_after"])], ["measured at", results["at"]],
             ["this run", f"{results['kind']}, {results['minutes']} minutes"],
             ["messages of each workload",
              f"{size['messages']:,}; hand-written {size['by_hand']:,}; "
              f"{size['repetitions']} repetitions"],
             ["connections of the hand-written",
              ", ".join(f"{name} {count}" for name, count in results["hand_connections"].items())],
             ["PostgreSQL's settings",
              ", ".join(f"{name} {value}" for name, value in results["postgres_settings"].items())]]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]


def tables(results: Results) -> str:
    trials = [[f"{trial['entity']}: {trial['workload']}",
               *(f"{rate:,}" for rate in trial["rates"].values())]
              for trial in results["trials"]]
    parts = [
        "### Promises", "", *promises(results), *ceilings(results),
        "### Throughput", "", *throughput(results),
        "### Work for the database", "", *work(results),
        "### Processor time", "", *processor(results),
        "### Latency", "", *_latency(results),
        *(["### Memory", "", *_memory(results)] if results["memory"] else []),
        "### The hand-written consumer by connections", "",
        *_table(["messages a second, in a short trial", *results["trials"][0]["rates"]], trials),
        "### Conditions", "", *_conditions(results),
    ]
    return "\n".join(parts)


def charts(results: Results) -> dict[str, str]:
    groups = []
    for entity, workload in _measured(results):
        bars = []
        for contender, name in _NAMES.items():
            summary = figures.rates(results["runs"], (entity, workload, contender))
            if summary is not None:
                bars.append((name, summary.median, summary.least, summary.most))
        groups.append((workload if entity == "subscription" else f"{workload}, {entity}", bars))
    found = {"throughput.svg": chart.bars("Messages a second, end to end", groups)}
    for by, below in (("writers", "writers of the queue"), ("batch", "batch.max_messages")):
        points = [entry for entry in results["sweeps"] if entry["by"] == by]
        if points:
            found[f"{by}.svg"] = chart.lines(f"Messages a second by {below}", below, [
                (workload, [(entry["value"], entry["rate"]) for entry in points
                            if entry["workload"] == workload])
                for workload in dict.fromkeys(entry["workload"] for entry in points)])
    return found


def write(results: Results, directory: Path) -> None:
    """results.json, table.md and the charts."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (directory / "table.md").write_text(tables(results), encoding="utf-8")
    for name, text in charts(results).items():
        (directory / name).write_text(text, encoding="utf-8")


def insert(document: str, text: str) -> str:
    """The document with text between its two marks."""
    before, begun, rest = document.partition(_BEGIN)
    _, ended, after = rest.partition(_END)
    if not begun or not ended:
        raise ValueError("the document has no marks for the results")
    return before + begun + "\n" + text.strip() + "\n\n" + ended + after


def record(results: Results, docs: Path) -> None:
    write(results, docs / "performance")
    (docs / "performance" / "table.md").unlink()  # stands in the document
    images = "\n\n".join(f"![{name.removesuffix('.svg')}](performance/{name})"
                         for name in charts(results))
    path = docs / "performance.md"
    path.write_text(insert(path.read_text(encoding="utf-8"), f"{images}\n\n{tables(results)}"),
                    encoding="utf-8")
