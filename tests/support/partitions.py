"""A DBA's script that partitions kopru's five tables by hash: rows, keys, foreign keys, defaults,
indexes, comments and privileges stay as they were.

The script is made from the catalog, so that it follows the migrations.
"""

from dataclasses import dataclass

import psycopg

# A root before its children, whose key begins with the root's.
TABLES = ("customers", "contact_mediums", "subscriptions", "subscription_characteristics",
          "engaged_parties")

_VIEWS = """
SELECT c.oid, c.relname, pg_get_viewdef(c.oid) FROM pg_class AS c
WHERE c.relkind = 'v' AND c.relnamespace = 'kopru'::regnamespace ORDER BY c.relname"""
_CONSTRAINTS = """
SELECT format('ALTER TABLE kopru.%%I ADD CONSTRAINT %%I %%s', %(table)s::text, conname,
              pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = %(oid)s AND contype IN ('p', 'u', 'f') AND conparentid = 0
ORDER BY contype DESC"""
_INDEXES = """
SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i WHERE i.indrelid = %s
AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)"""
_PRIVILEGES = """
SELECT format('GRANT %%s ON kopru.%%I TO %%I', a.privilege_type, c.relname, r.rolname)
FROM pg_class AS c, LATERAL aclexplode(c.relacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
WHERE c.oid = %s AND a.grantee <> c.relowner"""
_COMMENTS = """
SELECT format('COMMENT ON %%s kopru.%%I%%s IS %%L', CASE WHEN d.objsubid > 0 THEN 'COLUMN'
              WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END, c.relname,
              (SELECT '.' || quote_ident(a.attname) FROM pg_attribute AS a
               WHERE a.attrelid = c.oid AND a.attnum = d.objsubid), d.description)
FROM pg_description AS d JOIN pg_class AS c ON c.oid = d.objoid
WHERE d.classoid = 'pg_class'::regclass AND d.objoid = %s"""
_KEY = """
SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a
ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = %s AND i.indisprimary"""
_OPTIONS = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = %s"


@dataclass(frozen=True)
class _Part:
    """The statements that make a table, and those that follow when all tables have their rows."""

    create: list[str]
    finish: list[str]


def _texts(connection: psycopg.Connection, query: str, parameters: object) -> list[str]:
    return [text for (text,) in connection.execute(query, parameters).fetchall()]


def _describe(connection: psycopg.Connection, table: str, count: int) -> _Part:
    (oid,) = connection.execute("SELECT %s::regclass::oid", (f"kopru.{table}",)).fetchone()
    (key,) = _texts(connection, _KEY, (oid,))
    (options,) = _texts(connection, _OPTIONS, (oid,))
    partitions = [f"CREATE TABLE kopru.{table}_{number} PARTITION OF kopru.{table} "
                  f"FOR VALUES WITH (MODULUS {count}, REMAINDER {number}) WITH ({options})"
                  for number in range(count)]
    constraints = _texts(connection, _CONSTRAINTS, {"table": table, "oid": oid})
    keys = [each for each in constraints if "FOREIGN KEY" not in each]
    return _Part(
        [f"CREATE TABLE kopru.{table} (LIKE unpartitioned.{table} INCLUDING DEFAULTS "
         "INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE) "
         f"PARTITION BY HASH ({key})", *partitions,
         f"INSERT INTO kopru.{table} SELECT * FROM unpartitioned.{table}", *keys,
         *_texts(connection, _INDEXES, (oid,))],
        [*(each for each in constraints if "FOREIGN KEY" in each),
         *_texts(connection, _PRIVILEGES, (oid,)), *_texts(connection, _COMMENTS, (oid,))])


def script(connection: psycopg.Connection, count: int) -> list[str]:
    """The statements, to be run in one transaction as kopru_owner."""
    connection.execute("SET search_path = pg_catalog")  # so that definitions are qualified
    parts = [_describe(connection, table, count) for table in TABLES]
    views = connection.execute(_VIEWS).fetchall()
    return [
        "CREATE SCHEMA unpartitioned",
        *(f"DROP VIEW kopru.{name}" for _, name, _ in views),
        *(f"ALTER TABLE kopru.{table} SET SCHEMA unpartitioned" for table in TABLES),
        *(statement for part in parts for statement in part.create),
        *(statement for part in parts for statement in part.finish),
        *(statement for oid, name, definition in views for statement in [
            f"CREATE VIEW kopru.{name} AS {definition}",
            *_texts(connection, _PRIVILEGES, (oid,)), *_texts(connection, _COMMENTS, (oid,))]),
        "DROP SCHEMA unpartitioned CASCADE",
    ]


def partition(connection: psycopg.Connection, count: int) -> None:
    """Partition the tables of the connection's database, as kopru_owner."""
    statements = script(connection, count)
    with connection.transaction():
        connection.execute("SET LOCAL ROLE kopru_owner")
        for statement in statements:
            connection.execute(statement)
    connection.execute("RESET search_path")
