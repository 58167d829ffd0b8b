"""Every golden case through a real broker, the daemon and a real database.

All cases share one database, because their ids and bodies differ (test_rules.py): everything is
published before the daemon starts, the daemon works until the queues are empty, and each test
compares its case's rows. This is done three times, with batches as large as they get, with batches
of one message, and on partitioned tables, which must end in the same rows.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from golden.cases import ENTITIES, SETTINGS, Case, Number, all_cases, in_key_order, parse
from support.daemon import Kopru, default_settings, merged
from support.database import REPOSITORY, Database, create_installed
from support.postgres import Postgres
from support.rabbitmq import RabbitMQ

pytestmark = pytest.mark.matrix

_EMPTY_DEADLINE_S = 120
_BATCHES: dict[str, dict[str, object]] = {"folded": {}, "singly": {"batch": {"max_messages": 1}},
                                          "partitioned": {}}
_PARTITIONS = {"partitioned": 8}  # of each table; the others are as the tests' databases are
_INSTANTS = ("valid_from", "valid_to", "completion_start", "completion_end", "value_timestamp",
             "source_time")
_NUMERICS = ("value_numeric",)

Row = dict[str, Any]
Queue = dict[str, str]
# What a daemon is told for its cases: an entity has one queue in a configuration, so each manner is
# a daemon of its own.
Manner = tuple[str, tuple[str, ...]]


def _queue(mark: str, case: Case) -> str:
    return "-".join(("golden", mark, case.entity_name, case.order, *case.clears)).replace("*",
                                                                                          "all")


def _dead_letter_key(queue: str, body: bytes) -> tuple[str, str]:
    return queue, hashlib.sha256(body).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What one run left in the tables, as JSON would hold it."""

    mark: str
    tables: dict[str, list[Row]]
    dead_letters: list[Row]
    transactions: dict[str, int]  # how many wrote the rows of a root table as they stand
    batches: dict[str, object]

    def of(self, case: Case) -> dict[str, list[Row]]:
        ids = case.root_ids()
        found = {name: in_key_order(table,
                                    [row for row in self.tables[name] if row[table.key[0]] in ids])
                 for name, table in case.entity.tables.items()}
        return {**found, "dead_letters": self.dead_letters_of(case)}

    def dead_letters_of(self, case: Case) -> list[Row]:
        keys = {_dead_letter_key(_queue(self.mark, case), message.body)
                for message in case.messages()}
        return _in_dead_letter_order([row for row in self.dead_letters
                                      if (row["queue"], row["body_sha256"]) in keys])


def _in_dead_letter_order(dead_letters: list[Row]) -> list[Row]:
    return sorted(dead_letters, key=lambda row: (row["reason"], int(row["occurrences"].digits)))


def _entity_file(entity: str, clears: tuple[str, ...], directory: Path) -> str:
    """The entity file as it is shipped, or a copy that clears what these cases want cleared."""
    shipped = REPOSITORY / "etc" / "entities" / f"{entity}.cfg"
    if not clears:
        return str(shipped)
    text = shipped.read_text(encoding="utf-8")
    for name in clears:
        if name == "*":
            text = 'absent = "clear";\n' + text
        else:
            source = re.compile(rf'\b(?:path\s*=\s*"{name}"|arrays\s*=\s*\[\s*"{name}"\s*\])\s*;')
            text, count = source.subn(r'\g<0> absent = "clear";', text)
            assert count == 1, f"{shipped.name} does not feed one thing from {name!r}"
    path = directory / shipped.name
    path.write_text(text, encoding="utf-8")
    return str(path)


def _publish(broker: RabbitMQ, mark: str) -> dict[Manner, list[Queue]]:
    """Publish all cases, and say which queues there are now."""
    pending: dict[str, list[tuple[bytes, dict[str, object]]]] = {}
    queues: dict[Manner, list[Queue]] = {}
    for case in all_cases():
        name = _queue(mark, case)
        if name not in pending:
            pending[name] = []
            queue = {"name": name, "entity": case.entity_name, "order": case.order}
            queues.setdefault((case.order, case.clears), []).append(queue)
        pending[name] += [(message.body, message.properties) for message in case.messages()]
    for name, messages in pending.items():
        broker.declare_queue(name)
        assert broker.publish_many(name, messages) == len(messages)
    return queues


def _run(broker: RabbitMQ, db: Database, queues: list[Queue], changes: dict[str, object]) -> None:
    settings = merged(default_settings(broker.uri, db.daemon_dsn, {}),
                      {**SETTINGS, **changes, "queues": queues})
    daemon = Kopru(settings)
    try:
        daemon.start()
        for queue in queues:
            daemon.wait_until(lambda name=queue["name"]: broker.depth(name).is_empty,
                              _EMPTY_DEADLINE_S,
                              f"queue {queue['name']} to be empty and acknowledged")
        assert daemon.terminate() == 0
    finally:
        daemon.release()


def _as_printed(row: Row) -> Row:
    """A row of row_to_json() in a UTC session; instants and numerics spelled as in the cases."""
    for column, value in row.items():
        if column in _INSTANTS and value is not None:
            row[column] = re.sub(r"\+00:00$", "Z", value)
        elif column in _NUMERICS and isinstance(value, Number):
            row[column] = value.spelling
    return row


def _rows(db: Database, statement: str) -> list[Row]:
    with db.admin() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return [_as_printed(parse(text)) for (text,) in connection.execute(statement)]


def _fetch(db: Database, mark: str) -> Outcome:
    tables = {}
    transactions = {}
    for entity in ENTITIES.values():
        transactions[entity.root] = db.value(f"SELECT count(DISTINCT xmin::text) FROM "
                                             f"kopru.{entity.root}")
        for name, table in entity.tables.items():
            columns = ", ".join(table.all_columns)
            tables[name] = _rows(db, f"SELECT row_to_json(t)::text FROM (SELECT {columns} FROM "
                                     f"kopru.{name}) t")
    dead_letters = _rows(db, """
        SELECT row_to_json(t)::text
        FROM (SELECT queue, encode(sha256(body), 'hex') AS body_sha256, reason, entity_id,
                     occurrences, sqlstate, content_type
              FROM kopru.dead_letters) t""")
    return Outcome(mark, tables, dead_letters, transactions, _BATCHES[mark])


@pytest.fixture(scope="module", params=_BATCHES)
def run(request: pytest.FixtureRequest, postgres_server: Postgres, rabbitmq_server: RabbitMQ,
        tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome | Exception]:
    """What is in the tables when all is done, or why it was not done."""
    mark = request.param
    db = create_installed(postgres_server, partitions=_PARTITIONS.get(mark))
    queues: dict[Manner, list[Queue]] = {}
    result: Outcome | Exception
    try:
        queues = _publish(rabbitmq_server, mark)
        for (_order, clears), of_one_daemon in queues.items():
            directory = tmp_path_factory.mktemp("entities")
            files = [_entity_file(queue["entity"], clears, directory) for queue in of_one_daemon]
            _run(rabbitmq_server, db, of_one_daemon, {**_BATCHES[mark], "entity_files": files})
        result = _fetch(db, mark)
    except Exception as failure:  # said once, by test_all_messages_are_worked_off
        result = failure
    yield result
    for of_one_daemon in queues.values():
        for queue in of_one_daemon:
            rabbitmq_server.delete_queue(queue["name"])
    db.drop()


def test_all_messages_are_worked_off(run: Outcome | Exception) -> None:
    if isinstance(run, Exception):
        raise run


@pytest.fixture
def outcome(run: Outcome | Exception) -> Outcome:
    if isinstance(run, Exception):
        pytest.fail("the run failed: see test_all_messages_are_worked_off", pytrace=False)
    return run


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_tables_hold_what_the_case_expects(case: Case, outcome: Outcome) -> None:
    expected = case.expected_tables()
    actual = outcome.of(case)
    wanted = _in_dead_letter_order(expected.pop("dead_letters"))
    dead_letters = actual.pop("dead_letters")
    assert actual == {name: in_key_order(case.entity.tables[name], rows)
                      for name, rows in expected.items()}
    assert len(dead_letters) == len(wanted)
    assert [{column: dead_letter[column] for column in want}
            for dead_letter, want in zip(dead_letters, wanted, strict=True)] == wanted


def test_no_row_belongs_to_no_case(outcome: Outcome) -> None:
    known = {entity: {root_id for case in all_cases() if case.entity_name == entity
                      for root_id in case.root_ids()}
             for entity in ENTITIES}
    for name, entity in ENTITIES.items():
        stored = {row[entity.root_key] for row in outcome.tables[entity.root]}
        assert stored and stored - known[name] == set()
    assert len(outcome.dead_letters) == sum(
        len(outcome.dead_letters_of(case)) for case in all_cases()) > 0


def test_batches_were_as_large_as_asked(outcome: Outcome) -> None:
    """Without this two runs might be one and the same."""
    for root, transactions in outcome.transactions.items():
        rows = len(outcome.tables[root])
        assert transactions == rows if outcome.batches else transactions < rows
