"""Prometheus text format 0.0.4, read strictly: what is not exactly right is an error."""

import re
import shutil
import subprocess

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="
                     r"\"(?:[^\"\\\n]|\\[\\\"n])*\",?)*)\})? (\S+)")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\n]|\\[\\\"n])*)\"")
_HELP = re.compile(rf"# HELP ({_NAME}) (\S.*)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge)")
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
# Units that promtool wants spelt out or in base form.
_BAD_UNITS = {"ms", "us", "ns", "sec", "secs", "milliseconds", "microseconds", "minutes", "hours",
              "kb", "mb", "kilobytes", "megabytes"}

# Of Debian's package prometheus, which is too large to be installed for this alone.
PROMTOOL = shutil.which("promtool")

Samples = dict[tuple[str, ...], float]


def _unescape(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES[found.group()], text)


def parse(text: str) -> Samples:
    """Samples by name and label values in the order they are written: ("kopru_dead_letters_total",
    "q", "not_json").

    Every family has HELP, then TYPE, then all its samples, once; names follow the conventions;
    nothing is given twice.
    """
    assert text.endswith("\n")
    samples: Samples = {}
    types: dict[str, str] = {}
    helped = None
    current = None
    for line in text.splitlines():
        if (found := _HELP.fullmatch(line)) is not None:
            helped, current = found[1], None
            assert helped not in types, f"{helped} comes twice"
        elif (found := _TYPE.fullmatch(line)) is not None:
            assert found[1] == helped, f"{found[1]} has no HELP just above"
            current = found[1]
            types[current] = found[2]
            is_counter = found[2] == "counter"
            assert is_counter == current.endswith("_total"), f"{current} is a {found[2]}"
            assert not _BAD_UNITS & set(current.split("_")), f"{current} is not in a base unit"
        else:
            found = _SAMPLE.fullmatch(line)
            assert found is not None, f"no sample: {line!r}"
            assert found[1] == current, f"{found[1]} stands below {current}"
            key = (found[1], *(_unescape(value) for _name, value in _LABEL.findall(found[2] or "")))
            assert key not in samples, f"{key} comes twice"
            samples[key] = float(found[3])
    return samples


def label_names(text: str) -> set[str]:
    return {name for line in text.splitlines() if not line.startswith("#")
            for name, _value in _LABEL.findall(line)}


def promtool_complaints(text: str) -> str:
    """What `promtool check metrics` says; "" if it has nothing to say."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True,
                          text=True, check=False, timeout=60)
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"status {done.returncode}")
