"""What one entity may become is bounded, however many messages are about it: its `extra`, and the
rows that are read to change them. Memory stays within the figure of kopru check.
"""

import json

import pytest
from support.daemon import binary
from support.memory import memory_bound, peak_bytes

_LARGEST = 256 * 1024
_EXTRA_MAX = 4 * _LARGEST
_LIMITS = {"max_message_bytes": _LARGEST, "max_unacknowledged_bytes": 8 << 20}
_LONG_ID = "i" * 250


def _status(entity_id: str, status: str, **more: object) -> bytes:
    return json.dumps({"id": entity_id, "status": status, **more}).encode()


def _pile(entity_id: str, number: int, value: str) -> bytes:
    return json.dumps({"id": entity_id, "status": f"s{number}", f"unknown{number}": value}).encode()


@pytest.fixture(name="daemon")
def _daemon(queues, kopru):
    """Of one writer, so that the bound is small; not started yet."""
    return kopru(limits=_LIMITS, start=False,
                 queues=[{"name": name, "entity": entity, "writers": 1}
                         for name, entity in queues.entities().items()])


def _apply(daemon, broker, queue: str) -> None:
    daemon.wait_until(lambda: broker.depth(queue).is_empty, 240, f"queue {queue!r} to be empty")


def _require_within_bound(daemon) -> None:
    if b"__asan_init" in binary().read_bytes():
        return  # a sanitizer's shadow memory is not the program's
    peak, bound = peak_bytes(daemon.pid), memory_bound(daemon, _LARGEST)
    assert peak < bound, f"{peak >> 20} MiB; at most {bound >> 20}"


# unknown names that pile up

@pytest.mark.parametrize("value", ["x" * 200_000, "ş\n" * 10_000, "x" * 10],
                         ids=["long", "escaped", "short"])
def test_unknown_names_pile_up_to_the_bound(rabbitmq_server, db, queues, daemon, value):
    """What would exceed it is a dead letter of that message alone, and the figure holds."""
    roots = ["one", "two", "three"]
    count = 600 if len(value) < 100 else 100
    names = 200 if len(value) < 100 else 1  # in each message
    rabbitmq_server.publish_many(queues.customer, (
        json.dumps({"id": root, "status": f"s{number}",
                    **{f"u{number}_{n}": value for n in range(names)}}).encode()
        for number in range(count) for root in roots))
    daemon.start()
    _apply(daemon, rabbitmq_server, queues.customer)
    _require_within_bound(daemon)
    assert db.value("SELECT count(*) FROM kopru.customers") == len(roots)
    assert db.value("SELECT max(octet_length(extra::text)) FROM kopru.customers") <= _EXTRA_MAX
    assert db.value("SELECT min(octet_length(extra::text)) FROM kopru.customers") > _EXTRA_MAX // 2
    letters = db.query("SELECT DISTINCT reason, sqlstate, detail FROM kopru.dead_letters")
    assert letters == [("too_large", None,
                        f"with it, extra of its row in customers would take more than {_EXTRA_MAX} "
                        "bytes (4 x limits.max_message_bytes)")]
    kept = db.value("SELECT sum((SELECT count(*) FROM jsonb_object_keys(extra))) "
                    "FROM kopru.customers")
    refused = db.value("SELECT sum(occurrences) FROM kopru.dead_letters")
    assert kept + refused * names == count * len(roots) * names
    assert db.value("SELECT count(*) FROM kopru.dead_letters WHERE entity_id NOT IN "
                    "(SELECT customer_id FROM kopru.customers)") == 0


def test_numbers_that_are_long_once_written_out_count_so(rabbitmq_server, db, queues, daemon):
    """1e131000 has 8 bytes in the payload and 131,001 in what PostgreSQL prints."""
    rabbitmq_server.publish_many(queues.customer, (
        f'{{"id":"one","status":"s{n}","u{n}":[1e120000,1e120000]}}'.encode() for n in range(60)))
    daemon.start()
    _apply(daemon, rabbitmq_server, queues.customer)
    rabbitmq_server.publish(queues.customer, _status("one", "last"))
    _apply(daemon, rabbitmq_server, queues.customer)
    _require_within_bound(daemon)
    assert db.query("SELECT status, octet_length(extra::text) <= %s FROM kopru.customers",
                    _EXTRA_MAX) == [("last", True)]
    assert db.value("SELECT count(*) FROM kopru.dead_letters WHERE reason = 'too_large'") > 0


def test_one_message_alone_always_fits(rabbitmq_server, db, queues, daemon):
    """PostgreSQL prints it longer than it came."""
    head = '{"id":"one","u":['
    body = (head + ",".join(["0"] * ((_LARGEST - len(head) - 2) // 2)) + "]}").encode()
    rabbitmq_server.publish(queues.customer, body)
    daemon.start()
    _apply(daemon, rabbitmq_server, queues.customer)
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert db.value("SELECT octet_length(extra::text) FROM kopru.customers") > len(body)


def test_a_row_that_is_larger_already_is_still_updated(rabbitmq_server, db, queues, daemon):
    """By a DBA, or from the time of a larger limit: whatever does not enlarge it applies."""
    db.query("INSERT INTO kopru.customers (customer_id, status, extra) "
             "SELECT 'one', 'old', jsonb_object_agg('n' || n, repeat('x', 1000)) "
             "FROM generate_series(1, 3000) n")
    daemon.start()
    rabbitmq_server.publish(queues.customer, _status("one", "new"))
    rabbitmq_server.publish(queues.customer, _status("one", "more", added=1))
    rabbitmq_server.publish(queues.customer, _status("one", "same size", n1="y" * 1000))
    rabbitmq_server.publish(queues.customer, _status("one", "smaller", n1="z", n2=None))
    _apply(daemon, rabbitmq_server, queues.customer)
    assert db.query("SELECT status, extra ->> 'n1', extra ? 'n2', extra ? 'added' "
                    "FROM kopru.customers") == [("smaller", "z", False, False)]
    assert db.query("SELECT reason, entity_id, convert_from(body, 'UTF8')::jsonb ->> 'status' "
                    "FROM kopru.dead_letters") == [("too_large", "one", "more")]
    assert [line["reason"] for line in daemon.events("dead_letter")] == ["too_large"]
    _require_within_bound(daemon)


def test_a_replay_after_room_was_made_applies(rabbitmq_server, db, queues, daemon):
    """The verdict is about the stored row, so it is not remembered."""
    daemon.start()
    for number in range(6):
        rabbitmq_server.publish(queues.customer, _pile("one", number, "x" * 240_000))
    _apply(daemon, rabbitmq_server, queues.customer)
    assert db.value("SELECT count(*) FROM kopru.dead_letters WHERE reason = 'too_large'") == 2
    db.query("UPDATE kopru.customers SET extra = '{}'")
    rabbitmq_server.publish(queues.customer, _pile("one", 5, "x" * 240_000))
    _apply(daemon, rabbitmq_server, queues.customer)
    assert db.query("SELECT status, extra ? 'unknown5' FROM kopru.customers") == [("s5", True)]


_REFUSE_DEAD_LETTERS = """
CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON kopru.dead_letters
    FOR EACH ROW EXECUTE FUNCTION public.no_room();
"""


def test_the_verdict_does_not_outlive_its_transaction(rabbitmq_server, db, queues, daemon):
    """It was rolled back, and meanwhile a DBA made room."""
    db.query("INSERT INTO kopru.customers (customer_id, extra) "
             "SELECT 'one', jsonb_object_agg('n' || n, repeat('x', 1000)) "
             "FROM generate_series(1, 3000) n")
    db.query(_REFUSE_DEAD_LETTERS)
    daemon.start()
    rabbitmq_server.publish(queues.customer, _status("one", "applied", added=1))
    assert daemon.wait_for_event("database_unavailable")[0]["sqlstate"] == "53100"
    db.query("UPDATE kopru.customers SET extra = '{}'")
    db.query("DROP TRIGGER no_room ON kopru.dead_letters")
    _apply(daemon, rabbitmq_server, queues.customer)
    assert db.query("SELECT status, extra ->> 'added' FROM kopru.customers") == [("applied", "1")]
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


# rows that are read

_TOO_MANY = """
INSERT INTO kopru.subscriptions (subscription_id) VALUES ('wide');
INSERT INTO kopru.engaged_parties (subscription_id, customer_id, occurrence, name)
    SELECT 'wide', 'c' || n, 1, repeat('x', 100) FROM generate_series(1, 200000) n
"""


def test_an_entity_of_too_many_rows_waits_alone(rabbitmq_server, db, queues, daemon):
    """They were put there by hand. The log names it, and its message applies once they are gone."""
    for statement in _TOO_MANY.split(";"):
        db.query(statement)
    daemon.start()
    rabbitmq_server.publish(queues.subscription, b'{"id":"wide","status":"a","engagedParty":[]}')
    rabbitmq_server.publish_many(queues.subscription,
                                 (_status(str(n), "a") for n in range(20)))
    line = daemon.wait_for_event("too_much_memory")[0]
    assert line["level"] == "warning"
    assert "subscription_id wide" in line["why"] and "as they arrive" in line["why"]
    assert "limits.max_message_bytes" in line["hint"]
    assert daemon.wait_for_event("quarantined")[0]["entity_id"] == "wide"
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.subscriptions "
                                       "WHERE status = 'a'") == 20, 60, "the others")
    assert daemon.events("database_unavailable") == []
    db.query("DELETE FROM kopru.engaged_parties WHERE customer_id <> 'c1'")
    daemon.wait_for_event("quarantine_ended")
    _apply(daemon, rabbitmq_server, queues.subscription)
    _require_within_bound(daemon)
    assert db.value("SELECT count(*) FROM kopru.engaged_parties") == 0
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def _filled(entity_id: str, array: str, element: str) -> bytes:
    """As many elements as a message may have."""
    head = f'{{"id":"{entity_id}","{array}":['
    return (head + ",".join([element] * ((_LARGEST - len(head) - 2) // (len(element) + 1)))
            + "]}").encode()


@pytest.mark.parametrize("entity_id", ["wide", _LONG_ID], ids=["short-id", "long-id"])
def test_the_widest_children_can_be_updated(rabbitmq_server, db, queues, daemon, entity_id):
    """Each row has the id of its root, so with a long one a message has fewer rows. What kopru has
    written it can read.
    """
    sets = {"characteristic": '{"name":"a"}', "properties": '{"name":"a"}',
            "engagedParty": '{"id":1}'}
    daemon.start()
    for array, element in sets.items():
        rabbitmq_server.publish(queues.subscription, _filled(entity_id, array, element))
        _apply(daemon, rabbitmq_server, queues.subscription)
    rows = db.value("SELECT (SELECT count(*) FROM kopru.subscription_characteristics) + "
                    "(SELECT count(*) FROM kopru.engaged_parties)")
    assert rows > 30_000 or (entity_id == _LONG_ID and db.value(
        "SELECT count(*) FROM kopru.dead_letters WHERE reason = 'too_large'") > 0)
    rabbitmq_server.publish(queues.subscription, json.dumps(
        {"id": entity_id, "status": "emptied", **{array: [] for array in sets}}).encode())
    _apply(daemon, rabbitmq_server, queues.subscription)
    _require_within_bound(daemon)
    assert daemon.events("quarantined") == []
    assert db.query("SELECT status, (SELECT count(*) FROM kopru.subscription_characteristics), "
                    "(SELECT count(*) FROM kopru.engaged_parties) FROM kopru.subscriptions") == [
                        ("emptied", 0, 0)]
