"""One bad message costs one message: it becomes a dead letter, byte for byte, and its neighbours
commit.
"""

import base64
import hashlib
import json

import pytest
from support.batch import held_back
from support.marks import needs_a_unique_value
from support.process import free_port
from support.tables import read_dead_letters

_BATCH = 500
_ONE_WRITER = {"log": {"level": "debug"}, "limits": {"max_message_bytes": 4096, "max_depth": 20}}

# Rules of a site, in both forms in which one can refuse a row.
_CHECK = "ALTER TABLE kopru.contact_mediums ADD CONSTRAINT site_rule CHECK (city <> 'nowhere')"
_TRIGGER = """
CREATE FUNCTION public.site_rule() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the site refuses %', NEW.name; END $$;
CREATE TRIGGER site_rule BEFORE INSERT OR UPDATE ON kopru.customers
    FOR EACH ROW WHEN (NEW.name = 'poison') EXECUTE FUNCTION public.site_rule();
"""
_DEFERRED = _TRIGGER.replace("BEFORE", "AFTER").replace("TRIGGER site_rule",
                                                        "CONSTRAINT TRIGGER site_rule").replace(
    "FOR EACH", "DEFERRABLE INITIALLY DEFERRED FOR EACH")


def _customer(entity_id, **properties):
    return json.dumps({"id": entity_id, **properties}, ensure_ascii=False).encode()


def _poison(entity_id):
    return _customer(entity_id, name="poison",
                     contactMedium=[{"characteristic": {"city": "nowhere"}}])


@pytest.fixture
def one_writer(queues, kopru):
    """A daemon with one writer on the customer queue; it waits long for locks."""
    return kopru(**_ONE_WRITER, http={"listen": f"127.0.0.1:{free_port()}"}, shutdown_timeout=120,
                 postgres={"lock_timeout": 60, "statement_timeout": 90},
                 queues=[{"name": queues.customer, "entity": "customer", "writers": 1}])


@pytest.mark.parametrize(("rule", "sqlstate"),
                         [(_CHECK, "23514"), (_TRIGGER, "P0001"), (_DEFERRED, "P0001")],
                         ids=["check", "trigger", "deferred trigger"])
def test_a_poison_message_in_the_middle_of_a_full_batch(rabbitmq_server, db, queues, one_writer,
                                                        rule, sqlstate):
    db.query(rule)
    bodies = [_customer(f"n{n}", name=f"Neighbour {n}", contactMedium=[{"mediumType": "PHONE"}])
              for n in range(_BATCH)]
    bodies[_BATCH // 2] = _poison("p")
    with held_back(rabbitmq_server, db, one_writer, queues.customer, len(bodies)):
        rabbitmq_server.publish_many(queues.customer, bodies)
    rabbitmq_server.wait_until_empty(queues.customer)
    (dead_letter,) = read_dead_letters(db)
    assert (dead_letter["reason"], dead_letter["sqlstate"],
            dead_letter["entity_id"]) == ("rejected_by_database", sqlstate, "p")
    assert (dead_letter["entity"], dead_letter["queue"],
            dead_letter["occurrences"]) == ("customer", queues.customer, 1)
    assert dead_letter["body"] == bodies[_BATCH // 2]
    detail = dead_letter["detail"]
    assert sqlstate in detail and "poison" not in detail and "nowhere" not in detail
    ids = {row[0] for row in db.query("SELECT customer_id FROM kopru.customers JOIN "
                                      "kopru.contact_mediums USING (customer_id)")}
    assert ids == {f"n{n}" for n in range(_BATCH)} - {f"n{_BATCH // 2}"}
    assert max(line["entities"] for line in one_writer.events("isolating")) == _BATCH


def test_of_a_hot_entity_only_the_refused_message_is_missing(rabbitmq_server, db, queues,
                                                             one_writer):
    db.query(_TRIGGER)
    # The poison says more than its name: none of it may remain.
    bodies = [_customer("hot", name=f"{n}", **{f"k{n}": n}) for n in range(100)]
    bodies[50] = _customer("hot", name="poison", status="Poisoned")
    bodies[99] = _customer("hot", name="poison", k98=None)
    with held_back(rabbitmq_server, db, one_writer, queues.customer, len(bodies)):
        rabbitmq_server.publish_many(queues.customer, bodies)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert {row["body"] for row in read_dead_letters(db)} == {bodies[50], bodies[99]}
    hot = db.query("SELECT name, status, extra FROM kopru.customers WHERE customer_id = 'hot'")
    assert hot == [("98", None, {f"k{n}": n for n in range(99) if n != 50})]


def test_a_refused_message_leaves_the_stored_entity_as_it_is(rabbitmq_server, db, queues,
                                                             one_writer):
    """Root and children are all or nothing, in a batch of one as well."""
    rabbitmq_server.publish(queues.customer,
                            _customer("p", name="good", contactMedium=[{"mediumType": "PHONE"}]))
    rabbitmq_server.wait_until_empty(queues.customer)
    state = ("SELECT c.xmin::text, c.name, c.status, m.xmin::text, m.medium_type "
             "FROM kopru.customers c JOIN kopru.contact_mediums m USING (customer_id)")
    before = db.query(state)
    db.query(_CHECK)
    rabbitmq_server.publish(queues.customer,
                            _customer("p", name="bad", status="bad", contactMedium=[
        {"mediumType": "EMAIL"}, {"characteristic": {"city": "nowhere"}}]))
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(state) == before
    assert [row["sqlstate"] for row in read_dead_letters(db)] == ["23514"]


_REASONS = {
    "too_large": _customer("large", name="x" * 5000),
    "invalid_unicode": b'{"id":"1","name":"\xc4"}',
    "invalid_unicode ": b'{"id":"1","name":"\\ud800"}',
    "not_json": b'{"id":"1",}',
    "not_json ": b"",
    "too_deep": b'{"id":"1","x":' + b"[" * 20 + b"]" * 20 + b"}",
    "contains_nul": b'{"id":"1","name":"a\\u0000b"}',
    "not_object": b'"1"',
    "missing_id": b'{"name":"x"}',
    "invalid_id": b'{"id":1.5}',
    "invalid_structure": b'{"id":"s","contactMedium":7}',
    "rejected_by_database": _poison("p"),
}


def test_every_reason_in_one_stream(rabbitmq_server, db, queues, kopru):
    kopru(**_ONE_WRITER)
    db.query(_TRIGGER)
    bodies = []
    for n, body in enumerate(_REASONS.values()):
        bodies += [_customer(f"g{n}", name="good"), body]
    rabbitmq_server.publish_many(queues.customer, bodies)
    rabbitmq_server.wait_until_empty(queues.customer)
    dead_letters = {row["body"]: row for row in read_dead_letters(db)}
    assert {body: row["reason"] for body, row in dead_letters.items()} == {
        body: reason.strip() for reason, body in _REASONS.items()}
    assert all(row["body_sha256"] == hashlib.sha256(body).digest()
               for body, row in dead_letters.items())
    assert {dead_letters[_REASONS[reason]]["entity_id"]
            for reason in ("invalid_structure", "rejected_by_database")} == {"s", "p"}
    assert db.value("SELECT count(*) FROM kopru.customers WHERE name = 'good'") == len(_REASONS)
    assert db.value("SELECT count(*) FROM kopru.customers") == len(_REASONS)


@pytest.mark.parametrize("body", [b"not json", b'{"id":"p","x":1e200000}'],
                         ids=["not_json", "rejected_by_database"])
def test_the_same_body_again_is_counted(rabbitmq_server, db, queues, one_writer, body):
    """Within one batch, in a later one, and anew once a person has resolved the dead letter."""
    with held_back(rabbitmq_server, db, one_writer, queues.customer, 2):
        rabbitmq_server.publish(queues.customer, body, message_id="first", headers={"n": 1})
        rabbitmq_server.publish(queues.customer, body, message_id="second", headers={"n": 2})
    rabbitmq_server.wait_until_empty(queues.customer)
    (dead_letter,) = read_dead_letters(db)
    assert (dead_letter["occurrences"], dead_letter["message_id"],
            dead_letter["properties"]["headers"]) == (2, "first", {"n": 1})

    rabbitmq_server.publish(queues.customer, body, message_id="third")
    rabbitmq_server.wait_until_empty(queues.customer)
    (again,) = read_dead_letters(db)
    assert (again["occurrences"], again["message_id"]) == (3, "first")
    assert again["dead_letter_id"] == dead_letter["dead_letter_id"]
    assert again["first_seen_at"] == dead_letter["first_seen_at"] < again["last_seen_at"]

    db.query("UPDATE kopru.dead_letters SET status = 'discarded', resolved_at = now(), "
             "resolved_by = 'dba'")
    rabbitmq_server.publish(queues.customer, body, message_id="fourth")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert sorted((row["status"], row["occurrences"], row["message_id"])
                  for row in read_dead_letters(db)) == [
        ("discarded", 3, "first"), ("open", 1, "fourth")]


class _RawText(str):
    """A header of AMQP type string with bytes that are no UTF-8."""

    def encode(self, *_args: object) -> bytes:
        return b"\xff\x00\xfe"


def test_a_dead_letter_keeps_the_message_as_it_was(rabbitmq_server, db, queues, kopru):
    kopru()
    body = bytes(range(256))
    rabbitmq_server.publish(
        queues.customer, body, content_type="application/json", message_id=b"\xffid",
        correlation_id=b"c\x00", app_id="İş",
        type="customer.changed", priority=3, timestamp=1_700_000_000,
        headers={"text": "Şırnak", "raw": _RawText("?"), "number": 7, "flag": True, "none": None,
                 "list": [1, {"a": "b"}]})
    rabbitmq_server.wait_until_empty(queues.customer)
    (dead_letter,) = read_dead_letters(db)
    assert dead_letter["body"] == body
    assert (dead_letter["reason"], dead_letter["content_type"],
            dead_letter["redelivered"]) == ("invalid_unicode", "application/json", False)
    assert dead_letter["message_id"] == _in_base64(b"\xffid")
    kept = dead_letter["properties"]
    assert (kept["app_id"], kept["type"], kept["priority"], kept["timestamp"],
            kept["delivery_mode"]) == (
        "İş", "customer.changed", 3, 1_700_000_000, 2)
    assert kept["correlation_id"] == _in_base64(b"c\x00")
    assert kept["routing_key"] == queues.customer
    assert kept["headers"] == {"text": "Şırnak", "raw": _in_base64(b"\xff\x00\xfe"), "number": 7,
                               "flag": True, "none": None, "list": [1, {"a": "b"}]}


def _in_base64(raw):
    return "base64:" + base64.b64encode(raw).decode()


@needs_a_unique_value
def test_a_unique_value_that_one_gives_up_and_another_takes_costs_nothing(rabbitmq_server, db,
                                                                          queues, one_writer):
    """Rows of a batch are written by id, so the one that takes it comes first."""
    db.query("CREATE UNIQUE INDEX site_rule ON kopru.customers (name)")
    rabbitmq_server.publish(queues.customer, _customer("b", name="given"))
    rabbitmq_server.wait_until_empty(queues.customer)
    with held_back(rabbitmq_server, db, one_writer, queues.customer, 2):
        rabbitmq_server.publish_many(queues.customer,
                                     [_customer("b", name="new"), _customer("a", name="given")])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT customer_id, name FROM kopru.customers WHERE customer_id <> 'decoy' "
                    "ORDER BY 1") == [("a", "given"), ("b", "new")]
    assert read_dead_letters(db) == []
    assert one_writer.events("isolating")
