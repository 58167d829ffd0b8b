"""The alternative a user has: a consumer as a competent integrator writes it by hand, with pika and
psycopg 3.

    python3 -m bench.handwritten AMQP_URI QUEUE CONNINFO ENTITY

Each message is one transaction and one prepared statement with multi-row parts, sent in one round
trip: the root is skipped when the same payload was applied last, child rows that do not differ are
not written, those that are gone are deleted. It knows what the benchmark's payloads hold and no
more. It writes "ready" when connected, consumes after a line on standard input, and ends with
SIGTERM.
"""

import hashlib
import json
import sys
from collections import Counter
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pika
import psycopg

_ZONE = ZoneInfo("Europe/Istanbul")
_PREFETCH = 200
_NUMERIC = {"float", "double", "decimal", "number", "integer", "long", "int"}

Row = dict[str, Any]

ROOTS = {
    "customer": ("customers", ("customer_id", "status", "name", "extra", "payload_hash")),
    "subscription": ("subscriptions", (
        "subscription_id", "agreement_type", "document_number", "name", "status",
        "completion_start", "completion_start_date",
        "completion_end", "completion_end_date", "extra", "payload_hash")),
}
# Of each child table its key below the root's, and its other columns, with their types.
CHILDREN = {
    "customer": [
        ("contact_mediums", {"position": "int"}, {
            "medium_type": "text", "preferred": "boolean", "contact_type": "text", "city": "text",
            "state_or_province": "text",
            "country": "text", "post_code": "text", "street1": "text", "street2": "text",
            "phone_number": "text",
            "fax_number": "text", "email_address": "text", "social_network_id": "text",
            "valid_from": "timestamptz",
            "valid_from_date": "date", "valid_to": "timestamptz", "valid_to_date": "date"}),
    ],
    "subscription": [
        ("subscription_characteristics", {"bag": "text", "name": "text", "occurrence": "int"}, {
            "value_type": "text", "value": "text", "value_numeric": "numeric", "value_date": "date",
            "value_timestamp": "timestamptz", "value_boolean": "boolean"}),
        ("engaged_parties", {"customer_id": "text", "occurrence": "int"}, {
            "name": "text", "role": "text", "referred_type": "text"}),
    ],
}


def _child_part(number: int, key: str, table: str, keys: Row, columns: Row) -> str:
    names = [*keys, *columns]
    fields = ", ".join(f"{name} {of}" for name, of in {**keys, **columns}.items())
    rows = f"json_to_recordset(%(children{number})s::json) AS i({fields})"
    return f"""put{number} AS (
    INSERT INTO kopru.{table} AS t ({key}, {", ".join(names)})
    SELECT root.{key}, {", ".join(f"i.{name}" for name in names)} FROM root, {rows}
    ON CONFLICT ({key}, {", ".join(keys)})
    DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in columns)}
    WHERE ({", ".join(f"t.{name}" for name in columns)})
    IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in columns)})
), gone{number} AS (
    DELETE FROM kopru.{table} AS t USING root WHERE t.{key} = root.{key}
    AND ({", ".join(f"t.{name}" for name in keys)})
    NOT IN (SELECT {", ".join(f"i.{name}" for name in keys)} FROM {rows})
)"""


def statement(entity: str) -> str:
    table, columns = ROOTS[entity]
    key, *others = columns
    parts = [_child_part(number, key, *child) for number, child in enumerate(CHILDREN[entity])]
    return f"""WITH root AS (
    INSERT INTO kopru.{table} AS t ({", ".join(columns)})
    VALUES ({", ".join(f"%({name})s" for name in columns)})
    ON CONFLICT ({key}) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in others)}, updated_at = now()
    WHERE t.payload_hash IS DISTINCT FROM excluded.payload_hash
    RETURNING {key}
), {", ".join(parts)}
SELECT count(*) FROM root"""


def instant(text: str | None) -> tuple[str | None, str | None]:
    """A timestamp, and its civil date in the ERP's zone."""
    if text is None:
        return None, None
    if len(text) == 10:
        moment = datetime.combine(date.fromisoformat(text), time(), _ZONE)
    else:
        moment = datetime.fromisoformat(text).astimezone(_ZONE)
    return moment.isoformat(), moment.date().isoformat()


def characteristic(bag: str, element: Row, occurrence: int) -> Row:
    value_type, value = element.get("valueType"), element.get("value")
    row = {"bag": bag, "name": element["name"], "occurrence": occurrence, "value_type": value_type,
           "value": value}
    kind = (value_type or "").lower()
    if kind in _NUMERIC:
        row["value_numeric"] = value
    elif kind == "date":
        row["value_date"] = instant(value)[1]
    elif kind in ("datetime", "timestamp"):
        row["value_timestamp"], row["value_date"] = instant(value)
    elif kind == "boolean":
        row["value_boolean"] = value
    return row


def rows_of_subscription(payload: Row) -> tuple[Row, list[list[Row]]]:
    term = payload.pop("completionDate", {})
    start, start_date = instant(term.get("startDateTime"))
    end, end_date = instant(term.get("endDateTime"))
    characteristics, parties = [], []
    for bag in ("characteristic", "properties"):
        seen: Counter[str] = Counter()
        for element in payload.pop(bag, []):
            seen[element["name"]] += 1
            characteristics.append(characteristic(bag, element, seen[element["name"]]))
    seen = Counter()
    for element in payload.pop("engagedParty", []):
        seen[element["id"]] += 1
        parties.append({"customer_id": element["id"], "occurrence": seen[element["id"]],
                        "name": element.get("name"),
                        "role": element.get("role"), "referred_type": element.get("@referredType")})
    root = {"subscription_id": payload.pop("id"),
            "agreement_type": payload.pop("agreementType", None),
            "document_number": payload.pop("documentNumber", None),
            "name": payload.pop("name", None),
            "status": payload.pop("status", None), "completion_start": start,
            "completion_start_date": start_date,
            "completion_end": end, "completion_end_date": end_date}
    return root, [characteristics, parties]


_MEDIUM = {"contactType": "contact_type", "city": "city", "stateOrProvince": "state_or_province",
           "country": "country",
           "postCode": "post_code", "street1": "street1", "street2": "street2",
           "phoneNumber": "phone_number",
           "faxNumber": "fax_number", "emailAddress": "email_address",
           "socialNetworkId": "social_network_id"}


def rows_of_customer(payload: Row) -> tuple[Row, list[list[Row]]]:
    media = []
    for position, element in enumerate(payload.pop("contactMedium", []), start=1):
        said = {**element, **element.get("characteristic", {})}
        valid = element.get("validFor", {})
        row = {column: said.get(name) for name, column in _MEDIUM.items()}
        row |= {"position": position, "medium_type": element.get("mediumType"),
                "preferred": element.get("preferred")}
        row["valid_from"], row["valid_from_date"] = instant(valid.get("startDateTime"))
        row["valid_to"], row["valid_to_date"] = instant(valid.get("endDateTime"))
        media.append(row)
    root = {"customer_id": payload.pop("id"), "status": payload.pop("status", None),
            "name": payload.pop("name", None)}
    return root, [media]


ROWS_OF = {"customer": rows_of_customer, "subscription": rows_of_subscription}


def payload_hash(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def parameters(entity: str, body: bytes) -> Row:
    payload = json.loads(body)
    root, children = ROWS_OF[entity](payload)
    root["extra"] = json.dumps(payload)  # what is left
    root["payload_hash"] = payload_hash(body)
    for number, rows in enumerate(children):
        root[f"children{number}"] = json.dumps(rows)
    return root


def main(uri: str, queue: str, conninfo: str, entity: str) -> None:
    command = statement(entity)
    with (psycopg.connect(conninfo, autocommit=True) as database,
          pika.BlockingConnection(pika.URLParameters(uri)) as connection):
        channel = connection.channel()
        channel.basic_qos(prefetch_count=_PREFETCH)
        cursor = database.cursor()

        def take(_channel: object, method: pika.spec.Basic.Deliver, _properties: object,
                 body: bytes) -> None:
            # autocommit: one statement, one transaction
            cursor.execute(command, parameters(entity, body), prepare=True)
            channel.basic_ack(method.delivery_tag)

        print("ready", flush=True)
        sys.stdin.readline()
        channel.basic_consume(queue, take)
        channel.start_consuming()


if __name__ == "__main__":
    main(*sys.argv[1:])
