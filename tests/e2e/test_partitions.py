"""The five tables partitioned by hash by a DBA: everything goes on as before."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from support import database
from support.batch import held_back
from support.endpoint import Endpoint
from support.partitions import TABLES, partition
from support.pg_messages import PgWatch
from support.proxy import Proxy
from support.tables import read_dead_letters

_OK = 0
_PARTITIONS = 8


@pytest.fixture
def db(postgres_server) -> Iterator[database.Database]:
    fresh = database.create_installed(postgres_server, partitions=_PARTITIONS)
    yield fresh
    fresh.drop()


def _subscription(entity_id: str, name: str, count: int, party: str) -> bytes:
    return json.dumps({
        "id": entity_id, "name": name, "engagedParty": [{"id": party, "name": name}],
        "characteristic": [{"name": f"c{n}", "value": name} for n in range(count)]}).encode()


def _customer(entity_id: str, *cities: str) -> bytes:
    return json.dumps({"id": entity_id, "contactMedium": [{"city": city} for city in cities]
                       }).encode()


def _characteristics(db) -> dict[str, tuple[str, int]]:
    return {entity_id: (value, count) for entity_id, value, count in db.query(
        "SELECT subscription_id, value, count(*) FROM kopru.subscription_characteristics "
        "GROUP BY 1, 2")}


def test_the_script_keeps_all_but_the_kind_of_the_tables(postgres_server, db):
    """Otherwise the tests of this file would be about less than kopru's schema."""
    described = """
SELECT c.relname, a.attname, a.atttypid::regtype, a.attnotnull, a.attcollation,
       pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), obj_description(c.oid),
       c.relacl::text, c.relowner::regrole::text
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'kopru'::regnamespace AND c.relkind IN ('r', 'p', 'v')
AND NOT c.relispartition ORDER BY 1, a.attnum"""
    constraints = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'kopru'::regnamespace AND conparentid = 0 AND contype <> 'n'
ORDER BY 1, 2"""
    indexes = """
SELECT i.indrelid::regclass::text, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
WHERE c.relnamespace = 'kopru'::regnamespace AND NOT c.relispartition ORDER BY 1, 2"""
    plain = database.create_installed(postgres_server, partitions=0)
    try:
        for query in (described, constraints, indexes):
            assert db.query(query) == plain.query(query)
    finally:
        plain.drop()
    assert db.query("SELECT DISTINCT reloptions FROM pg_class WHERE relispartition "
                    "AND relkind = 'r'") == [(["fillfactor=85"],)]
    assert db.value("SELECT count(*) FROM pg_inherits AS h JOIN pg_class AS c "
                    "ON c.oid = h.inhrelid WHERE c.relkind = 'r'") == len(TABLES) * _PARTITIONS


def test_rows_are_written_changed_and_deleted(rabbitmq_server, db, queues, kopru):
    daemon = kopru(queues=[{"name": queues.subscription, "entity": "subscription", "writers": 1},
                           {"name": queues.customer, "entity": "customer", "writers": 2}],
                   http=Endpoint().settings)
    ids = [f"s{n}" for n in range(40)]
    with held_back(rabbitmq_server, db, daemon, queues.subscription, len(ids),
                   table="subscriptions"):  # in one batch, so that COPY writes the child rows
        rabbitmq_server.publish_many(queues.subscription, [
            _subscription(entity_id, "Before-1", 10, "known") for entity_id in ids])
    rabbitmq_server.publish_many(queues.customer, [_customer(f"c{n}", "A", "B", "C")
                                                   for n in range(40)])
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert _characteristics(db) == dict.fromkeys(ids, ("Before-1", 10))
    # known and new ones in one batch, and fewer rows
    rabbitmq_server.publish_many(queues.subscription, [
        *(_subscription(entity_id, "After-2", 4, "known") for entity_id in ids),
        *(_subscription(f"n{n}", "After-2", 4, "unknown") for n in range(40))])
    rabbitmq_server.publish_many(queues.customer, [_customer("known", "Z"), b"not JSON",
                                                   *(_customer(f"c{n}", "D") for n in range(40))])
    rabbitmq_server.wait_until_empty(queues.subscription)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _characteristics(db) == dict.fromkeys(ids + [f"n{n}" for n in range(40)],
                                                 ("After-2", 4))
    assert db.query("SELECT city, count(*) FROM kopru.contact_mediums GROUP BY 1 ORDER BY 1") == [
        ("D", 40), ("Z", 1)]
    assert db.query("SELECT customer_id, count(*) FROM kopru.engaged_parties_without_customer "
                    "GROUP BY 1") == [("unknown", 40)]
    assert db.value("SELECT count(DISTINCT tableoid) FROM kopru.subscriptions") == _PARTITIONS
    assert [row["reason"] for row in read_dead_letters(db)] == ["not_json"]
    assert daemon.events("rows_not_written") == [] and daemon.events("quarantined") == []
    assert daemon.terminate() == 0


def test_rows_that_were_there_are_known(rabbitmq_server, postgres_server, queues, kopru, db):
    """A DBA partitions tables that have rows, while the daemon waits."""
    plain = database.create_installed(postgres_server, partitions=0)
    try:
        daemon = kopru(postgres={"conninfo": plain.daemon_dsn})
        rabbitmq_server.publish_many(queues.customer, [_customer("a", "A", "B"),
                                                       _customer("b", "B")])
        rabbitmq_server.wait_until_empty(queues.customer)
        created = plain.query("SELECT customer_id, created_at FROM kopru.customers ORDER BY 1")
        with plain.admin() as connection:
            partition(connection, _PARTITIONS)
        rabbitmq_server.publish_many(queues.customer, [_customer("a", "C"), _customer("b", "B")])
        rabbitmq_server.wait_until_empty(queues.customer)
        assert plain.query("SELECT customer_id, city FROM kopru.contact_mediums ORDER BY 1") == [
            ("a", "C"), ("b", "B")]
        assert plain.query("SELECT customer_id, created_at FROM kopru.customers "
                           "ORDER BY 1") == created
        assert daemon.terminate() == 0
    finally:
        daemon.release()
        plain.drop()


@pytest.mark.parametrize("partitions", [0, _PARTITIONS])
def test_a_root_that_is_inserted_meanwhile_is_noticed(rabbitmq_server, postgres_server, queues,
                                                      kopru, db, partitions):
    """Its children were not loaded, so that they would stay beside those of the message."""
    if partitions == 0:
        db = database.create_installed(postgres_server, partitions=0)
    try:
        daemon = kopru(postgres={"conninfo": db.daemon_dsn})
        with db.admin() as connection, connection.transaction():
            connection.execute("INSERT INTO kopru.customers (customer_id, name) "
                               "VALUES ('a', 'by hand')")
            connection.execute("INSERT INTO kopru.contact_mediums (customer_id, position, city) "
                               "VALUES ('a', 1, 'by hand'), ('a', 2, 'by hand')")
            rabbitmq_server.publish_many(queues.customer, [
                *(_customer(f"n{n}", "N") for n in range(20)), _customer("a", "A")])
            daemon.wait_until(lambda: db.value("SELECT count(*) FROM pg_stat_activity "
                                               "WHERE usename = 'kopru_daemon' "
                                               "AND wait_event_type = 'Lock'"),
                              30, "the daemon to wait for the row")
        rabbitmq_server.wait_until_empty(queues.customer)
        assert db.query("SELECT position, city FROM kopru.contact_mediums "
                        "WHERE customer_id = 'a'") == [(1, "A")]
        assert db.value("SELECT count(*) FROM kopru.customers") == 21
        (line,) = daemon.events("rows_not_written")
        assert (line["subject"], line["level"]) == ("kopru.customers", "warning")
        assert "to be inserted" in line["why"]
        assert daemon.events("quarantined") == [] and read_dead_letters(db) == []
    finally:
        daemon.release()
        if partitions == 0:
            db.drop()


_FUNCTION = ("CREATE FUNCTION public.site_rule() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RETURN NEW; END $$;")


def test_check_warns_of_no_partition_but_of_what_is_on_it(check, db):
    before = check()
    assert before.status == _OK
    assert not [each for each in before.warnings if each.subject.startswith("kopru.")], before
    for number, (statement, why) in enumerate([
            ("CREATE TRIGGER one BEFORE INSERT ON kopru.customers_3 FOR EACH ROW "
             "EXECUTE FUNCTION public.site_rule()",
             "trigger one on partition customers_3 (BEFORE INSERT, function public.site_rule)"),
            ("DROP TRIGGER one ON kopru.customers_3; CREATE TRIGGER all_of_them AFTER UPDATE ON "
             "kopru.customers FOR EACH ROW EXECUTE FUNCTION public.site_rule()",
             "trigger all_of_them (AFTER UPDATE, function public.site_rule)"),
            # ONLY leaves the copies on the partitions as they are
            ("ALTER TABLE ONLY kopru.customers DISABLE TRIGGER all_of_them; "
             + "".join(f"ALTER TABLE kopru.customers_{n} DISABLE TRIGGER all_of_them; "
                       for n in range(1, _PARTITIONS))
             + "ALTER TABLE kopru.customers_0 ENABLE TRIGGER all_of_them",
             "trigger all_of_them on partition customers_0 "
             "(AFTER UPDATE, function public.site_rule)")]):
        db.query(f"{_FUNCTION if number == 0 else ''} {statement}")
        report = check()
        assert report.status == _OK, report
        assert [(each.subject, each.why) for each in report.warnings
                if each.subject.startswith("kopru.")] == [("kopru.customers", why)]


_PARTITION_OF_BAD = """
SELECT r FROM generate_series(0, %s - 1) AS r
WHERE satisfies_hash_partition('kopru.contact_mediums'::regclass, %s, r, 'bad'::text COLLATE "C")"""
_OF_OTHER_PARTITIONS = """
SELECT 'd' || n FROM generate_series(0, 99) AS n, generate_series(0, %s - 1) AS r
WHERE satisfies_hash_partition('kopru.customers'::regclass, %s, r, 'elsewhere'::text COLLATE "C")
AND NOT satisfies_hash_partition('kopru.customers'::regclass, %s, r, ('d' || n) COLLATE "C")
LIMIT 40"""


def test_what_the_server_does_not_support_pauses_and_is_said(rabbitmq_server, db, queues, kopru):
    """SQLSTATE 0A000 is a cached plan's only where there may be one."""
    endpoint = Endpoint()
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                   http=endpoint.settings)
    rabbitmq_server.publish_many(queues.customer, [_customer(f"c{n}", "A") for n in range(40)])
    rabbitmq_server.wait_until_empty(queues.customer)
    db.query("CREATE FUNCTION public.site_rule() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN NEW.customer_id := 'elsewhere'; RETURN NEW; END $$;"
             "CREATE TRIGGER site_rule BEFORE INSERT ON kopru.customers FOR EACH ROW "
             "EXECUTE FUNCTION public.site_rule()")
    moved = [entity_id for (entity_id,) in db.query(_OF_OTHER_PARTITIONS, _PARTITIONS,
                                                    _PARTITIONS, _PARTITIONS)]
    rabbitmq_server.publish_many(queues.customer, [_customer(each, "A") for each in moved])
    (line, *_) = daemon.wait_for_event("paused", count=2, deadline_s=60)
    assert (line["sqlstate"], line["subject"]) == ("0A000", "kopru_insert_customers")
    assert "moving row to another partition" in line["why"]
    assert "a new connection changes nothing" in line["hint"]
    endpoint.wait_until_readyz(daemon, 503, f"queue {queues.customer} paused")
    assert read_dead_letters(db) == []
    assert daemon.events("quarantine_rejected") == []
    db.query("DROP FUNCTION public.site_rule() CASCADE")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.value("SELECT count(*) FROM kopru.customers") == 80
    assert read_dead_letters(db) == []


@pytest.mark.parametrize("partitions", [1, _PARTITIONS])
def test_a_trigger_on_partitions_alone_is_looked_at(rabbitmq_server, db, queues, kopru, partitions):
    """It renames a row within its partition, which only a lookup shows."""
    (met,) = db.query(_PARTITION_OF_BAD, _PARTITIONS, _PARTITIONS)
    numbers = met if partitions == 1 else range(partitions)
    place = f"partition contact_mediums_{met[0]}" if partitions == 1 else f"{partitions} partitions"
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                   quarantine={"attempts": 1000, "minutes": 10})
    rabbitmq_server.publish(queues.customer, _customer("first", "A"))
    rabbitmq_server.wait_until_empty(queues.customer)  # the writer knows the kind of the tables
    db.query("CREATE FUNCTION public.site_rule() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN NEW.position := 7; RETURN NEW; END $$;"
             + "".join(f"CREATE TRIGGER site_rule BEFORE INSERT ON kopru.contact_mediums_{number} "
                       "FOR EACH ROW WHEN (NEW.customer_id = 'bad') "
                       "EXECUTE FUNCTION public.site_rule();" for number in numbers))
    rabbitmq_server.publish_many(queues.customer, [_customer("good", "A"), _customer("bad", "A")])
    (line, *_) = daemon.wait_for_event("quarantined")
    assert (line["entity_id"], line["table"]) == ("bad", "contact_mediums")
    assert f"there is trigger site_rule on {place}, which" in line["hint"]
    db.query("DROP FUNCTION public.site_rule() CASCADE")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT customer_id, position FROM kopru.contact_mediums ORDER BY 1") == [
        ("bad", 1), ("first", 1), ("good", 1)]


def test_an_outage_on_partitions_alone_condemns_nobody(rabbitmq_server, db, queues, kopru):
    """A row that is written again as it is does not meet a trigger that asks what has changed."""
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                   quarantine={"attempts": 1000, "minutes": 10}, log={"level": "debug"})
    rabbitmq_server.publish_many(queues.customer, [_customer(f"c{n}", "A") for n in range(40)])
    rabbitmq_server.wait_until_empty(queues.customer)
    db.query("CREATE FUNCTION public.site_rule() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RAISE EXCEPTION 'no'; END $$;"
             + "".join(f"CREATE TRIGGER site_rule AFTER UPDATE ON kopru.contact_mediums_{number} "
                       "FOR EACH ROW WHEN (OLD.city IS DISTINCT FROM NEW.city) "
                       "EXECUTE FUNCTION public.site_rule();" for number in range(_PARTITIONS)))
    rabbitmq_server.publish_many(queues.customer, [_customer(f"c{n}", "B") for n in range(20)])
    daemon.wait_until(lambda: len(daemon.events("witness")) >= 4, 60, "some rows to be asked")
    assert {line["result"] for line in daemon.events("witness")} == {"no witness"}
    assert read_dead_letters(db) == []
    db.query("LOCK TABLE kopru.contact_mediums;"  # whole, as the daemon goes on meanwhile
             "DROP FUNCTION public.site_rule() CASCADE")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT city, count(*) FROM kopru.contact_mediums GROUP BY 1 ORDER BY 1") == [
        ("A", 20), ("B", 20)]
    assert read_dead_letters(db) == []


@pytest.mark.parametrize("partitions", [0, _PARTITIONS])
def test_statements_follow_the_kind_of_the_tables(rabbitmq_server, postgres_server, queues, kopru,
                                                  partitions):
    """The writer learns it with the first rows that it writes."""
    db = database.create_installed(postgres_server, partitions=partitions)
    watch = PgWatch()
    try:
        with Proxy(postgres_server.port, tap=watch.tap) as proxy:
            daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                           postgres={"conninfo": psycopg.conninfo.make_conninfo(
                               db.daemon_dsn, port=str(proxy.port))})
            rabbitmq_server.publish(queues.customer, _customer("a", "A"))
            rabbitmq_server.wait_until_empty(queues.customer)
            sent = []

            def note(message):
                if message.is_from_client and message.kind == "B":
                    sent.extend(name for name in message.statements[-1:]
                                if name.startswith(("kopru_load_", "kopru_foreign_")))
                return False

            watch.stop_at(note)
            rabbitmq_server.publish(queues.customer, _customer("a", "B"))
            rabbitmq_server.wait_until_empty(queues.customer)
            assert len(sent) == 3
            assert {"_partitioned_" in name for name in sent} == {partitions > 0}, sent
            daemon.release()
    finally:
        db.drop()
