"""Hostile payloads, each alone, twice, and among good messages: what becomes of them is what the
contract says, byte for byte.

Three runs over one list: with transactions of one message; the same messages once more; and in
batches, each between two good messages.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.daemon import Kopru, default_settings, merged
from support.database import REPOSITORY, Database, create_installed
from support.hostile_payloads import SITE_RULE, Hostile, all_payloads
from support.rabbitmq import RabbitMQ
from support.tables import DATA_TABLES, Row, read_dead_letters, read_said, read_table, row_versions

_QUEUES = {"hostile-customer": "customer", "hostile-subscription": "subscription"}
_QUEUE_OF = {entity: queue for queue, entity in _QUEUES.items()}
_ROOTS = {"customer": "customers", "subscription": "subscriptions"}
_PAYLOADS = all_payloads()
_EMPTY_DEADLINE_S = 120


@dataclass
class Outcome:
    tables: dict[str, dict[str, list[Row]]]  # by table and root
    dead_letters: dict[tuple[str, bytes], Row]
    versions: dict[tuple, str]
    source_times: dict[str, object]


def _fetch(db: Database) -> Outcome:
    tables: dict[str, dict[str, list[Row]]] = {}
    for table, rows in read_said(db).items():
        of_roots = tables.setdefault(table, {})
        for key, row in rows.items():
            of_roots.setdefault(key[0], []).append(row)
    dead_letters = {(row["queue"], row["body"]): row for row in read_dead_letters(db)}
    assert len(dead_letters) == db.value("SELECT count(*) FROM kopru.dead_letters")
    times = {row["customer_id"]: row["source_time"]
             for row in read_table(db, "customers", "customer_id, source_time")}
    return Outcome(tables, dead_letters, row_versions(db), times)


def _neighbour(number: int) -> bytes:
    return json.dumps({"id": f"neighbour-{number}", "name": f"good {number}"}).encode()


def _publish(broker: RabbitMQ, among_good: bool) -> None:
    for queue, entity in _QUEUES.items():
        messages: list[tuple[bytes, dict[str, object]]] = []
        for number, payload in enumerate(_PAYLOADS):
            if payload.entity != entity:
                continue
            if among_good:
                messages.append((_neighbour(number), {}))
            messages.append((payload.body, payload.properties))
        if among_good:
            messages.append((_neighbour(len(_PAYLOADS)), {}))
        broker.publish_many(queue, messages)


def _work_off(broker: RabbitMQ, daemon: Kopru) -> None:
    for queue in _QUEUES:
        daemon.wait_until(lambda queue=queue: broker.depth(queue).is_empty, _EMPTY_DEADLINE_S,
                          f"queue {queue} to be empty")


@pytest.fixture(scope="module")
def outcomes(rabbitmq_server, postgres_server) -> Iterator[dict[str, Outcome]]:
    db = create_installed(postgres_server)
    db.query(SITE_RULE)
    for queue in _QUEUES:
        rabbitmq_server.declare_queue(queue)
    settings = default_settings(rabbitmq_server.uri, db.daemon_dsn, _QUEUES)
    found = {}
    daemon = Kopru(merged(settings, {"batch": {"max_messages": 1}}))
    try:
        _publish(rabbitmq_server, among_good=False)
        daemon.start()
        _work_off(rabbitmq_server, daemon)
        found["alone"] = _fetch(db)
        _publish(rabbitmq_server, among_good=False)
        _work_off(rabbitmq_server, daemon)
        found["twice"] = _fetch(db)
        assert daemon.terminate() == 0
        daemon.release()

        db.query("TRUNCATE kopru.customers, kopru.subscriptions, kopru.dead_letters CASCADE")
        _publish(rabbitmq_server, among_good=True)
        daemon = Kopru(settings)
        daemon.start()
        _work_off(rabbitmq_server, daemon)
        found["among good ones"] = _fetch(db)
        assert daemon.terminate() == 0
        yield found
    finally:
        daemon.release()
        for queue in _QUEUES:
            rabbitmq_server.delete_queue(queue)
        db.drop()


def _key_of(payload: Hostile) -> tuple[str, bytes]:
    return _QUEUE_OF[payload.entity], payload.body


def _require_accepted(payload: Hostile, outcome: Outcome) -> None:
    assert _key_of(payload) not in outcome.dead_letters
    table = _ROOTS[payload.entity]
    (key,) = DATA_TABLES[table]
    assert payload.root is not None
    root_id = payload.root[key]
    assert outcome.tables[table].get(root_id) == [payload.root]
    for child in ("contact_mediums", "subscription_characteristics", "engaged_parties"):
        wanted = [{key: root_id, **row} for row in payload.children.get(child, [])]
        is_of_root = child in payload.children or DATA_TABLES[child][0] == key
        rows = outcome.tables[child].get(root_id, []) if is_of_root else []
        assert _sorted(rows, child) == _sorted(wanted, child)
    if payload.entity == "customer":
        assert outcome.source_times[root_id] is None


def _sorted(rows: list[Row], table: str) -> list[Row]:
    return sorted(rows, key=lambda row: tuple(row[column] for column in DATA_TABLES[table]))


def _require_dead(payload: Hostile, outcome: Outcome, occurrences: int) -> None:
    dead_letter = outcome.dead_letters[_key_of(payload)]  # found by its exact bytes
    assert dead_letter["reason"] == payload.reason
    assert dead_letter["sqlstate"] == payload.sqlstate
    assert dead_letter["occurrences"] == occurrences
    assert dead_letter["body_sha256"] == hashlib.sha256(payload.body).digest()
    assert (dead_letter["entity"], dead_letter["status"],
            dead_letter["redelivered"]) == (payload.entity, "open", False)
    assert dead_letter["entity_id"] == payload.entity_id
    assert dead_letter["detail"]
    for column, value in payload.kept.items():
        assert (dead_letter[column] if column in dead_letter
                else dead_letter["properties"][column]) == value, column


@pytest.mark.no_kopru
def test_the_list_is_sound() -> None:
    """Of each reason some, and no two that could be mistaken for each other."""
    said = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert f"sends {len(_PAYLOADS)} payloads" in said
    assert len({payload.name for payload in _PAYLOADS}) == len(_PAYLOADS)
    assert len({_key_of(payload) for payload in _PAYLOADS}) == len(_PAYLOADS)
    ids = [tuple(payload.root.values())[0] for payload in _PAYLOADS if payload.root is not None]
    assert len(set(ids)) == len(ids)
    assert {payload.reason for payload in _PAYLOADS} == {
        None, "too_large", "invalid_unicode", "not_json", "too_deep", "contains_nul", "not_object",
        "missing_id", "invalid_id", "invalid_structure", "rejected_by_database"}
    assert all(payload.is_accepted == (payload.reason is None) for payload in _PAYLOADS)


@pytest.mark.parametrize(("run", "occurrences"),
                         [("alone", 1), ("twice", 2), ("among good ones", 1)])
@pytest.mark.parametrize("payload", _PAYLOADS, ids=lambda payload: payload.name)
def test_outcome(payload: Hostile, run: str, occurrences: int,
                 outcomes: dict[str, Outcome]) -> None:
    if payload.is_accepted:
        _require_accepted(payload, outcomes[run])
    else:
        _require_dead(payload, outcomes[run], occurrences)


def test_the_second_time_writes_no_row(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["twice"].versions == outcomes["alone"].versions


def test_nothing_else_is_there(outcomes: dict[str, Outcome]) -> None:
    good = [payload for payload in _PAYLOADS if payload.is_accepted]
    for run, outcome in outcomes.items():
        roots = sum(len(outcome.tables[table]) for table in _ROOTS.values())
        neighbours = len(_PAYLOADS) + len(_ROOTS) if run == "among good ones" else 0
        assert roots == len(good) + neighbours
        assert len(outcome.dead_letters) == len(_PAYLOADS) - len(good)


def test_neighbours_are_applied(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["among good ones"]
    for number, payload in enumerate([*_PAYLOADS, None]):
        for entity in [payload.entity] if payload is not None else _ROOTS:
            (row,) = outcome.tables[_ROOTS[entity]][f"neighbour-{number}"]
            assert row["name"] == f"good {number}"


def test_the_runs_differ(outcomes: dict[str, Outcome]) -> None:
    """Alone each has a transaction of its own; among good ones they share some."""
    for run, alone in (("alone", True), ("among good ones", False)):
        versions = [version.split()[0] for key, version in outcomes[run].versions.items()
                    if key[0] == "customers"]
        assert (len(set(versions)) == len(versions)) is alone
