"""Nothing about people in the logs, at the most talkative level, whatever goes wrong."""

import json

from support import privacy
from support.process import free_port

# Every value and every name of an unknown property that any payload below holds. None is the id of
# an entity.
_SECRETS = {
    "name": "Zübeyde Gizlioğlu", "phone": "05321234567", "identity": "98765432109",
    "street": "Saklı Sokağı 7",
    "email": "zubeyde@example.org", "city": "Gizliköy", "date": "1971-03-29",
    "bad date": "1971-13-99", "number": "731.25",
    "extra": "kimse bilmesin", "header": "gizli-başlık", "correlation": "gizli-ilinti",
    "key": "x" * 200 + "gizlianahtar",
}
_PERSON = {
    "id": "id-1", "name": _SECRETS["name"], "note": _SECRETS["extra"], "contactMedium": [
        {"characteristic": {"phoneNumber": _SECRETS["phone"],
                            "socialNetworkId": _SECRETS["identity"],
                            "street1": _SECRETS["street"], "emailAddress": _SECRETS["email"],
                            "city": _SECRETS["city"]},
         "validFor": {"startDateTime": _SECRETS["bad date"]}},
        _SECRETS["identity"]]}

# Everything that makes the server quote a value: in a message, a DETAIL, a CONTEXT, a NOTICE.
_SITE_RULES = """
ALTER TABLE kopru.customers ADD CONSTRAINT no_gizli CHECK (status IS DISTINCT FROM 'refused');
CREATE UNIQUE INDEX one_identity ON kopru.contact_mediums (customer_id, social_network_id)
    WHERE fax_number = 'said-twice';
CREATE FUNCTION public.gossip() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'written: %', NEW;
    RAISE WARNING 'written: %', NEW USING DETAIL = NEW::text, HINT = NEW::text,
        SCHEMA = concat(NEW.name), TABLE = concat(NEW.name), CONSTRAINT = concat(NEW.name);
    IF NEW.status = 'raised' THEN
        RAISE EXCEPTION 'refused: %', NEW USING DETAIL = NEW::text, HINT = NEW::text;
    END IF;
    IF NEW.status = 'cast' THEN PERFORM NEW.name::integer; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gossip BEFORE INSERT OR UPDATE ON kopru.customers
    FOR EACH ROW EXECUTE FUNCTION public.gossip();
"""


def _customer(entity_id, **changes):
    return json.dumps({**_PERSON, "id": entity_id, **changes}, ensure_ascii=False).encode()


def _messages():
    yield _customer("id-1")
    yield _customer("id-1", name=None)
    for status in ("refused", "raised", "cast"):
        yield _customer(f"id-{status}", status=status)
    unique = {"characteristic": {"socialNetworkId": _SECRETS["identity"],
                                 "faxNumber": "said-twice"}}
    yield _customer("id-unique", contactMedium=[unique, unique])
    yield _customer("id-7", contactMedium=_SECRETS["phone"])  # invalid_structure
    good = _customer("id-8").decode()
    yield good[:-5].encode()  # not_json, in the middle of a value
    yield good.replace(_SECRETS["city"], _SECRETS["city"] + "\\u0000").encode()
    yield good.replace(_SECRETS["city"], _SECRETS["city"] + "\\ud800").encode()
    yield good.encode("iso-8859-9")  # invalid_unicode
    yield good.replace('"note": ', '"note": ' + "[" * 100).encode()
    yield json.dumps([_PERSON]).encode()
    yield json.dumps({**_PERSON, "id": {"x": _SECRETS["identity"]}}).encode()
    yield json.dumps({name: value for name, value in _PERSON.items() if name != "id"}).encode()
    yield json.dumps({**_PERSON, "id": _SECRETS["key"] * 2}).encode()  # too long for an id
    yield _customer("id-9", **{_SECRETS["key"]: {"deep": [1]}})
    yield _customer("id-10", name="x" * 5000 + _SECRETS["name"])  # too_large


def _subscriptions():
    person = {"id": "id-1", "name": _SECRETS["name"],
              "completionDate": {"startDateTime": _SECRETS["bad date"]},
              "characteristic": [{"name": _SECRETS["key"], "valueType": "Float",
                                  "value": _SECRETS["phone"] + "x"},
                                 {"name": "B", "valueType": "Date", "value": _SECRETS["date"]},
                                 {"name": "C", "valueType": "Float", "value": _SECRETS["number"]},
                                 {"value": _SECRETS["email"]}],
              "engagedParty": [{"id": "id-1", "name": _SECRETS["name"]},
                               {"name": _SECRETS["name"]}]}
    yield json.dumps(person).encode()
    yield json.dumps({**person, "engagedParty": _SECRETS["identity"]}).encode()


def _found_in(text):
    return [what for what, secret in _SECRETS.items()
            if any(spelling in text.lower() for spelling in privacy.spellings(secret))]


def test_no_personal_value_is_logged(rabbitmq_server, postgres_server, db, queues, kopru):
    db.query(_SITE_RULES)
    daemon = kopru(log={"level": "debug"}, limits={"max_message_bytes": 4096},
                   http={"listen": f"127.0.0.1:{free_port()}"})
    properties = {"headers": {"h": _SECRETS["header"]}, "correlation_id": _SECRETS["correlation"],
                  "message_id": _SECRETS["identity"]}
    rabbitmq_server.publish_many(queues.customer, [(body, properties) for body in _messages()])
    rabbitmq_server.publish_many(queues.subscription,
                                 [(body, properties) for body in _subscriptions()])
    for queue in queues.entities():
        rabbitmq_server.wait_until_empty(queue)
    # And what is logged about faults of another kind.
    postgres_server.restart("immediate")
    db.query("ALTER TABLE kopru.customers DROP COLUMN status CASCADE")
    rabbitmq_server.publish(queues.customer, _customer("id-11"), **properties)
    daemon.wait_for_event("paused")
    with db.admin() as connection:
        connection.execute("ALTER TABLE kopru.customers ADD COLUMN status text")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert daemon.terminate() == 0

    assert {reason for (reason,) in db.query("SELECT reason FROM kopru.dead_letters")} == {
        "too_large", "invalid_unicode", "not_json", "too_deep", "contains_nul", "not_object",
        "missing_id", "invalid_id", "invalid_structure", "rejected_by_database"}
    assert {sqlstate for (sqlstate,) in db.query("SELECT sqlstate FROM kopru.dead_letters WHERE "
                                                 "sqlstate IS NOT NULL")} == {
        "23514", "P0001", "22P02", "23505"}
    assert len(daemon.events("dead_letter")) >= 14
    assert "01000" in {line["sqlstate"] for line in daemon.events("database_warning")}
    assert _found_in(daemon.stderr_text()) == []
    assert _found_in(str(db.query("SELECT detail FROM kopru.dead_letters"))) == []


def test_the_check_would_find_a_value(rabbitmq_server, queues, kopru):
    """An id is logged: so a secret in its place is found."""
    daemon = kopru()
    rabbitmq_server.publish(queues.customer,
                            json.dumps({"id": _SECRETS["name"], "contactMedium": 1}).encode())
    daemon.wait_for_event("dead_letter")
    assert _found_in(daemon.stderr_text()) == ["name"]


def test_a_flood_of_dead_letters_is_no_flood_of_lines(rabbitmq_server, db, queues, kopru):
    count = 3000
    rabbitmq_server.publish_many(queues.customer,
                                 [b'{"id": %d' % number for number in range(count)])
    daemon = kopru()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == count
    lines = len(daemon.events("dead_letter"))
    left_out = sum(line["messages"] for line in daemon.events("dead_letters_not_logged"))
    assert 50 <= lines < count / 2
    assert lines + left_out <= count


_TELLING_TRIGGER = """
CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'no right to store %', NEW.name
        USING ERRCODE = '42501', DETAIL = NEW.name, HINT = NEW.name;
END $$;
CREATE TRIGGER tell BEFORE INSERT ON kopru.customers FOR EACH ROW EXECUTE FUNCTION public.tell();
"""


def test_what_the_server_says_is_not_repeated(rabbitmq_server, db, queues, kopru):
    """Its messages may quote rows; one of a class that is logged and waited for."""
    db.query(_TELLING_TRIGGER)
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, b'{"id": "1", "name": "Unutulmaz"}')
    daemon.wait_for_event("paused")
    assert "Unutulmaz" not in daemon.stderr_text()
    db.query("DROP TRIGGER tell ON kopru.customers")
    rabbitmq_server.wait_until_empty(queues.customer)
