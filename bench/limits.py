"""What PostgreSQL alone needs for the same result, with the rows known before: the limits that
kopru is held against.

Both take what kopru left in the tables as the truth. Nothing is decoded, mapped or compared;
parameters are in libpq's binary form before the clock starts, so that Python's part in the time is
small.
"""

import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq
from support.database import Database
from support.rabbitmq import RabbitMQ

from bench.drain import BATCH, Drained, processor_so_far, wait_until_alone
from bench.site import KEY_OF, TABLES_OF, work_since, work_so_far

_TEXT, _BYTEA, _INT4 = 25, 17, 23

# Of each entity the child rows that its churn changes: table, key columns below the root's, changed
# columns, how they are set.
_CHURN = {
    "customer": ("contact_mediums", [("position", _INT4)],
                 [("phone_number", _TEXT, "i.phone_number")]),
    "subscription": ("subscription_characteristics",
                     [("bag", _TEXT), ("name", _TEXT), ("occurrence", _INT4)],
                     [("value", _TEXT, "i.value"),
                      ("value_numeric", _TEXT, "i.value_numeric::numeric")]),
}
_SQL_TYPES = {_TEXT: "text", _BYTEA: "bytea", _INT4: "int"}


def _in_parallel(works: Sequence[Callable[[], None]]) -> float:
    """Seconds from a common start until the last has ended."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(works) + 1)

    def run(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as failure:  # raised below
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    barrier.wait()
    begin = time.monotonic()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.monotonic() - begin


def _share(entity: str, connections: int, number: int) -> str:
    return f"abs(hashtext({KEY_OF[entity]})) % {connections} = {number}"


def finished_rows(db: Database, entity: str, connections: int) -> list[dict[str, bytes]]:
    """For each connection its share of each table in COPY format, in the order of the keys."""
    shares = []
    with db.admin() as connection:
        for number in range(connections):
            share = {}
            for table in TABLES_OF[entity]:
                query = (f"COPY (SELECT * FROM kopru.{table} WHERE "
                         f"{_share(entity, connections, number)}"
                         f" ORDER BY {KEY_OF[entity]}) TO STDOUT (FORMAT binary)")
                with connection.cursor().copy(query) as copy:
                    share[table] = b"".join(copy)
            shares.append(share)
    return shares


def copy_rows(broker: RabbitMQ, db: Database, shares: list[dict[str, bytes]],
              messages: int) -> Drained:
    """The limit of new ids: each connection copies its share in one transaction, roots first."""

    def work(connection: psycopg.Connection, share: dict[str, bytes]) -> Callable[[], None]:
        def run() -> None:
            with connection.transaction():
                for table, data in share.items():
                    statement = f"COPY kopru.{table} FROM STDIN (FORMAT binary)"
                    with connection.cursor().copy(statement) as copy:
                        for at in range(0, len(data), 1 << 20):
                            copy.write(data[at:at + (1 << 20)])
        return run

    before = work_so_far(db)
    processor = processor_so_far(broker, db.server)
    connections = [psycopg.connect(db.daemon_dsn, autocommit=True) for _ in shares]
    try:
        seconds = _in_parallel([work(*pair) for pair in zip(connections, shares, strict=True)])
    finally:
        for connection in connections:
            connection.close()
    wait_until_alone(db)
    return Drained(messages, seconds, work_since(db, before),
                   processor=processor_so_far(broker, db.server).since(processor))


def _binary_array(oid: int, values: Sequence[object]) -> bytes:
    """A one-dimensional array as PostgreSQL receives it."""
    parts = [struct.pack("!iiIii", 1, int(any(value is None for value in values)), oid, len(values),
                         1)]
    for value in values:
        if value is None:
            parts.append(struct.pack("!i", -1))
            continue
        if isinstance(value, int):
            data = struct.pack("!i", value)
        else:
            data = value if isinstance(value, bytes) else str(value).encode()
        parts.append(struct.pack("!i", len(data)) + data)
    return b"".join(parts)


@dataclass(frozen=True)
class Changes:
    """The statements, and for each connection the parameters of its batches, child before root."""

    child: bytes
    root: bytes
    batches: list[list[tuple[list[bytes], list[bytes]]]]
    messages: int


def _statements(entity: str) -> tuple[bytes, bytes]:
    key = KEY_OF[entity]
    table, keys, changed = _CHURN[entity]
    names = [key, *(name for name, _ in keys), *(name for name, *_ in changed)]
    types = [_TEXT, *(oid for _, oid in keys), *(oid for _, oid, _ in changed)]
    arrays = ", ".join(f"${n}::{_SQL_TYPES[oid]}[]" for n, oid in enumerate(types, start=1))
    child = (f"UPDATE kopru.{table} AS t SET "
             f"{', '.join(f'{name} = {how}' for name, _, how in changed)}"
             f" FROM unnest({arrays}) AS i({', '.join(names)})"
             f" WHERE {' AND '.join(f't.{name} = i.{name}' for name in names[:1 + len(keys)])}")
    root = (f"UPDATE kopru.{TABLES_OF[entity][0]} AS t SET payload_hash = i.payload_hash, "
            "updated_at = now()"
            f" FROM unnest($1::text[], $2::bytea[]) AS i({key}, payload_hash) WHERE t.{key} "
            f"= i.{key}")
    return child.encode(), root.encode()


def known_changes(db: Database, entity: str, since_xid: int, order: Sequence[str],
                  connections: int) -> Changes:
    """What kopru wrote since that transaction, in batches of its size, in the order published."""
    key = KEY_OF[entity]
    table, keys, changed = _CHURN[entity]
    columns = [key, *(name for name, _ in keys), *(name for name, *_ in changed)]
    types = [_TEXT, *(oid for _, oid in keys), *(oid for _, oid, _ in changed)]
    texts = ", ".join(f"{name}::text" if oid == _TEXT else name
                      for name, oid in zip(columns, types, strict=True))
    child_rows: dict[str, list[tuple]] = {}
    for row in db.query(f"SELECT {texts} FROM kopru.{table} "
                        f"WHERE xmin::text::bigint >= {since_xid}"):
        child_rows.setdefault(row[0], []).append(row)
    roots = {id_: (number, hash_) for id_, number, hash_ in db.query(
        f"SELECT {key}, abs(hashtext({key})) % {connections}, payload_hash FROM "
        f"kopru.{TABLES_OF[entity][0]}"
        f" WHERE xmin::text::bigint >= {since_xid}")}
    if set(child_rows) != set(roots) or set(roots) != set(order):
        raise RuntimeError("churn changed other rows than the generator says")
    batches = []
    for number in range(connections):
        mine = [id_ for id_ in order if roots[id_][0] == number]
        chunks = [sorted(mine[at:at + BATCH]) for at in range(0, len(mine), BATCH)]
        batches.append([(
            [_binary_array(oid, column)
             for oid, column in zip(types, zip(*(row for id_ in ids for row in child_rows[id_])),
                                    strict=True)],
            [_binary_array(_TEXT, ids),
             _binary_array(_BYTEA, [bytes(roots[id_][1]) for id_ in ids])]) for ids in chunks])
    return Changes(*_statements(entity), batches, len(order))


def _require(result: pq.abc.PGresult) -> None:
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise RuntimeError(result.error_message.decode(errors="replace"))


def apply_changes(broker: RabbitMQ, db: Database, changes: Changes) -> Drained:
    """The limit of churn: prepared statements, one transaction per batch, one connection per
    writer.
    """

    def connect() -> pq.PGconn:
        connection = pq.PGconn.connect(db.daemon_dsn.encode())
        # the key's index, without planning again
        _require(connection.exec_(b"SET plan_cache_mode = force_generic_plan"))
        _require(connection.prepare(b"child", changes.child))
        _require(connection.prepare(b"root", changes.root))
        return connection

    def work(connection: pq.PGconn,
             batches: list[tuple[list[bytes], list[bytes]]]) -> Callable[[], None]:
        def run() -> None:
            for child, root in batches:
                _require(connection.exec_(b"BEGIN"))
                _require(connection.exec_prepared(b"root", root, [1] * len(root)))
                _require(connection.exec_prepared(b"child", child, [1] * len(child)))
                _require(connection.exec_(b"COMMIT"))
        return run

    before = work_so_far(db)
    processor = processor_so_far(broker, db.server)
    connections = [connect() for _ in changes.batches]
    try:
        seconds = _in_parallel([work(*pair)
                                for pair in zip(connections, changes.batches, strict=True)])
    finally:
        for connection in connections:
            connection.finish()
    wait_until_alone(db)
    processor = processor_so_far(broker, db.server).since(processor)
    return Drained(changes.messages, seconds, work_since(db, before), processor=processor)
