"""Random notifications, and what the tables shall hold after them, computed apart from kopru.

Every good payload carries its number at the end of its name, so that a row tells which message it
shows.
"""

import datetime
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from support.tables import DATA_TABLES, Row, said

ENTITIES = ("customer", "subscription")

Payload = dict[str, Any]
Rows = dict[str, dict[tuple, Row]]

_ZONE = ZoneInfo("Europe/Istanbul")
_UTC = datetime.timezone.utc
_CITIES = ("İSTANBUL(Anadolu)", "Iğdır", "Şırnak", "ÇANAKKALE", "Muğla", "'; --", "日本 🏙")
_NAMES = ("CAMPAIGN", "MONTAGE_DATE", "PANELNO", "STAGE", "TOTAL_PAST_DUE_INSTALMENT", "SALESEMP",
          "ADRES İ")


@dataclass(frozen=True)
class Message:
    """One message. reason: why kopru must refuse it; None if it must accept it, then with a
    payload.
    """

    entity: str
    entity_id: str | None
    body: bytes
    payload: Payload | None = None
    reason: str | None = None


class Payloads:
    """An endless variety of payloads about few entities, from a seeded generator."""

    def __init__(self, choice: random.Random, entities: int):
        self._choice = choice
        self._ids = {"customer": [f"M-{n}" for n in range(entities)],
                     "subscription": [f"{n}/Ş" for n in range(entities)]}

    def message(self, entity: str, number: int, entity_id: str | None = None,
                full: bool = False) -> Message:
        """A good message. full: it has every property that any message has."""
        entity_id = entity_id or self._choice.choice(self._ids[entity])
        properties = dict(self._customer() if entity == "customer" else self._subscription())
        if not full:
            for name in list(properties):
                fate = self._choice.random()
                if fate < 0.45:
                    del properties[name]
                elif fate < 0.55:
                    properties[name] = None
        payload = {"id": entity_id, "name": f"Güneş Ağaç {number}", **properties}
        return Message(entity, entity_id, json.dumps(payload, ensure_ascii=False).encode(), payload)

    def bad_message(self, entity: str, number: int) -> Message:
        """One that kopru must refuse; no two have the same body."""
        body, reason = self._choice.choice((
            (f'{{"id": "{number}", "name": ', "not_json"),
            (f'{{"name": "{number}"}}', "missing_id"),
            (f'{{"id": [{number}]}}', "invalid_id"),
            (f"[{number}]", "not_object"),
            (f'{{"id": "{number}", "name": "\\u0000"}}', "contains_nul"),
            (f'{{"id": "x{number}", '
             f'"{"contactMedium" if entity == "customer" else "engagedParty"}": 7}}',
             "invalid_structure"),
        ))
        return Message(entity, None, body.encode(), reason=reason)

    def _some(self, least: int, most: int, make: Any) -> list[Any]:
        return [make() for _ in range(self._choice.randint(least, most))]

    def _date(self) -> str:
        return str(datetime.date(2020, 1, 1)
                   + datetime.timedelta(days=self._choice.randrange(2000)))

    def _customer(self) -> Iterator[tuple[str, Any]]:
        yield "status", self._choice.choice(("Active", "Passive"))
        yield "segment", {"code": self._choice.randrange(5), "label": "çok özel"}
        yield "score", self._choice.randrange(100)
        yield "contactMedium", self._some(0, 4, self._medium)

    def _medium(self) -> Payload:
        return {
            "mediumType": self._choice.choice(("PHONE", "ADDRESS")),
            "preferred": self._choice.choice((True, False, None)),
            "characteristic": {"city": self._choice.choice(_CITIES), "country": "Türkiye",
                               "street1": "içerenköy",
                               "phoneNumber": f"05{self._choice.randrange(10**9):09}",
                               "floor": self._choice.randrange(3)},
            "validFor": {"startDateTime": self._date()},
        }

    def _subscription(self) -> Iterator[tuple[str, Any]]:
        yield "agreementType", self._choice.choice(("Kiralama", "Satış"))
        yield "documentNumber", f"BELGE-{self._choice.randrange(10**6)}"
        yield "status", self._choice.choice(("Active", "Suspended", "Terminated"))
        yield "channel", self._choice.choice(("web", "bayi"))
        yield "completionDate", {"startDateTime": self._date(), "endDateTime": self._date(),
                                 "zone": "x"}
        yield "characteristic", self._some(0, 12, self._triplet)
        yield "properties", self._some(0, 2, self._triplet)
        yield "engagedParty", self._some(0, 3, self._party)

    def _triplet(self) -> Payload:
        kind = self._choice.choice(("String", "Float", "Date", "DateTime", "Boolean"))
        value = {"String": self._choice.choice(_CITIES),
                 "Float": f"{self._choice.randrange(10**5) / 100:.2f}",
                 "Date": self._date(), "DateTime": f"{self._date()}T01:30:00+00:00",
                 "Boolean": self._choice.choice(("true", "false"))}[kind]
        return {"name": self._choice.choice(_NAMES), "valueType": kind, "value": value}

    def _party(self) -> Payload:
        return {"id": self._choice.choice(self._ids["customer"]),
                "role": self._choice.choice(("owner", "payer")), "@referredType": "Customer"}


class Expected:
    """Applies payloads one after another: absent keeps, null clears, present replaces."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Payload] = {}

    def apply(self, entity: str, payload: Payload) -> None:
        self._said.setdefault((entity, str(payload["id"])), {}).update(payload)

    def rows(self) -> Rows:
        """Of the five tables by key, as tables.said() shows them."""
        rows: Rows = {table: {} for table in DATA_TABLES}
        for (entity, _), payload in self._said.items():
            for table, row in _ROWS_OF[entity](payload):
                rows[table][tuple(row[column] for column in DATA_TABLES[table])] = said(row)
        return rows


def _without(payload: Payload, *names: str) -> Payload:
    return {name: value for name, value in payload.items() if name not in names
            and value is not None}


def _midnight(date: str | None) -> datetime.datetime | None:
    return None if date is None else datetime.datetime.combine(
        datetime.date.fromisoformat(date), datetime.time(), _ZONE).astimezone(_UTC)


def _day(date: str | None) -> datetime.date | None:
    return None if date is None else datetime.date.fromisoformat(date)


def _customer_rows(payload: Payload) -> Iterator[tuple[str, Row]]:
    key = payload["id"]
    yield "customers", {"customer_id": key, "status": payload.get("status"),
                        "name": payload["name"],
                        "extra": _without(payload, "id", "status", "name", "contactMedium")}
    for position, medium in enumerate(payload.get("contactMedium") or [], start=1):
        known = medium["characteristic"]
        begin = medium["validFor"]["startDateTime"]
        yield "contact_mediums", {
            "customer_id": key, "position": position, "medium_type": medium["mediumType"],
            "preferred": medium["preferred"],
            "city": known["city"], "country": known["country"], "street1": known["street1"],
            "phone_number": known["phoneNumber"], "valid_from": _midnight(begin),
            "valid_from_date": _day(begin), "extra": {"characteristic": {"floor": known["floor"]}}}


def _subscription_rows(payload: Payload) -> Iterator[tuple[str, Row]]:
    key = payload["id"]
    completion = payload.get("completionDate") or {}
    extra = _without(payload, "id", "agreementType", "documentNumber", "name", "status",
                     "completionDate", "characteristic", "properties", "engagedParty")
    if completion:
        extra["completionDate"] = {"zone": completion["zone"]}
    begin, end = completion.get("startDateTime"), completion.get("endDateTime")
    yield "subscriptions", {
        "subscription_id": key, "agreement_type": payload.get("agreementType"),
        "document_number": payload.get("documentNumber"), "name": payload["name"],
        "status": payload.get("status"),
        "completion_start": _midnight(begin), "completion_end": _midnight(end),
        "completion_start_date": _day(begin), "completion_end_date": _day(end), "extra": extra}
    for bag in ("characteristic", "properties"):
        triplets = payload.get(bag) or []
        for occurrence, triplet in _numbered(triplets, "name"):
            yield "subscription_characteristics", {
                "subscription_id": key, "bag": bag, "name": triplet["name"],
                "occurrence": occurrence,
                "value_type": triplet["valueType"], "value": triplet["value"], **_typed(triplet)}
    for occurrence, party in _numbered(payload.get("engagedParty") or [], "id"):
        yield "engaged_parties", {"subscription_id": key, "customer_id": party["id"],
                                  "occurrence": occurrence,
                                  "role": party["role"], "referred_type": party["@referredType"]}


def _numbered(elements: list[Payload], name: str) -> Iterator[tuple[int, Payload]]:
    seen: dict[str, int] = {}
    for element in elements:
        seen[element[name]] = seen.get(element[name], 0) + 1
        yield seen[element[name]], element


def _typed(triplet: Payload) -> Row:
    value = triplet["value"]
    match triplet["valueType"]:
        case "Float":
            return {"value_numeric": Decimal(value)}
        case "Date":
            return {"value_date": _day(value)}
        case "DateTime":
            instant = datetime.datetime.fromisoformat(value)
            return {"value_timestamp": instant.astimezone(_UTC),
                    "value_date": instant.astimezone(_ZONE).date()}
        case "Boolean":
            return {"value_boolean": value == "true"}
    return {}


_ROWS_OF = {"customer": _customer_rows, "subscription": _subscription_rows}
