"""A stored row as a witness: what a trigger of the site refuses while nothing else is written is a
message's fault if the database still takes a row that it holds, and else it is an outage.
"""

import json

import pytest
from support.endpoint import Endpoint
from support.marks import needs_a_unique_value, on_partitions_too
from support.tables import DATA_TABLES, read_dead_letters, read_table

# More than the quarantine of one writer has room for.
_MANY = 40
_TRIGGER = """
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER refuse {when} ON kopru.{table}
    FOR EACH ROW {condition} EXECUTE FUNCTION public.refuse();
"""
_BEFORE = "BEFORE INSERT OR UPDATE"
_DROP = "DROP TRIGGER refuse ON kopru.customers"
_POISON = "WHEN (NEW.{column} = 'poison')"


def _customer(entity_id, name="good", city=None):
    mediums = {} if city is None else {"contactMedium": [{"city": city}]}
    return json.dumps({"id": entity_id, "name": name, **mediums}).encode()


def _start(kopru, queues, **changes):
    queue = {"name": queues.customer, "entity": "customer", "writers": 1}
    return kopru(queues=[queue], quarantine={"attempts": 1000, "minutes": 10}, **changes)


def _ids(db):
    return {name for (name,) in db.query("SELECT customer_id FROM kopru.customers")}


def _wait_for_attempts(daemon):
    """Where nothing is stored, a message would be a dead letter by then."""
    daemon.wait_until(lambda: any(line["attempts"] >= 6 for line in daemon.events("quarantined")),
                      120, "it to fail several times")


def _refuse_at_the_end(db, table, condition):
    db.query(_TRIGGER.format(when="AFTER INSERT OR UPDATE", table=table, condition=condition)
             .replace("CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER")
             .replace("FOR EACH ROW", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"))


def _store(rabbitmq_server, queues, *bodies):
    rabbitmq_server.publish_many(queues.customer, bodies)
    rabbitmq_server.wait_until_empty(queues.customer)


@on_partitions_too
@pytest.mark.parametrize("table, condition, poison", [
    ("customers", _POISON.format(column="name"), {"name": "poison"}),
    ("contact_mediums", _POISON.format(column="city"), {"city": "poison"}),
], ids=["root", "child"])
def test_many_refused_rows_do_not_stop_their_queue(rabbitmq_server, db, queues, kopru, table,
                                                   condition, poison):
    """All that was delivered is refused, so no neighbour is written that could show whose fault it
    is."""
    daemon = _start(kopru, queues, log={"level": "debug"})
    # Most have no row in the child table: they could not speak for that.
    _store(rabbitmq_server, queues, *(_customer(f"a{n}") for n in range(200)),
           _customer("b", city="Ankara"))
    db.query(_TRIGGER.format(when=_BEFORE, table=table, condition=condition))
    before = {name: read_table(db, name) for name in DATA_TABLES}
    rabbitmq_server.publish_many(queues.customer,
                                 [_customer(f"p{n:02}", **poison) for n in range(_MANY)])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert {dead_letter["sqlstate"] for dead_letter in read_dead_letters(db)} == {"P0001"}
    assert len(read_dead_letters(db)) == _MANY
    assert {name: read_table(db, name) for name in DATA_TABLES} == before
    assert "taken" in {line["result"] for line in daemon.events("witness")}
    assert daemon.terminate() == 0


def test_an_outage_on_a_quiet_queue_condemns_nobody(rabbitmq_server, db, queues, kopru):
    endpoint = Endpoint()
    daemon = _start(kopru, queues, http=endpoint.settings, log={"level": "debug"})
    _store(rabbitmq_server, queues, _customer("a"))
    db.query(_TRIGGER.format(when=_BEFORE, table="customers", condition=""))
    rabbitmq_server.publish(queues.customer, _customer("b"))
    _wait_for_attempts(daemon)
    endpoint.wait_until_readyz(daemon, 503, f"queue {queues.customer} paused", "P0001")
    assert {line["result"] for line in daemon.events("witness")} == {"refused"}
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db) == {"a", "b"}
    assert read_dead_letters(db) == []
    assert daemon.terminate() == 0


def _start_with_stored_rows(rabbitmq_server, queues, kopru):
    daemon = _start(kopru, queues, log={"level": "debug"})
    _store(rabbitmq_server, queues, *(_customer(f"a{n}", city="Ankara") for n in range(20)))
    return daemon


def _require_that_all_wait(rabbitmq_server, db, queues, daemon, table, result, prefix):
    """Many messages, and none that does not meet the trigger: all are written when it has gone."""
    rabbitmq_server.publish_many(queues.customer, [_customer(f"{prefix}{n}", "new", "Bursa")
                                                   for n in range(20)])
    daemon.wait_until(lambda: len(daemon.events("witness")) >= 4, 60, "some rows to be asked")
    daemon.wait_for_event("paused", count=3)
    assert {line["result"] for line in daemon.events("witness")} == {result}
    assert read_dead_letters(db) == []
    db.query(f"DROP TRIGGER refuse ON kopru.{table}")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(db.query("SELECT FROM kopru.customers WHERE name = 'new'")) == 20
    assert read_dead_letters(db) == []
    assert daemon.terminate() == 0


@pytest.mark.parametrize("table", ["customers", "contact_mediums"])
@pytest.mark.parametrize("when", ["BEFORE INSERT", "AFTER INSERT", "AFTER UPDATE"])
def test_an_outage_of_one_kind_of_write_condemns_nobody(rabbitmq_server, db, queues, kopru, table,
                                                        when):
    """Of new rows alone, or of stored ones."""
    daemon = _start_with_stored_rows(rabbitmq_server, queues, kopru)
    db.query(_TRIGGER.format(when=when, table=table, condition=""))
    _require_that_all_wait(rabbitmq_server, db, queues, daemon, table, "refused",
                           "a" if "UPDATE" in when else "b")


@on_partitions_too
@pytest.mark.parametrize("table, column", [("customers", "name"), ("contact_mediums", "city")])
def test_an_outage_of_changed_values_condemns_nobody(rabbitmq_server, db, queues, kopru, table,
                                                     column):
    """A row that is written again as it is does not meet such a trigger, as for an audit."""
    daemon = _start_with_stored_rows(rabbitmq_server, queues, kopru)
    db.query(_TRIGGER.format(when="AFTER UPDATE", table=table,
                             condition=f"WHEN (OLD.{column} IS DISTINCT FROM NEW.{column})"))
    _require_that_all_wait(rabbitmq_server, db, queues, daemon, table, "no witness", "a")


@needs_a_unique_value
def test_a_copy_that_a_key_of_the_site_refuses_says_nothing(rabbitmq_server, db, queues, kopru):
    daemon = _start(kopru, queues, log={"level": "debug"})
    _store(rabbitmq_server, queues, _customer("a", "Ayşe"))
    db.query("CREATE UNIQUE INDEX ON kopru.customers (name)")
    db.query(_TRIGGER.format(when=_BEFORE, table="customers",
                             condition=_POISON.format(column="name")))
    rabbitmq_server.publish(queues.customer, _customer("p", "poison"))
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(read_dead_letters(db)) == 1
    assert {line["result"] for line in daemon.events("witness")} == {"no witness"}
    assert daemon.terminate() == 0


def test_a_stored_row_that_is_refused_itself_is_passed_over(rabbitmq_server, db, queues, kopru):
    daemon = _start(kopru, queues, log={"level": "debug"})
    _store(rabbitmq_server, queues, _customer("a", "poison"), _customer("b"))
    db.query(_TRIGGER.format(when=_BEFORE, table="customers",
                             condition=_POISON.format(column="name")))
    rabbitmq_server.publish_many(queues.customer, [_customer("p", "poison"),
                                                   _customer("q", "poison")])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(read_dead_letters(db)) == 2
    assert {"refused", "taken"} <= {line["result"] for line in daemon.events("witness")}
    assert daemon.terminate() == 0


def test_a_stored_key_that_is_too_long_is_passed_over(rabbitmq_server, db, queues, kopru):
    """Somebody else wrote it, since kopru takes no such id."""
    daemon = _start(kopru, queues)
    db.query(f"INSERT INTO kopru.customers (customer_id) VALUES ('{'a' * 256}')")
    _store(rabbitmq_server, queues, _customer("b"))
    db.query(_TRIGGER.format(when=_BEFORE, table="customers",
                             condition=_POISON.format(column="name")))
    rabbitmq_server.publish_many(queues.customer, [_customer("p", "poison"),
                                                   _customer("q", "poison")])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(read_dead_letters(db)) == 2
    assert daemon.terminate() == 0


def test_a_refusal_at_the_end_of_the_changes_meets_a_witness(rabbitmq_server, db, queues, kopru):
    """A deferred trigger speaks after all statements of the transaction, so all must be proven."""
    daemon = _start(kopru, queues)
    _store(rabbitmq_server, queues, _customer("a", city="Ankara"))
    _refuse_at_the_end(db, "customers", _POISON.format(column="name"))
    rabbitmq_server.publish_many(queues.customer, [_customer("p", "poison", "Bursa"),
                                                   _customer("q", "poison", "Bursa")])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(read_dead_letters(db)) == 2
    assert daemon.terminate() == 0


def _subscription(entity_id, value=None, party=None):
    properties = {}
    if value is not None:
        properties["characteristic"] = [{"name": "n", "value": value}]
    if party is not None:
        properties["engagedParty"] = [{"id": party}]
    return json.dumps({"id": entity_id, **properties}).encode()


def _start_subscriptions(kopru, queues):
    queue = {"name": queues.subscription, "entity": "subscription", "writers": 1}
    return kopru(queues=[queue], quarantine={"attempts": 1000, "minutes": 10},
                 log={"level": "debug"})


def _refuse_removals(db, condition):
    db.query(_TRIGGER.format(when="BEFORE DELETE", table="contact_mediums", condition=condition))


def test_an_outage_of_removals_condemns_nobody(rabbitmq_server, db, queues, kopru):
    daemon = _start(kopru, queues, log={"level": "debug"})
    _store(rabbitmq_server, queues, _customer("a", city="Ankara"))
    _refuse_removals(db, "")
    emptied = json.dumps({"id": "a", "name": "good", "contactMedium": []}).encode()
    rabbitmq_server.publish(queues.customer, emptied)
    _wait_for_attempts(daemon)
    assert {line["result"] for line in daemon.events("witness")} == {"refused"}
    db.query("DROP TRIGGER refuse ON kopru.contact_mediums")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert read_table(db, "contact_mediums") == []
    assert read_dead_letters(db) == []
    assert daemon.terminate() == 0


def test_removals_that_are_refused_meet_a_witness(rabbitmq_server, db, queues, kopru):
    daemon = _start(kopru, queues)
    _store(rabbitmq_server, queues, *(_customer(each, city="kept") for each in "ab"),
           _customer("c", city="Ankara"))
    _refuse_removals(db, "WHEN (OLD.city = 'kept')")
    before = {name: read_table(db, name) for name in DATA_TABLES}
    rabbitmq_server.publish_many(queues.customer,
                                 [json.dumps({"id": each, "contactMedium": []}).encode()
                                  for each in "ab"])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(read_dead_letters(db)) == 2
    assert {name: read_table(db, name) for name in DATA_TABLES} == before
    assert daemon.terminate() == 0


def test_each_table_has_a_witness_of_its_own(rabbitmq_server, db, queues, kopru):
    """No stored entity has rows in all the tables that the refused messages change."""
    daemon = _start_subscriptions(kopru, queues)
    rabbitmq_server.publish_many(queues.subscription, [_subscription("a", "good"),
                                                       _subscription("b", party="1")])
    rabbitmq_server.wait_until_empty(queues.subscription)
    _refuse_at_the_end(db, "subscription_characteristics", _POISON.format(column="value"))
    rabbitmq_server.publish_many(queues.subscription, [_subscription("p", "poison", "1"),
                                                       _subscription("q", "poison", "1")])
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert len(read_dead_letters(db)) == 2
    assert daemon.terminate() == 0


def test_an_outage_of_another_table_condemns_nobody(rabbitmq_server, db, queues, kopru):
    daemon = _start_subscriptions(kopru, queues)
    rabbitmq_server.publish_many(queues.subscription, [_subscription("a", "good"),
                                                       _subscription("b", party="1")])
    rabbitmq_server.wait_until_empty(queues.subscription)
    _refuse_at_the_end(db, "engaged_parties", "")
    rabbitmq_server.publish(queues.subscription, _subscription("c", "good", "1"))
    _wait_for_attempts(daemon)
    db.query("DROP TRIGGER refuse ON kopru.engaged_parties")
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert read_dead_letters(db) == []
    assert db.value("SELECT count(*) FROM kopru.subscriptions") == 3
    assert daemon.terminate() == 0
