"""PostgreSQL names the partition that refused a row, and not the table: what is decided is the same
as for a table that is not partitioned.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support import database
from support.tables import read_dead_letters

_PARTITIONS = 4
_BAD = json.dumps({"id": "bad", "name": "bad", "contactMedium": [{"city": "nowhere"}]}).encode()
_NUMBERED = [(table, number) for table in ("customers", "contact_mediums")
             for number in range(_PARTITIONS)]

# What a DBA may make of the partitions. In a database without any, nothing is to be made.
_BESIDE = ""
_ELSEWHERE = "CREATE SCHEMA parts;" + "".join(
    f"ALTER TABLE kopru.{table}_{number} SET SCHEMA parts;" for table, number in _NUMBERED)
_DEEPER = "CREATE SCHEMA parts;" + "".join(
    f"DROP TABLE kopru.{table}_{number} CASCADE;"
    f"CREATE TABLE kopru.{table}_{number} PARTITION OF kopru.{table} FOR VALUES "
    f"WITH (MODULUS {_PARTITIONS}, REMAINDER {number}) PARTITION BY HASH (customer_id);"
    f"CREATE TABLE parts.{table}_{number} PARTITION OF kopru.{table}_{number} FOR VALUES "
    "WITH (MODULUS 1, REMAINDER 0);" for table, number in _NUMBERED)


@dataclass(frozen=True)
class _Rule:
    sqlstate: str
    table: str
    statement: str
    of_each: bool = False  # no partitioned table can have it, only each partition


_RULES = {
    "check": _Rule("23514", "customers", "ADD CONSTRAINT site_rule CHECK (name <> 'bad')"),
    "check of a child": _Rule("23514", "contact_mediums",
                              "ADD CONSTRAINT site_rule CHECK (city <> 'nowhere')"),
    "not null": _Rule("23502", "customers", "ALTER COLUMN status SET NOT NULL"),
    "not null of a child": _Rule("23502", "contact_mediums", "ALTER COLUMN street1 SET NOT NULL"),
    "unique": _Rule("23505", "customers", "ADD UNIQUE (name)", of_each=True),
    "exclusion": _Rule("23P01", "customers", "ADD EXCLUDE (name WITH =)",
                       of_each=True),
}


@pytest.fixture(params=[(0, _BESIDE), (_PARTITIONS, _BESIDE), (_PARTITIONS, _ELSEWHERE),
                        (_PARTITIONS, _DEEPER)],
                ids=["plain", "partitions", "partitions in another schema", "partitions of both"])
def db(request, postgres_server) -> Iterator[database.Database]:
    count, script = request.param
    fresh = database.create_installed(postgres_server, partitions=count)
    if script:
        fresh.query(script)
    yield fresh
    fresh.drop()


@pytest.fixture
def daemon(kopru, queues):
    return kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                 quarantine={"attempts": 1000, "minutes": 10})


def _leaves(db, table: str) -> list[str]:
    """The tables that hold the rows of that table: itself, or its partitions."""
    return [name for (name,) in db.query(
        "SELECT coalesce(t.relid, c.oid)::regclass::text FROM pg_class AS c "
        "LEFT JOIN pg_partition_tree(c.oid) AS t ON t.isleaf WHERE c.oid = %s::regclass",
        f"kopru.{table}")]


def _add(db, rule: _Rule) -> None:
    for table in _leaves(db, rule.table) if rule.of_each else [f"kopru.{rule.table}"]:
        db.query(f"ALTER TABLE {table} {rule.statement}")


def _store_one_in_each(db, name: str) -> None:
    """One customer in each partition, so that each has something to collide with."""
    db.query("INSERT INTO kopru.customers (customer_id, name, status) "
             "SELECT 'k' || n, 'any', 'old' FROM generate_series(1, 60) AS n")
    db.query("DELETE FROM kopru.customers WHERE customer_id NOT IN "
             "(SELECT min(customer_id) FROM kopru.customers GROUP BY tableoid)")
    db.query("UPDATE kopru.customers SET name = %s", name)


@pytest.mark.parametrize("rule", _RULES.values(), ids=_RULES)
def test_a_rule_of_the_table_costs_its_message(rabbitmq_server, db, queues, daemon, rule):
    if rule.of_each:
        _store_one_in_each(db, "bad")
    _add(db, rule)
    rabbitmq_server.publish(queues.customer, _BAD)
    rabbitmq_server.wait_until_empty(queues.customer)
    (dead_letter,) = read_dead_letters(db)
    assert (dead_letter["reason"], dead_letter["sqlstate"], dead_letter["entity_id"]) == (
        "rejected_by_database", rule.sqlstate, "bad")
    leaves = [leaf.partition(".")[2] for leaf in _leaves(db, rule.table)]
    assert any(f", table {leaf}, " in dead_letter["detail"] for leaf in leaves), dead_letter
    assert daemon.events("quarantined") == []


def _wait_in_vain(daemon, db, event: str) -> dict:
    (line, *_) = daemon.wait_for_event(event, count=3, deadline_s=30)
    assert read_dead_letters(db) == []
    return line


def _wait_until_written(rabbitmq_server, db, queues) -> None:
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name FROM kopru.customers WHERE customer_id = 'bad'") == [("bad",)]
    assert read_dead_letters(db) == []


def test_a_column_that_kopru_does_not_fill_costs_none(rabbitmq_server, db, queues, daemon):
    db.query("ALTER TABLE kopru.customers ADD COLUMN region text NOT NULL")
    rabbitmq_server.publish(queues.customer, _BAD)
    line = _wait_in_vain(daemon, db, "paused")
    assert line["sqlstate"] == "23502" and "needs a default" in line["hint"]
    db.query("ALTER TABLE kopru.customers ALTER COLUMN region SET DEFAULT ''")
    _wait_until_written(rabbitmq_server, db, queues)


def test_a_key_that_kopru_does_not_fill_costs_none(rabbitmq_server, db, queues, daemon):
    """The site's default gives a value that is taken."""
    _store_one_in_each(db, "some name")
    db.query("ALTER TABLE kopru.customers ADD COLUMN number bigint DEFAULT 1")
    for leaf in _leaves(db, "customers"):
        db.query(f"ALTER TABLE {leaf} ADD UNIQUE (number)")
    rabbitmq_server.publish(queues.customer, _BAD)
    line = _wait_in_vain(daemon, db, "paused")
    assert line["sqlstate"] == "23505" and "setval" in line["hint"]
    db.query("ALTER TABLE kopru.customers ALTER COLUMN number SET DEFAULT 2")
    _wait_until_written(rabbitmq_server, db, queues)


@pytest.mark.parametrize("schema", ["public", "kopru"])
def test_a_partition_of_another_table_is_no_part_of_the_entitys(rabbitmq_server, db, queues, daemon,
                                                                schema):
    """A trigger writes to a partitioned table, whose rules nobody checked a message against."""
    db.query(f"""
        CREATE TABLE {schema}.audit (k text CONSTRAINT site_rule CHECK (k <> 'bad'))
            PARTITION BY HASH (k);
        CREATE TABLE {schema}.audit_0 PARTITION OF {schema}.audit
            FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        GRANT INSERT ON {schema}.audit TO PUBLIC;
        CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO {schema}.audit VALUES (NEW.customer_id); RETURN NULL; END $$;
        CREATE TRIGGER keep AFTER INSERT ON kopru.customers FOR EACH ROW
            EXECUTE FUNCTION public.keep()""")
    rabbitmq_server.publish(queues.customer, _BAD)
    line = _wait_in_vain(daemon, db, "quarantined")
    assert line["sqlstate"] == "23514" and "writes to another table" in line["hint"]
    db.query(f"ALTER TABLE {schema}.audit DROP CONSTRAINT site_rule")
    _wait_until_written(rabbitmq_server, db, queues)
