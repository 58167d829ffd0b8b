"""What the database refuses is a message's fault only when something says so: an outage costs no
message, and a row that can never be written costs that row.
"""

import json

import pytest
from support.endpoint import Endpoint
from support.marks import needs_a_unique_value
from support.postgres import major_version
from support.tables import read_dead_letters
from support.transaction_rate import RollbackWatch

_RAISE = """
CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN {body} RETURN NULL; END $$;
"""
_AT_STATEMENT = """
CREATE TRIGGER fault BEFORE INSERT OR UPDATE ON kopru.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION public.fault();
"""
_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER fault AFTER INSERT OR UPDATE ON kopru.{table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fault();
"""


def _customer(entity_id, **properties):
    return json.dumps({"id": entity_id, "name": "good", **properties}).encode()


def _raising(sqlstate):
    return _RAISE.format(body=f"RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}';")


def _drop(db, *tables):
    for table in tables:
        # whole, with its partitions, as the daemon goes on meanwhile
        db.query(f"LOCK TABLE kopru.{table}; DROP TRIGGER fault ON kopru.{table}")


def _names(db):
    return dict(db.query("SELECT customer_id, name FROM kopru.customers"))


def _queue(queues, writers=1):
    return [{"name": queues.customer, "entity": "customer", "writers": writers}]


def _wait_until_nothing_gets_through(daemon, endpoint, queues):
    daemon.wait_for_event("paused", count=2, deadline_s=60)
    endpoint.wait_until_readyz(daemon, 503, f"queue {queues.customer} paused")


def test_a_missing_partition_is_no_bad_row(rabbitmq_server, db, queues, kopru):
    """23514, and no constraint is named: a DBA has to create the partition."""
    db.query("CREATE TABLE public.audit (at timestamptz DEFAULT now(), k text) "
             "PARTITION BY RANGE (at)")
    db.query("GRANT INSERT ON public.audit TO PUBLIC")
    db.query(_RAISE.format(body="INSERT INTO public.audit (k) VALUES (NEW.customer_id);"))
    db.query("CREATE TRIGGER fault AFTER INSERT OR UPDATE ON kopru.customers "
             "FOR EACH ROW EXECUTE FUNCTION public.fault()")
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues, 2), http=endpoint.settings)
    rabbitmq_server.publish_many(queues.customer, (_customer(f"b{n}") for n in range(200)))
    _wait_until_nothing_gets_through(daemon, endpoint, queues)
    assert any("partition" in line.get("hint", "") for line in daemon.events("paused"))
    assert read_dead_letters(db) == []
    db.query("CREATE TABLE public.audit_default PARTITION OF public.audit DEFAULT")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_names(db)) == 200
    assert read_dead_letters(db) == []
    endpoint.wait_until_readyz(daemon, 200, f"queue {queues.customer} consuming")
    assert daemon.terminate() == 0


def test_a_column_that_kopru_does_not_know_is_no_bad_row(rabbitmq_server, db, queues, kopru):
    """23502 names a column, but no message could have filled it."""
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues), http=endpoint.settings)
    db.query("ALTER TABLE kopru.customers ADD COLUMN region text NOT NULL")
    rabbitmq_server.publish_many(queues.customer, (_customer(f"b{n}") for n in range(30)))
    _wait_until_nothing_gets_through(daemon, endpoint, queues)
    assert any("region" in line["why"] for line in daemon.events("paused"))
    db.query("ALTER TABLE kopru.customers ALTER COLUMN region SET DEFAULT ''")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_names(db)) == 30
    assert read_dead_letters(db) == []


def test_a_column_that_became_too_narrow_is_no_bad_row(rabbitmq_server, db, queues, kopru):
    """22001 says that a value does not fit, and not which of the two is wrong."""
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues), http=endpoint.settings)
    db.query("ALTER TABLE kopru.customers ALTER COLUMN name TYPE varchar(3)")
    rabbitmq_server.publish_many(queues.customer, (_customer(f"b{n}") for n in range(60)))
    _wait_until_nothing_gets_through(daemon, endpoint, queues)
    db.query("ALTER TABLE kopru.customers ALTER COLUMN name TYPE text")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_names(db)) == 60
    assert read_dead_letters(db) == []


@pytest.mark.parametrize("writers", [1, 2, 8])
@pytest.mark.parametrize(("sqlstate", "where"), [("54000", _AT_STATEMENT), ("54000", _AT_COMMIT),
                                                 ("P0001", _AT_STATEMENT), ("22012", _AT_COMMIT)],
                         ids=["54000", "54000 deferred", "P0001", "22012 deferred"])
def test_what_every_row_meets_costs_none(rabbitmq_server, db, queues, kopru, sqlstate, where,
                                         writers):
    """A statement that carries rows fails for all of them, and so do the dead letters, as in a
    server that takes no commands; after some seconds it is over."""
    db.query(_raising(sqlstate))
    tables = ("customers", "dead_letters")
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues, writers), http=endpoint.settings)
    for table in tables:
        db.query(where.format(table=table))
    rabbitmq_server.publish_many(queues.customer, (_customer(f"c{n * 7919}") for n in range(300)))
    daemon.wait_for_event("paused", count=2, deadline_s=60)
    endpoint.wait_until_readyz(daemon, 503)
    assert read_dead_letters(db) == []
    _drop(db, *tables)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert read_dead_letters(db) == []
    assert len(_names(db)) == 300
    endpoint.wait_until_readyz(daemon, 200, f"queue {queues.customer} consuming")


@pytest.mark.skipif(major_version() < 14, reason="this server does not blame the parameter")
def test_values_that_no_column_can_hold_need_no_neighbour(rabbitmq_server, db, queues, kopru):
    """22003 of a parameter that kopru sent; of a trigger's own arithmetic it would be doubtful."""
    daemon = kopru(queues=_queue(queues))
    for n in range(3):
        rabbitmq_server.publish(queues.customer, b'{"id":"c%d","x":1e%d}' % (n, 200000 + n))
        rabbitmq_server.wait_until_empty(queues.customer)
    assert {row["sqlstate"] for row in read_dead_letters(db)} == {"22003"}
    assert not daemon.events("quarantined")


@pytest.mark.skipif(major_version() >= 14, reason="this server blames the parameter")
def test_where_no_parameter_is_blamed_they_wait_for_a_neighbour(rabbitmq_server, db, queues, kopru):
    daemon = kopru(queues=_queue(queues))
    rabbitmq_server.publish(queues.customer, b'{"id":"c0","x":1e200000}')
    daemon.wait_for_event("quarantined")
    assert read_dead_letters(db) == []
    rabbitmq_server.publish(queues.customer, _customer("neighbour"))
    rabbitmq_server.wait_until_empty(queues.customer)
    assert [row["sqlstate"] for row in read_dead_letters(db)] == ["22003"]


def test_a_sequence_that_ran_out_behind_a_trigger_costs_none(rabbitmq_server, db, queues, kopru):
    """The same SQLSTATE, for every row."""
    db.query("CREATE TABLE public.audit (n integer); GRANT INSERT ON public.audit TO PUBLIC")
    db.query(_RAISE.format(body="INSERT INTO public.audit VALUES (2147483648);"))
    db.query("CREATE TRIGGER fault AFTER INSERT OR UPDATE ON kopru.customers "
             "FOR EACH ROW EXECUTE FUNCTION public.fault()")
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues), http=endpoint.settings)
    rabbitmq_server.publish_many(queues.customer, (_customer(f"b{n}") for n in range(60)))
    _wait_until_nothing_gets_through(daemon, endpoint, queues)
    assert {line["sqlstate"] for line in daemon.events("paused")} == {"22003"}
    _drop(db, "customers")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert read_dead_letters(db) == []
    assert len(_names(db)) == 60


@pytest.mark.parametrize(("sqlstate", "kind", "most", "last", "mend"), [
    ("2200H", "bigint", 100, 100, "ALTER SEQUENCE public.numbers MAXVALUE 10000"),
    ("22003", "integer", 2**32, 2**31,
     "ALTER TABLE kopru.customers ALTER COLUMN number TYPE bigint"),
], ids=["exhausted", "beyond its column"])
def test_a_default_that_fails_for_every_row_costs_none(rabbitmq_server, db, queues, kopru, sqlstate,
                                                       kind, most, last, mend):
    """A number of the site's own in each row: no message is at fault that there is none left."""
    db.query(f"CREATE SEQUENCE public.numbers MAXVALUE {most}")
    db.query("GRANT USAGE ON SEQUENCE public.numbers TO PUBLIC")
    db.query(f"ALTER TABLE kopru.customers ADD COLUMN number {kind}")
    db.query("ALTER TABLE kopru.customers "
             "ALTER COLUMN number SET DEFAULT nextval('public.numbers')")
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues), http=endpoint.settings)
    rabbitmq_server.publish(queues.customer, _customer("first"))
    rabbitmq_server.wait_until_empty(queues.customer)
    db.query(f"SELECT setval('public.numbers', {last})")
    rabbitmq_server.publish_many(queues.customer, [_customer("first", status="new"),
                                                   *(_customer(f"b{n}") for n in range(60))])
    _wait_until_nothing_gets_through(daemon, endpoint, queues)
    assert {line["sqlstate"] for line in daemon.events("paused")} == {sqlstate}
    assert read_dead_letters(db) == []
    db.query(mend)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert read_dead_letters(db) == []
    assert len(_names(db)) == 61


def test_a_sequence_that_ran_out_costs_not_even_a_lone_message(rabbitmq_server, db, queues, kopru):
    """Four failures alone, with no other traffic, make a dead letter of what may be a bad row."""
    db.query("CREATE SEQUENCE public.numbers MAXVALUE 2")
    db.query("GRANT USAGE ON SEQUENCE public.numbers TO PUBLIC")
    db.query("SELECT setval('public.numbers', 2)")
    db.query("ALTER TABLE kopru.customers ADD COLUMN number bigint")
    db.query("ALTER TABLE kopru.customers "
             "ALTER COLUMN number SET DEFAULT nextval('public.numbers')")
    daemon = kopru(queues=_queue(queues))
    rabbitmq_server.publish(queues.customer, _customer("lone"))
    daemon.wait_until(lambda: len(daemon.events("paused")) > 5 or read_dead_letters(db), 60,
                      "a verdict")
    assert read_dead_letters(db) == []
    db.query("ALTER SEQUENCE public.numbers MAXVALUE 10000")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert read_dead_letters(db) == []
    assert _names(db) == {"lone": "good"}


@needs_a_unique_value
def test_a_sequence_behind_its_rows_costs_none(rabbitmq_server, db, queues, kopru):
    """As after a logical copy. New rows collide; those that are there are written."""
    daemon = kopru(queues=_queue(queues), quarantine={"attempts": 2, "minutes": 0.01})
    rabbitmq_server.publish_many(queues.customer, (_customer(f"old{n}") for n in range(200)))
    rabbitmq_server.wait_until_empty(queues.customer)
    db.query("ALTER TABLE kopru.customers ADD COLUMN number bigint "
             "GENERATED BY DEFAULT AS IDENTITY UNIQUE")
    db.query("SELECT setval('kopru.customers_number_seq', 1, false)")
    rabbitmq_server.publish_many(queues.customer, (_customer(f"new{n}") for n in range(5)))
    rabbitmq_server.publish_many(queues.customer,
                                 (_customer(f"old{n}", status="new") for n in range(10)))
    (line, *_) = daemon.wait_for_event("quarantined")
    assert line["sqlstate"] == "23505"
    assert "setval" in line["hint"]
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers "
                                       "WHERE status = 'new'") == 10, 60, "the others")
    assert read_dead_letters(db) == []
    db.query("SELECT setval('kopru.customers_number_seq', 1000)")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_names(db)) == 205
    assert read_dead_letters(db) == []


# Row security calls it for the row of the lease that each transaction checks.
_AT_LEASE_CHECK = """
CREATE FUNCTION public.gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    IF current_query() LIKE '%FOR KEY SHARE%' THEN
        RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}';
    END IF;
    RETURN true; END $$;
CREATE POLICY gate ON kopru.queues USING (public.gate());
ALTER TABLE kopru.queues ENABLE ROW LEVEL SECURITY;
"""


@pytest.mark.parametrize("sqlstate", ["54000", "P0001", "22023", "ZZ001"])
def test_what_a_server_without_transaction_ids_says_costs_none(rabbitmq_server, db, queues, kopru,
                                                               sqlstate):
    """The lease check is the first statement that needs one, and carries no row."""
    endpoint = Endpoint()
    with RollbackWatch(db, most=100) as watch:
        daemon = kopru(queues=_queue(queues, 2), http=endpoint.settings)
        db.query(_AT_LEASE_CHECK.format(sqlstate=sqlstate))
        rabbitmq_server.publish_many(queues.customer, (_customer(f"c{n}") for n in range(300)))
        daemon.wait_until(lambda: len([line for line in daemon.log_lines()
                                       if line.get("sqlstate") == sqlstate]) > 3, 60,
                          "it to be said")
        endpoint.wait_until_readyz(daemon, 503, sqlstate)
    watch.require_waits()
    assert not daemon.events("quarantined")
    db.query("ALTER TABLE kopru.queues DISABLE ROW LEVEL SECURITY")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert read_dead_letters(db) == []
    assert len(_names(db)) == 300


def test_the_lease_keeper_waits_longer_while_it_renews_nothing(db, queues, kopru):
    """It reaches the database each time, and each time in vain."""
    daemon = kopru(queues=_queue(queues))
    db.query(_raising("P0001") + "CREATE TRIGGER fault BEFORE UPDATE ON kopru.queues "
             "FOR EACH STATEMENT EXECUTE FUNCTION public.fault()")
    daemon.wait_until(lambda: [line for line in daemon.events("database_unavailable")
                               + daemon.events("paused") if line.get("retry_ms", 0) > 1000], 30,
                      "a longer wait")


_MADE_UP_NAMES = """
CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'x' USING ERRCODE = '23505', SCHEMA = 'kopru', TABLE = 'customers',
        COLUMN = NEW.name, CONSTRAINT = NEW.name;
END $$;
CREATE TRIGGER fault BEFORE INSERT ON kopru.customers FOR EACH ROW EXECUTE FUNCTION public.fault()
"""


def test_names_that_a_trigger_makes_up_are_neither_logged_nor_believed(rabbitmq_server, db, queues,
                                                                       kopru):
    """A function of the site may put a value where the server puts a name."""
    db.query(_MADE_UP_NAMES)
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues), http=endpoint.settings)
    rabbitmq_server.publish_many(queues.customer,
                                 [_customer(str(n), name="Gülizar Secret") for n in range(5)])
    daemon.wait_for_event("paused", count=2, deadline_s=60)
    assert "Secret" not in daemon.stderr_text()
    assert "Secret" not in endpoint.ask("/readyz?verbose")[1]
    assert read_dead_letters(db) == []
    _drop(db, "customers")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_names(db)) == 5


def test_a_deferred_rule_judges_rows_that_are_copied(rabbitmq_server, db, queues, kopru):
    """COPY comes after the other rows of the batch, and the constraints after COPY."""
    db.query("""
        CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'the site refuses it'; END $$;
        CREATE CONSTRAINT TRIGGER fault AFTER INSERT OR UPDATE ON kopru.contact_mediums
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.city = 'nowhere')
            EXECUTE FUNCTION public.fault()""")
    daemon = kopru(queues=_queue(queues), log={"level": "debug"})
    bodies = [_customer(f"n{n}", contactMedium=[{"mediumType": "PHONE"}] * 3) for n in range(300)]
    bodies[150] = _customer("p", contactMedium=[{"characteristic": {"city": "nowhere"}}])
    bodies[151] = b"{"
    rabbitmq_server.publish_many(queues.customer, bodies)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert {row["entity_id"] for row in read_dead_letters(db)} == {"p", None}
    assert len(_names(db)) == 298
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == 3 * 298
    assert daemon.terminate() == 0


@pytest.mark.parametrize("sqlstate", ["54000", "P0001",
                                      *(pytest.param(state, marks=pytest.mark.full)
                                        for state in ("23514", "22012"))])
def test_dead_letters_refused_at_commit_cost_no_neighbour(rabbitmq_server, db, queues, kopru,
                                                          sqlstate):
    """They wait with their neighbours, slowly, and say so."""
    db.query(_raising(sqlstate) + _AT_COMMIT.format(table="dead_letters"))
    endpoint = Endpoint()
    with RollbackWatch(db, most=100) as watch:
        daemon = kopru(queues=_queue(queues), http=endpoint.settings)
        rabbitmq_server.publish_many(queues.customer,
                                     [b"{", *(_customer(str(n)) for n in range(48))])
        rabbitmq_server.publish(queues.customer, b"[]")
        _wait_until_nothing_gets_through(daemon, endpoint, queues)
        daemon.wait_for_event("paused", count=4, deadline_s=60)
    assert {line["sqlstate"] for line in daemon.events("paused")} == {sqlstate}
    hints = {line["hint"] for line in daemon.events("paused")}
    assert all("kopru.dead_letters" in hint for hint in hints), hints
    watch.require_waits()
    _drop(db, "dead_letters")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert {(row["reason"], row["body"]) for row in read_dead_letters(db)} == {
        ("not_json", b"{"), ("not_object", b"[]")}
    assert len(_names(db)) == 48


def test_a_verdict_does_not_outlive_its_reason(rabbitmq_server, db, queues, kopru):
    """While the dead letter cannot be written, the rule that refused the message goes away."""
    db.query("ALTER TABLE kopru.customers ADD CONSTRAINT site_rule CHECK (name <> 'bad')")
    db.query(_raising("53100") + _AT_STATEMENT.format(table="dead_letters"))
    daemon = kopru(queues=_queue(queues))
    rabbitmq_server.publish(queues.customer, _customer("p", name="bad"))
    daemon.wait_until(lambda: [line for line in daemon.log_lines()
                               if line.get("sqlstate") == "53100"], 30, "the dead letter to fail")
    db.query("ALTER TABLE kopru.customers DROP CONSTRAINT site_rule")
    daemon.wait_until(lambda: _names(db) == {"p": "bad"}, 30, "the message to be written")
    _drop(db, "dead_letters")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert read_dead_letters(db) == []
    assert daemon.terminate() == 0


_FOR_ONE = """
CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.name = 'poison' THEN {body} END IF; RETURN NEW; END $$;
CREATE TRIGGER fault BEFORE INSERT OR UPDATE ON kopru.customers
    FOR EACH ROW EXECUTE FUNCTION public.fault();
"""
_STATES = ["42703", "42501", "40001", "0A000", "08006", "23503", "53100", "57014", "58030", "XX000",
           "54000", "23514", "P0001"]
_MORE_STATES = ["42P01", "40P01", "08001", "25006", "26000", "28000", "53200", "53300", "55P03",
                "57P01", "57P03", "F0000", "XX001", "21000", "22P03", "3F000"]
_ROW_FAULTS = {
    **{state: (_FOR_ONE.format(body=f"RAISE EXCEPTION 'x' USING ERRCODE = '{state}';"),
               "DROP TRIGGER fault ON kopru.customers") for state in _STATES + _MORE_STATES},
    "a column that is not there": (_FOR_ONE.format(body="NEW.nowhere := 1;"),
                                   "DROP TRIGGER fault ON kopru.customers"),
    "row security": ("ALTER TABLE kopru.customers ENABLE ROW LEVEL SECURITY; "
                     "CREATE POLICY fault ON kopru.customers TO PUBLIC USING (true) "
                     "WITH CHECK (name <> 'poison')",
                     "ALTER TABLE kopru.customers DISABLE ROW LEVEL SECURITY"),
    "a foreign key": ("CREATE TABLE public.names (name text PRIMARY KEY); "
                      "INSERT INTO public.names VALUES ('good'); "
                      "ALTER TABLE kopru.customers ADD CONSTRAINT fault FOREIGN KEY (name) "
                      "REFERENCES public.names; GRANT SELECT ON public.names TO PUBLIC",
                      "ALTER TABLE kopru.customers DROP CONSTRAINT fault"),
}
_BECOMES_A_DEAD_LETTER = {"P0001", "23514"}


@pytest.mark.parametrize("fault", [
    pytest.param(fault, marks=pytest.mark.full if fault in _MORE_STATES else ())
    for fault in _ROW_FAULTS])
def test_a_row_that_cannot_be_written_costs_that_row(rabbitmq_server, db, queues, kopru, fault):
    make, mend = _ROW_FAULTS[fault]
    db.query(make)
    daemon = kopru(queues=_queue(queues), quarantine={"attempts": 1000, "minutes": 10})
    bodies = [_customer(f"n{n}") for n in range(40)]
    bodies[20] = _customer("p", name="poison")
    rabbitmq_server.publish_many(queues.customer, bodies)
    daemon.wait_until(lambda: len(_names(db)) == 39, 60, "all neighbours to be committed")
    # So do those that come later, however often it is tried.
    rabbitmq_server.publish(queues.customer, _customer("later"))
    daemon.wait_until(lambda: "later" in _names(db), 30, "a later message to be committed")
    if fault in _BECOMES_A_DEAD_LETTER:
        rabbitmq_server.wait_until_empty(queues.customer)
        assert [row["entity_id"] for row in read_dead_letters(db)] == ["p"]
        return
    daemon.wait_until(lambda: [line for line in daemon.events("quarantined")
                               if line["attempts"] > 1], 60, "it to be tried again")
    assert {line["entity_id"] for line in daemon.events("quarantined")} == {"p"}
    assert read_dead_letters(db) == []
    db.query(mend)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _names(db)["p"] == "poison"
    assert read_dead_letters(db) == []
    assert daemon.terminate() == 0


def test_a_row_that_cannot_be_read_costs_that_row(rabbitmq_server, db, queues, kopru):
    """Somebody wrote what kopru never writes."""
    db.query("INSERT INTO kopru.customers (customer_id, name, extra) VALUES ('p', 'old', '[]')")
    daemon = kopru(queues=_queue(queues))
    bodies = [_customer(f"n{n}") for n in range(40)]
    bodies[20] = _customer("p", name="new", more=1)
    rabbitmq_server.publish_many(queues.customer, bodies)
    daemon.wait_until(lambda: len(_names(db)) == 40, 60, "all neighbours to be committed")
    daemon.wait_until(lambda: daemon.events("quarantined"), 30, "it to be quarantined")
    assert read_dead_letters(db) == []
    db.query("UPDATE kopru.customers SET extra = '{}' WHERE customer_id = 'p'")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _names(db)["p"] == "new"


def test_a_lone_row_that_cannot_be_written_does_not_stop_its_writer(rabbitmq_server, db, queues,
                                                                    kopru):
    """Nothing tells the two apart until something else gets through: meanwhile it shows."""
    make, mend = _ROW_FAULTS["row security"]
    db.query(make)
    endpoint = Endpoint()
    daemon = kopru(queues=_queue(queues), http=endpoint.settings)
    rabbitmq_server.publish(queues.customer, _customer("p", name="poison"))
    daemon.wait_for_event("paused", count=2)
    endpoint.wait_until_readyz(daemon, 503, f"queue {queues.customer} paused", "42501")
    rabbitmq_server.publish(queues.customer, _customer("a"))
    daemon.wait_until(lambda: _names(db) == {"a": "good"}, 60, "the other to be committed")
    endpoint.wait_until_readyz(daemon, 200, "1 entity fails alone and waits: p (SQLSTATE 42501")
    db.query(mend)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _names(db) == {"a": "good", "p": "poison"}
    assert read_dead_letters(db) == []
    assert daemon.terminate() == 0


def test_a_fault_of_the_table_is_searched_for_slowly(rabbitmq_server, db, queues, kopru):
    """Nothing gets through, so there is nothing to find: neither many transactions nor many
    quarantined entities."""
    endpoint = Endpoint()
    with RollbackWatch(db, most=150) as watch:
        daemon = kopru(queues=_queue(queues, 2), http=endpoint.settings)
        db.query("REVOKE INSERT ON kopru.customers FROM kopru_writer")
        rabbitmq_server.publish_many(queues.customer, (_customer(f"c{n}") for n in range(1000)))
        _wait_until_nothing_gets_through(daemon, endpoint, queues)
        daemon.wait_for_event("paused", count=8, deadline_s=60)
    watch.require_waits()
    # One of each writer; and all of a first batch that held few: nothing else was left to try.
    assert endpoint.metrics()["kopru_quarantined_entities", queues.customer] <= 8
    assert all("kopru check" in line["hint"] for line in daemon.events("paused"))
    db.query("GRANT INSERT ON kopru.customers TO kopru_writer")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_names(db)) == 1000
    assert read_dead_letters(db) == []
    assert daemon.events("resumed")
    assert daemon.terminate() == 0
