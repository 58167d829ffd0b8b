"""Reads the golden cases; README.md describes their format. Nothing here writes a case."""

import base64
import json
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent

# The limits that the cases count on: max_message_bytes is small, so that a case can exceed it.
MAX_MESSAGE_BYTES = 65536
SETTINGS = {"limits": {"max_message_bytes": MAX_MESSAGE_BYTES}}

REASONS = ("too_large", "invalid_unicode", "not_json", "too_deep", "contains_nul", "not_object",
           "missing_id", "invalid_id", "invalid_structure", "rejected_by_database")


@dataclass(frozen=True)
class Table:
    """A table of the cases: its key, which begins with the root's key, and its other columns."""

    key: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def all_columns(self) -> tuple[str, ...]:
        return self.key + self.columns


@dataclass(frozen=True)
class Entity:
    root: str
    tables: dict[str, Table]

    @property
    def root_key(self) -> str:
        return self.tables[self.root].key[0]


ENTITIES = {
    "customer": Entity("customers", {
        "customers": Table(("customer_id",), ("status", "name", "extra", "source_time")),
        "contact_mediums": Table(("customer_id", "position"), (
            "medium_type", "preferred", "contact_type", "city", "state_or_province", "country",
            "post_code", "street1",
            "street2", "phone_number", "fax_number", "email_address", "social_network_id",
            "valid_from", "valid_to", "valid_from_date", "valid_to_date", "extra")),
    }),
    "subscription": Entity("subscriptions", {
        "subscriptions": Table(("subscription_id",), (
            "agreement_type", "document_number", "name", "status", "completion_start",
            "completion_end",
            "completion_start_date", "completion_end_date", "extra", "source_time")),
        "subscription_characteristics": Table(("subscription_id", "bag", "name", "occurrence"), (
            "value_type", "value", "value_numeric", "value_date", "value_timestamp",
            "value_boolean", "extra")),
        "engaged_parties": Table(("subscription_id", "customer_id", "occurrence"), (
            "name", "role", "referred_type", "extra")),
    }),
}


@dataclass(frozen=True)
class Number:
    """A JSON number as jsonb understands it: value and trailing zeros count, spelling does not."""

    digits: str
    spelling: str = field(compare=False, repr=False)

    @classmethod
    def parse(cls, spelling: str) -> "Number":
        value = Decimal(spelling)
        if value == 0:  # jsonb knows no minus zero
            value = value.copy_abs() if value.as_tuple().exponent < 0 else Decimal(0)
        return cls(format(value, "f"), spelling)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(f"a name stands twice in one object: {[name for name, _ in pairs]}")
    return result


def parse(text: str) -> Any:
    """JSON with exact numbers; a name that stands twice in one object is an error."""
    return json.loads(text, parse_int=Number.parse, parse_float=Number.parse,
                      object_pairs_hook=_object)


def spell(value: Any) -> str:
    """JSON text of what parse() returned, numbers as they were spelled."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{spell(name)}:{spell(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    if isinstance(value, Number):
        return value.spelling
    return json.dumps(value, ensure_ascii=False)


def _body(spec: dict[str, Any]) -> bytes:
    if "body_base64" in spec:
        body = base64.b64decode(spec["body_base64"], validate=True)
    elif "body" in spec:
        text = spec["body"]
        body = (text if isinstance(text, str) else "\n".join(text)).encode()
    else:
        body = spell(spec["payload"]).encode()
    if "pad_to_bytes" in spec:
        body = body.ljust(int(spec["pad_to_bytes"].spelling))
    return body


@dataclass(frozen=True)
class Message:
    body: bytes
    properties: dict[str, Any]


class Case:
    """One file. Its tables are what is expected in the end, every column spelled out."""

    def __init__(self, path: Path):
        self.path = path
        self.entity_name = path.parent.name
        self.name = f"{self.entity_name}/{path.stem}"
        self.content: dict[str, Any] = parse(path.read_text(encoding="utf-8"))

    @property
    def entity(self) -> Entity:
        return ENTITIES[self.entity_name]

    @property
    def is_single(self) -> bool:
        return "messages" not in self.content

    @property
    def order(self) -> str:
        return self.content.get("order", "delivery")

    @property
    def clears(self) -> tuple[str, ...]:
        """What the entity file clears if a message omits it: ("*",) or names of properties."""
        return tuple(self.content.get("absent_clears", ()))

    def messages(self) -> list[Message]:
        specs = [self.content] if self.is_single else self.content["messages"]
        result = []
        for spec in specs:
            properties: dict[str, Any] = {"content_type": spec.get("content_type",
                                                                   "application/json")}
            if "timestamp" in spec:
                properties["timestamp"] = int(spec["timestamp"].spelling)
            result.append(Message(_body(spec), properties))
        return result

    def expected_output(self) -> dict[str, Any]:
        """What kopru map prints for a single message; of a dead letter only what the case names."""
        expect = self.content["expect"]
        if "dead_letter" in expect:
            return expect
        rows = {table: self._child_rows(table, rows) if table != self.entity.root else rows
                for table, rows in expect["rows"].items()}
        return {**expect, "entity": self.entity_name, "rows": rows}

    def expected_tables(self) -> dict[str, list[dict[str, Any]]]:
        """Every table of the entity with all columns; dead letters with the columns that the case
        names.
        """
        tables = self.content.get("tables")
        if tables is None:
            expect = self.content["expect"]
            if "dead_letter" in expect:
                tables = {"dead_letters": [self._dead_letter(expect)]}
            else:
                tables = expect["rows"]
        result = {"dead_letters": tables.get("dead_letters", [])}
        for name, table in self.entity.tables.items():
            rows = tables.get(name, [])
            if name == self.entity.root:
                result[name] = [_full(table, row) for row in rows]
            else:
                result[name] = self._child_rows(name, rows)
        return result

    def root_ids(self) -> set[str]:
        """The ids that belong to this case and to no other."""
        ids = {row[self.entity.root_key] for row in self._root_rows()}
        ids |= {dead_letter.get("entity_id")
                for dead_letter in self.content.get("tables", {}).get("dead_letters", [])}
        ids.add(self.content.get("expect", {}).get("id"))
        return ids - {None}

    def _root_rows(self) -> list[dict[str, Any]]:
        tables = self.content.get("tables") or self.content.get("expect", {}).get("rows", {})
        return tables.get(self.entity.root, [])

    def _child_rows(self, name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        table = self.entity.tables[name]
        roots = self._root_rows()
        owner = {table.key[0]: roots[0][self.entity.root_key]} if len(roots) == 1 else {}
        return in_key_order(table, [_full(table, {**owner, **row}) for row in rows])

    @staticmethod
    def _dead_letter(expect: dict[str, Any]) -> dict[str, Any]:
        dead_letter = {"reason": expect["dead_letter"]["reason"], "occurrences": Number.parse("1")}
        return {**dead_letter, "entity_id": expect["id"]} if "id" in expect else dead_letter


def _full(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row with every column: null, or {} for extra, where the case names none."""
    return {**dict.fromkeys(table.all_columns), "extra": {}, **row}


def in_key_order(table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [str(row.get(column)) for column in table.key])


@cache
def all_cases() -> tuple[Case, ...]:
    return tuple(Case(path) for path in sorted(FOLDER.glob("*/*.json")))


@cache
def rules() -> dict[str, str]:
    """Rule ids and their sentences, of rules.txt."""
    result: dict[str, str] = {}
    for line in (FOLDER / "rules.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            rule, separator, sentence = line.partition(": ")
            if not separator or rule in result:
                raise ValueError(f"rules.txt: no new rule in {line!r}")
            result[rule] = sentence
    return result
