"""Reading kopru's tables the way tests compare them."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from support.database import Database

Row = dict[str, Any]

# Each table with its key.
DATA_TABLES: dict[str, tuple[str, ...]] = {
    "customers": ("customer_id",),
    "contact_mediums": ("customer_id", "position"),
    "subscriptions": ("subscription_id",),
    "subscription_characteristics": ("subscription_id", "bag", "name", "occurrence"),
    "engaged_parties": ("subscription_id", "customer_id", "occurrence"),
}

# Columns of a root that kopru fills by itself; when it did so says nothing about what a message
# said.
_METADATA = ("payload_hash", "source_time", "created_at", "updated_at")
_CLOCKS = ("created_at", "updated_at")


def _read(db: Database, statement: str) -> list[Row]:
    with psycopg.connect(db.admin_dsn, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(statement).fetchall()


def read_table(db: Database, table: str, columns: str = "*") -> list[Row]:
    """All rows in the order of their key, by bytes; instants in UTC."""
    order = ", ".join(column if column in ("position", "occurrence")
                      else f'{column} COLLATE "C"'
                      for column in DATA_TABLES[table])
    return _read(db, f"SELECT {columns} FROM kopru.{table} ORDER BY {order}")


def said(row: Row) -> Row:
    """What a row says: without metadata, nulls, and an empty extra."""
    return {name: value for name, value in row.items()
            if name not in _METADATA and value is not None
            and not (name == "extra" and value == {})}


def read_said(db: Database) -> dict[str, dict[tuple, Row]]:
    """The rows of the five tables by key, as said() shows them."""
    return {table: {tuple(row[column] for column in key): said(row)
                    for row in read_table(db, table)}
            for table, key in DATA_TABLES.items()}


def read_all(db: Database) -> dict[str, list[Row]]:
    """The five tables with everything that does not depend on when kopru wrote."""
    return {table: [{name: value for name, value in row.items() if name not in _CLOCKS}
                    for row in read_table(db, table)]
            for table in DATA_TABLES}


def read_dead_letters(db: Database) -> list[Row]:
    """In no meaningful order but a stable one."""
    return _read(db, "SELECT * FROM kopru.dead_letters ORDER BY queue, body_sha256, dead_letter_id")


def row_versions(db: Database) -> dict[tuple, str]:
    """Which transaction wrote each row of the five tables, by table and key."""
    found = {}
    for table, key in DATA_TABLES.items():
        for row in read_table(db, table,
                              f"{', '.join(key)}, xmin::text || ' ' || ctid::text AS version"):
            found[(table, *(row[column] for column in key))] = row["version"]
    return found
