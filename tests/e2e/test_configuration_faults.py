"""Each setting missing, of each wrong type, huge, misspelled; files that everybody may read: `kopru
run` says where, and does not start.

The cases are made from the program's own table of options, so that a new option has its cases.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.daemon import run_kopru
from support.database import REPOSITORY

_CONFIGURATION = 78

_VALUES = {"INTEGER": ["7"], "TEXT": ['"x"'], "BOOL": ["true"], "LIST": ["( 1 )"],
           "GROUP": ["{ a = 1; }"], "DECIMAL": ["1.5"]}
_KIND = {"FILE": "TEXT", "CHOICE": "TEXT"}
_TAKES = {"DECIMAL": ("DECIMAL", "INTEGER")}
_BEYOND_64_BITS = ("beyond 64 bits", "minimum")
_LONG = '"' + "x" * 300_000 + '"'


@dataclass(frozen=True)
class Option:
    group: str
    key: str
    type: str
    required: bool

    @property
    def name(self) -> str:
        return f"{self.group}.{self.key}".lstrip(".")


def _options() -> list[Option]:
    text = (REPOSITORY / "src" / "config" / "option.c").read_text(encoding="utf-8")
    table = text.partition("const struct config_option OPTIONS[]")[2].partition("\n};")[0]
    rows = table.split("{ .group = ")[1:]
    options = []
    for row in rows:
        found = re.match(r'"(\w*)",\s*\.key = "(\w+)",\s*\.type = OPTION_(\w+)', row)
        assert found is not None, row
        options.append(Option(found[1], found[2], found[3], ".required = true" in row))
    return options


_OPTIONS = _options()


def _least(option: Option, value: str | None, spelled: str | None = None) -> dict[str,
                                                                                  dict[str, str]]:
    """The settings that must be there, and the one in question with that value; None leaves it out.
    """
    entities = REPOSITORY / "etc" / "entities"
    groups: dict[str, dict[str, str]] = {
        "": {"entity_files": f'[ "{entities}/customer.cfg" ]'},
        "amqp": {"uri": '"amqp://127.0.0.1:1"'},
        "postgres": {"conninfo": '"host=127.0.0.1 port=1 dbname=none"'},
        "queues": {"name": '"q"', "entity": '"customer"'},
    }
    group = groups.setdefault(option.group, {})
    if spelled is None:
        group.pop(option.key, None)
    if value is not None:
        group[spelled or option.key] = value
    return groups


def _write(path: Path, groups: dict[str, dict[str, str]]) -> dict[str, int]:
    """One setting a line; the line of each."""
    lines: list[str] = []
    at: dict[str, int] = {}
    for group, settings in groups.items():
        if group == "queues" and "queues" in groups[""]:
            continue  # given as a whole
        if group:
            lines.append(f"{group} = (" if group == "queues" else f"{group} =")
            lines.append("{")
            at[group] = len(lines)
        for key, value in settings.items():
            lines.append(f"{key} = {value};")
            at[f"{group}.{key}".lstrip(".")] = len(lines)
        if group:
            lines.append("} );" if group == "queues" else "};")
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return at


def _require_refused(path: Path, line: int | None, *said: str) -> None:
    done = run_kopru("run", "-c", str(path))
    text = done.stderr.decode(errors="replace")
    assert done.returncode == _CONFIGURATION, text[:2000]
    place = re.escape(f'"{path}') + (rf':{line}"' if line is not None else r'(:\d+)?"')
    assert re.search(place, text), text[:2000]
    for word in said:
        assert word in text, text[:2000]
    assert '"event":"started"' not in text
    assert len(text) < 20_000, "a huge value is repeated"


def _wrong(option: Option) -> Iterator[tuple[str, str]]:
    """(kind, value) of all that it cannot be."""
    kind = _KIND.get(option.type, option.type)
    for name, values in _VALUES.items():
        if name not in _TAKES.get(kind, (kind,)):
            for value in values:
                yield name.lower(), value
    if kind in ("INTEGER", "DECIMAL"):
        yield "huge", "9223372036854775807L"
        yield "beyond 64 bits", "99999999999999999999999999"
        yield "negative", "-1"
        yield "minimum", "-9223372036854775808L"
    if kind == "TEXT":
        yield "huge", _LONG
    yield "empty list", "( )"


# What a huge or empty value means there is not for the file to know: the servers say so.
_TAKEN = {("amqp.uri", "huge")}


@pytest.mark.parametrize("option", _OPTIONS, ids=lambda option: option.name)
def test_values_that_cannot_be(option: Option, tmp_path: Path) -> None:
    for kind, value in _wrong(option):
        if (option.name, kind) in _TAKEN:
            continue
        path = tmp_path / "kopru.cfg"
        at = _write(path, _least(option, value))
        if kind in _BEYOND_64_BITS:  # to libconfig
            _require_refused(path, at[option.name])
        # shown where the queue begins, and it names an entity, not the key
        elif (option.name, kind) == ("queues.entity", "huge"):
            _require_refused(path, at["queues"], "unknown entity")
        # libpq's to read, wherever it comes from
        elif (option.name, kind) == ("postgres.conninfo", "huge"):
            assert run_kopru("run", "-c", str(path)).returncode == _CONFIGURATION
        else:
            _require_refused(path, at[option.name], option.key)


@pytest.mark.parametrize("option", [option for option in _OPTIONS if option.required],
                         ids=lambda option: option.name)
def test_what_must_be_there(option: Option, tmp_path: Path) -> None:
    groups = _least(option, None)
    if option.name == "queues":
        del groups["queues"]
    _write(tmp_path / "kopru.cfg", groups)
    _require_refused(tmp_path / "kopru.cfg", None, option.key)


@pytest.mark.parametrize("option", _OPTIONS, ids=lambda option: option.name)
def test_misspelled_names(option: Option, tmp_path: Path) -> None:
    for spelled in (option.key + "x", option.key.upper(), "x" * 1000):
        groups = _least(option, "7", spelled)
        at = _write(tmp_path / "kopru.cfg", groups)
        _require_refused(tmp_path / "kopru.cfg", at[f"{option.group}.{spelled}".lstrip(".")],
                         "no setting of this name")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
@pytest.mark.parametrize("setting", ["uri", "conninfo", "password_file"])
def test_secrets_that_everybody_may_read(setting: str, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "kopru.cfg"
    secret = tmp_path / "secret"
    secret.write_text("geheim-geheim\n")
    option = next(option for option in _OPTIONS if option.key == setting)
    value = {"uri": '"amqp://kopru:geheim-geheim@127.0.0.1"',
             "conninfo": '"host=127.0.0.1 password=geheim-geheim"',
             "password_file": json.dumps(str(secret))}[setting]
    at = _write(path, _least(option, value))
    (secret if setting == "password_file" else path).chmod(mode)
    _require_refused(path, at[option.name], "everybody")
    assert b"geheim" not in run_kopru("run", "-c", str(path)).stderr


@pytest.mark.no_kopru
def test_the_table_was_read() -> None:
    assert len(_OPTIONS) > 25
    assert {option.type for option in _OPTIONS} <= {"TEXT", "FILE", "INTEGER", "DECIMAL", "BOOL",
                                                    "CHOICE", "LIST"}
