"""What was applied already changes nothing, and updated_at tells exactly what changed."""

import datetime
import json

import pytest
from support.samples import CUSTOMER, SUBSCRIPTION
from support.tables import read_all, row_versions

_MEDIUMS = [{"mediumType": "PHONE", "characteristic": {"phoneNumber": f"0{n}", "city": "Iğdır"}}
            for n in range(3)]
_BAG = [{"name": f"N{n}", "valueType": "Float", "value": f"{n}.50"} for n in range(11)]


def _customer(**changes):
    return {"id": "c1", "status": "Active", "name": "Şükrü Çağlar", "segment": {"code": 7},
            "contactMedium": _MEDIUMS, **changes}


def _subscription(**changes):
    return {"id": "s1", "name": "Ümit İnce", "status": "Active", "characteristic": _BAG,
            "properties": _BAG[:2],
            "engagedParty": [{"id": "c1"}, {"id": "c1", "role": "payer"}, {"id": "c2"}], **changes}


def _body(payload):
    return json.dumps(payload, ensure_ascii=False).encode()


@pytest.fixture
def apply(rabbitmq_server, queues):
    """apply("customer", payload, ...): publish, and wait until it is acknowledged."""

    def publish(entity, payload, **properties):
        queue = getattr(queues, entity)
        rabbitmq_server.publish(queue, payload if isinstance(payload, bytes) else _body(payload),
                                **properties)
        rabbitmq_server.wait_until_empty(queue)

    return publish


def _take_unacknowledged(broker, queue, count):
    """Let the broker hand out the first messages and take them back: they come again, flagged as
    redelivered.
    """
    with broker.connect() as connection:
        channel = connection.channel()
        for _ in range(count):
            method, _properties, _payload = channel.basic_get(queue)
            assert method is not None


def test_republished_payloads_write_no_row(db, kopru, apply):
    kopru()
    messages = [("customer", CUSTOMER), ("subscription", SUBSCRIPTION), ("customer", _customer()),
                ("subscription", _subscription())]
    for entity, payload in messages:
        apply(entity, payload)
    before, versions = read_all(db), row_versions(db)
    assert len(versions) == 2 + (1 + 3) + 2 + (11 + 11 + 2) + (1 + 3)
    for _ in range(2):
        for entity, payload in messages:
            apply(entity, payload)
    assert row_versions(db) == versions
    assert read_all(db) == before


def test_redelivered_messages_write_no_row(rabbitmq_server, db, queues, kopru, apply):
    daemon = kopru()
    for entity, payload in (("customer", _customer()), ("subscription", _subscription())):
        apply(entity, payload)
    versions = row_versions(db)
    assert daemon.terminate() == 0
    for queue, payload in ((queues.customer, _customer()), (queues.subscription, _subscription())):
        rabbitmq_server.publish(queue, _body(payload))
        _take_unacknowledged(rabbitmq_server, queue, 1)
    daemon.start()
    for queue in queues.entities():
        rabbitmq_server.wait_until_empty(queue)
    assert {line["queue"]
            for line in daemon.events("redelivered_messages")} == set(queues.entities())
    assert row_versions(db) == versions


def test_a_redelivered_sequence_ends_where_it_was_and_writes_no_row(rabbitmq_server, db, queues,
                                                                    kopru, apply):
    """The whole sequence comes back after it was committed, as when the connection is lost before
    the acks.
    """
    sequence = [_customer(name="first"), {"id": "c1", "status": "Passive"},
                {"id": "c1", "contactMedium": _MEDIUMS[:1]},
                {"id": "c1", "name": None, "segment": None}]
    daemon = kopru()
    for payload in sequence:
        apply("customer", payload)
    versions = row_versions(db)
    assert daemon.terminate() == 0
    for payload in sequence:
        rabbitmq_server.publish(queues.customer, _body(payload))
    _take_unacknowledged(rabbitmq_server, queues.customer, len(sequence))
    daemon.start()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert [line["messages"] for line in daemon.events("redelivered_messages")] == [len(sequence)]
    assert row_versions(db) == versions


def test_only_the_children_that_changed_are_written(db, kopru, apply):
    kopru()
    apply("subscription", _subscription())
    apply("customer", _customer())
    before = row_versions(db)
    changed_bag = [{**triplet, "value": "99"} if triplet["name"] == "N3" else triplet
                   for triplet in _BAG]
    apply("subscription", _subscription(characteristic=changed_bag,
                                        engagedParty=[{"id": "c1"}, {"id": "c1", "role": "payer"}]))
    apply("customer", _customer(contactMedium=[*_MEDIUMS[:2], {**_MEDIUMS[2], "preferred": True},
                                               _MEDIUMS[0]]))
    after = row_versions(db)
    assert {key for key in before | after if before.get(key) != after.get(key)} == {
        ("subscriptions", "s1"),
        ("subscription_characteristics", "s1", "characteristic", "N3", 1),
        ("engaged_parties", "s1", "c2", 1),
        ("customers", "c1"),
        ("contact_mediums", "c1", 3),
        ("contact_mediums", "c1", 4),
    }


# Each moves something: a column of the root, extra, a child's value, a new child, one child less,
# an emptied set.
_CHANGES = {
    "column": {"status": "Passive"},
    "column cleared": {"name": None},
    "extra": {"segment": {"code": 8}},
    "extra cleared": {"segment": None},
    "child": {"contactMedium": [{**_MEDIUMS[0], "preferred": True}, *_MEDIUMS[1:]]},
    "more children": {"contactMedium": [*_MEDIUMS, {"mediumType": "EMAIL"}]},
    "fewer children": {"contactMedium": _MEDIUMS[:2]},
    "no children": {"contactMedium": None},
    "column added to extra": {"unknown": "x"},
}

# None does, though each payload differs from the one before it.
_NO_CHANGES = {
    "fewer properties": {"id": "c1", "status": "Active"},
    "another spelling": r'{"segment": {"code": 7e0}, "name": "\u015e\u00fckr\u00fc Çağlar", '
                        r'"id": "c1"}'.encode(),
    "an unknown null": {"id": "c1", "nothing": None},
}


@pytest.mark.parametrize("change", _CHANGES)
def test_updated_at_moves_with_any_change(db, kopru, apply, change):
    kopru()
    apply("customer", _customer())
    ((before, created),) = db.query("SELECT updated_at, created_at FROM kopru.customers")
    assert before == created
    apply("customer", _customer(**_CHANGES[change]))
    assert db.query("SELECT updated_at > %s, created_at = %s FROM kopru.customers", before,
                    created) == [(True, True)]


def test_updated_at_stays_when_nothing_changed(db, kopru, apply):
    kopru()
    apply("customer", _customer())
    before = db.query("SELECT updated_at, created_at FROM kopru.customers")
    children = {key: version for key, version in row_versions(db).items() if key[0] != "customers"}
    for payload in _NO_CHANGES.values():
        apply("customer", payload)
        assert db.query("SELECT updated_at, created_at FROM kopru.customers") == before, payload
    assert {key: version for key, version in row_versions(db).items()
            if key[0] != "customers"} == children


def test_updated_at_never_moves_backwards(db, kopru, apply):
    """A clock that was set back: what is stored lies in the future."""
    kopru()
    apply("customer", _customer())
    future = datetime.datetime(2999, 1, 1, tzinfo=datetime.timezone.utc)
    db.query("UPDATE kopru.customers SET updated_at = %s", future)
    apply("customer", _customer(status="Passive"))
    assert db.query("SELECT status, updated_at FROM kopru.customers") == [("Passive", future)]


def test_an_identical_payload_with_a_newer_timestamp_moves_source_time_alone(db, kopru, apply):
    kopru()

    def state():
        return db.query("SELECT extract(epoch FROM source_time)::bigint FROM kopru.customers")

    def everything_else():
        versions = {key: version for key, version in row_versions(db).items()
                    if key[0] != "customers"}
        columns = "customer_id, status, name, extra, payload_hash, created_at, updated_at"
        return versions, db.query(f"SELECT {columns} FROM kopru.customers")

    apply("customer", _customer(), timestamp=1_700_000_000)
    assert state() == [(1_700_000_000,)]
    before = everything_else()
    apply("customer", _customer(), timestamp=1_700_000_100)
    assert state() == [(1_700_000_100,)]
    assert everything_else() == before
    versions = row_versions(db)
    for timestamp in (1_700_000_100, 1_699_999_999, None):
        apply("customer", _customer(), timestamp=timestamp)
        assert row_versions(db) == versions
    assert state() == [(1_700_000_100,)]


def test_a_column_that_was_put_back_is_filled_after_the_hash_is_forgotten(db, kopru, apply):
    """The recipe of docs/operations.md."""
    kopru()

    def name():
        return db.query("SELECT name FROM kopru.customers")

    apply("customer", _customer())
    # what dropping the column and adding it leaves
    db.query("UPDATE kopru.customers SET name = NULL")
    apply("customer", _customer())
    assert name() == [(None,)]
    db.query("SET ROLE kopru_writer; UPDATE kopru.customers SET payload_hash = NULL WHERE "
             "payload_hash IS NOT NULL; RESET ROLE")
    apply("customer", _customer())
    assert name() == [("Şükrü Çağlar",)]
