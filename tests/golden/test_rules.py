"""Every rule has a golden case, every case a rule, and every property of a case is read."""

import hashlib
from collections import Counter
from typing import Any

import pytest
from golden.cases import ENTITIES, FOLDER, REASONS, Case, Number, all_cases, rules

pytestmark = pytest.mark.no_kopru

MINIMUM = 80

_SOURCES = {"body", "payload", "body_base64"}
_MESSAGE = _SOURCES | {"pad_to_bytes", "content_type", "timestamp"}
_SINGLE = {"rule", "about", "expect", "tables", "pad_to_bytes"} | _SOURCES
_SEQUENCE = {"rule", "about", "messages", "tables", "absent_clears", "order"}
_DEAD_LETTER = {"reason", "entity_id", "occurrences", "sqlstate", "content_type"}

each_case = pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)


def test_there_are_enough_cases() -> None:
    assert len(all_cases()) >= MINIMUM
    assert {case.entity_name for case in all_cases()} == set(ENTITIES)


def test_every_rule_has_a_case() -> None:
    assert rules()
    assert set(rules()) - {case.content["rule"] for case in all_cases()} == set()


def test_every_reason_has_a_case() -> None:
    expected = Counter(dead_letter["reason"] for case in all_cases()
                       for dead_letter in case.expected_tables()["dead_letters"])
    assert set(expected) == set(REASONS)


def test_every_column_is_filled_somewhere() -> None:
    filled = {(name, column) for case in all_cases()
              for name, rows in case.expected_tables().items()
              for row in rows for column, value in row.items() if value not in (None, {})}
    wanted = {(name, column) for entity in ENTITIES.values()
              for name, table in entity.tables.items()
              for column in table.all_columns}
    assert wanted - filled == set()


def test_no_file_lies_where_it_is_not_read() -> None:
    read = {case.path for case in all_cases()}
    assert {path for path in FOLDER.rglob("*") if path.suffix.lower().startswith(".json")} == read


def test_no_two_cases_share_an_id() -> None:
    """The database test puts all cases into one database and tells them apart by these."""
    owners = Counter((case.entity_name, root_id) for case in all_cases()
                     for root_id in case.root_ids())
    assert [owner for owner, count in owners.items() if count > 1] == []


def test_no_two_cases_share_a_body() -> None:
    """Dead letters are told apart by the hash of their body."""
    owners: dict[tuple[str, str], set[str]] = {}
    for case in all_cases():
        for message in case.messages():
            owners.setdefault((case.entity_name, hashlib.sha256(message.body).hexdigest()),
                              set()).add(case.name)
    assert [names for names in owners.values() if len(names) > 1] == []


@each_case
def test_case_is_well_formed(case: Case) -> None:
    content = case.content
    assert content["rule"] in rules()
    assert content["about"].strip()
    if case.is_single:
        assert set(content) <= _SINGLE
        _check_message({name: content[name] for name in set(content) & _MESSAGE})
        _check_expect(case, content["expect"])
    else:
        assert set(content) <= _SEQUENCE
        assert content["messages"] and "tables" in content
        for message in content["messages"]:
            _check_message(message)
    assert case.order in ("delivery", "timestamp")
    assert case.clears == ("*",) or "*" not in case.clears
    if "tables" in content:
        _check_tables(case, content["tables"])
    for message in case.messages():
        assert isinstance(message.body, bytes)


def _check_message(spec: dict[str, Any]) -> None:
    assert set(spec) <= _MESSAGE
    assert len(set(spec) & _SOURCES) == 1


def _check_expect(case: Case, expect: dict[str, Any]) -> None:
    if "dead_letter" in expect:
        assert set(expect) <= {"id", "dead_letter"}
        assert {"reason"} <= set(expect["dead_letter"]) <= {"reason", "path"}
        assert expect["dead_letter"]["reason"] in REASONS
        return
    assert set(expect) == {"id", "rows", "misfits", "broken"}
    assert isinstance(expect["misfits"], Number) and isinstance(expect["broken"], Number)
    (root,) = expect["rows"][case.entity.root]
    assert root[case.entity.root_key] == expect["id"]
    assert "extra" in root
    _check_tables(case, expect["rows"])


def _check_tables(case: Case, tables: dict[str, Any]) -> None:
    assert set(tables) <= set(case.entity.tables) | {"dead_letters"}
    full = case.expected_tables() if "tables" in case.content else {}
    for name, rows in tables.items():
        if name == "dead_letters":
            assert all({"reason", "occurrences"} <= set(row) <= _DEAD_LETTER for row in rows)
            assert all(row["reason"] in REASONS for row in rows)
            continue
        table = case.entity.tables[name]
        assert all(set(row) <= set(table.all_columns) for row in rows)
        # A child's first key column may be left out where there is one root.
        required = table.key if name == case.entity.root else table.key[1:]
        assert all(set(required) <= set(row) for row in rows)
        keys = [tuple(row[column] for column in table.key) for row in full.get(name, [])]
        assert len(set(keys)) == len(keys) and all(None not in key for key in keys)
