"""Many child rows of new roots come by COPY: the same rows, the same refusals, the same promises as
with an upsert.
"""

import json

import psycopg
import pytest
from support.batch import held_back
from support.endpoint import Endpoint
from support.marks import on_partitions_too
from support.tables import read_dead_letters

pytestmark = pytest.mark.matrix

_ROWS = 250  # in one message: more than it takes for COPY
_VALUES = [
    ("Float", number) for number in (
        "0", "-0", "0.0", "-0.00", "7", "-7", "9999", "10000", "10001", "123456789", "0.1",
        "0.0001", "0.00001", "12345.678", "1e5", "1.5e-7",
        "-1.10", "1E+3", "100000000000000000000000000000.5", "1e1000", "1e-1000", "9" * 1000,
        "0." + "1" * 999)
] + [
    ("Date", "2021-08-16"), ("Date", "0001-01-01"), ("Date", "9999-12-31"),
    ("DateTime", "2021-08-13T10:11:12.123456+03:00"),
    ("DateTime", "1900-01-01"), ("Boolean", "TRUE"), ("Boolean", "false"), ("String", ""),
    ("String", "İŞÇİ \\ \t \n \\N \u007f"), ("String", None),
    ("Float", "1,5"), ("Boolean", "yes"),
]
_RECORD = """
CREATE TABLE public.seen (statement text);
CREATE FUNCTION public.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN
        INSERT INTO public.seen VALUES (split_part(current_query(), ' ', 1)); RETURN NULL;
    END $$;
CREATE TRIGGER record AFTER INSERT ON kopru.subscription_characteristics
    FOR EACH STATEMENT EXECUTE FUNCTION public.record();
"""
_ALL = "SELECT count(*) = %s FROM kopru.subscription_characteristics WHERE subscription_id = %s"


def _subscription(entity_id, rows=_ROWS, name="N"):
    bag = [{"name": f"{name}{n}", "valueType": kind, "value": value, "note": {"n": n}}
           for n, (kind, value) in enumerate(_VALUES * (rows // len(_VALUES) + 1))][:rows]
    return json.dumps({"id": entity_id, "characteristic": bag}, ensure_ascii=False).encode()


def _rows_of(db, entity_id):
    return db.query("SELECT bag, name, occurrence, value_type, value, value_numeric::text, "
                    "value_date, value_timestamp, value_boolean, extra::text"
                    " FROM kopru.subscription_characteristics WHERE subscription_id = %s ORDER "
                    "BY 1, 2, 3", entity_id)


@pytest.fixture
def daemon(queues, kopru):
    return kopru(queues=[{"name": queues.subscription, "entity": "subscription", "writers": 1}],
                 http=Endpoint().settings)


@pytest.fixture
def publish_together(rabbitmq_server, db, queues, daemon):
    """publish_together(bodies): they are in one batch."""

    def publish(bodies):
        with held_back(rabbitmq_server, db, daemon, queues.subscription, len(bodies),
                       table="subscriptions"):
            rabbitmq_server.publish_many(queues.subscription, bodies)

    return publish


@on_partitions_too
def test_copied_rows_equal_upserted_ones(rabbitmq_server, db, queues, publish_together):
    db.query(_RECORD)
    publish_together([_subscription("copied"), b'{"id": "upserted"}'])
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert db.query("SELECT statement FROM public.seen") == [("COPY",)]
    rabbitmq_server.publish(queues.subscription, _subscription("upserted"))
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert db.query("SELECT statement FROM public.seen") == [("COPY",), ("INSERT",)]
    rows = _rows_of(db, "copied")
    assert len(rows) == _ROWS and rows == _rows_of(db, "upserted")
    numbers = {value: number for _, _, _, kind, value, number, *_ in rows if kind == "Float"
               and value != "1,5"}
    with db.admin() as connection:
        for value, number in numbers.items():
            assert connection.execute("SELECT %s::numeric::text", (value,)).fetchone() == (number,
                                                                                           ), value


def test_a_message_is_never_judged_by_copy(rabbitmq_server, db, queues, publish_together):
    """What COPY alone is refused, as by a trigger that asks what fires it, costs no message."""
    db.query("""
CREATE FUNCTION public.no_copy() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF current_query() LIKE 'COPY%%' THEN
            RAISE EXCEPTION 'no COPY' USING ERRCODE = '22P04';
        END IF;
        RETURN NULL;
    END $$;
CREATE TRIGGER no_copy BEFORE INSERT ON kopru.subscription_characteristics
    FOR EACH STATEMENT EXECUTE FUNCTION public.no_copy();
""")
    publish_together([_subscription(entity_id) for entity_id in "abc"])
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert db.query("SELECT subscription_id, count(*) FROM kopru.subscription_characteristics "
                    "GROUP BY 1 ORDER BY 1") == [
        ("a", _ROWS), ("b", _ROWS), ("c", _ROWS)]
    assert read_dead_letters(db) == []


def test_a_row_that_copy_is_refused_for_costs_its_message_alone(rabbitmq_server, db, queues, daemon,
                                                                publish_together):
    db.query("ALTER TABLE kopru.subscription_characteristics ADD CONSTRAINT site_rule CHECK (name "
             "<> 'BAD240')")
    publish_together([_subscription("a"), _subscription("b", name="BAD"), _subscription("c")])
    rabbitmq_server.wait_until_empty(queues.subscription)
    (dead_letter,) = read_dead_letters(db)
    assert (dead_letter["reason"], dead_letter["sqlstate"],
            dead_letter["entity_id"]) == ("rejected_by_database", "23514", "b")
    assert "site_rule" in dead_letter["detail"]
    assert db.query("SELECT subscription_id, count(*) FROM kopru.subscription_characteristics "
                    "GROUP BY 1 ORDER BY 1") == [
        ("a", _ROWS), ("c", _ROWS)]
    assert daemon.events("database_unavailable") == []


def test_tables_with_row_level_security_take_upserts(rabbitmq_server, db, queues, daemon,
                                                     publish_together):
    db.query(_RECORD)
    db.query("ALTER TABLE kopru.subscription_characteristics ENABLE ROW LEVEL SECURITY")
    db.query("CREATE POLICY everything ON kopru.subscription_characteristics USING (true) WITH "
             "CHECK (true)")
    for pair in ("ab", "cd"):
        publish_together([_subscription(entity_id) for entity_id in pair])
        rabbitmq_server.wait_until_empty(queues.subscription)
        for entity_id in pair:
            assert db.value(_ALL, _ROWS, entity_id)
    assert db.query("SELECT DISTINCT statement FROM public.seen") == [("INSERT",)]
    (refused,) = daemon.events("database_unavailable")  # asked for COPY once, and not again
    assert (refused["sqlstate"], refused["hint"]) == (
        "0A000", "COPY is not possible here, as with row-level security: this writer upserts "
                 "from now on")
    assert read_dead_letters(db) == []


def test_a_session_that_ends_within_copy_costs_nothing(rabbitmq_server, db, queues, daemon,
                                                       publish_together):
    db.query("""
CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(17); RETURN NEW; END $$;
CREATE TRIGGER wait BEFORE INSERT ON kopru.subscription_characteristics
    FOR EACH ROW EXECUTE FUNCTION public.wait();
""")
    waiting = ("FROM pg_locks JOIN pg_stat_activity USING (pid) "
               "WHERE locktype = 'advisory' AND NOT granted AND query LIKE 'COPY%%'")
    with psycopg.connect(db.admin_dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(17)")
        publish_together([_subscription("a"), b'{"id": "b"}'])
        daemon.wait_until(lambda: db.value(f"SELECT count(*) {waiting}"), 30, "COPY to wait")
        db.query(f"SELECT pg_terminate_backend(pid) {waiting}")
        daemon.wait_for_event("database_unavailable", 30)
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert db.value(_ALL, _ROWS, "a")
    assert read_dead_letters(db) == []
