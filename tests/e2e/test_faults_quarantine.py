"""An error that nobody knows: about one message, or about all of them (F23)."""

import json

from support.endpoint import Endpoint
from support.tables import read_dead_letters

_ATTEMPTS = 3
_ISOLATE = {"attempts": _ATTEMPTS, "minutes": 0.03}
_NEVER = {"attempts": 1000, "minutes": 10}

# Such an SQLSTATE stands in no table of PostgreSQL's, and has no row in kopru's.
_TRIGGER = """
CREATE FUNCTION public.odd_rule() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the site cannot take %', NEW.name USING ERRCODE = 'ZZ001'; END $$;
CREATE TRIGGER odd_rule BEFORE INSERT OR UPDATE ON kopru.customers
    FOR EACH ROW {when} EXECUTE FUNCTION public.odd_rule();
"""
_FOR_ONE = _TRIGGER.format(when="WHEN (NEW.name = 'poison')")
_FOR_ALL = _TRIGGER.format(when="")
_DROP = "DROP TRIGGER odd_rule ON kopru.customers"


def _customer(entity_id, **properties):
    return json.dumps({"id": entity_id, **properties}).encode()


def _start(kopru, queues, isolate, *, prefetch=2000, **changes):
    queue = {"name": queues.customer, "entity": "customer", "writers": 1, "prefetch": prefetch}
    return kopru(queues=[queue], quarantine=isolate, **changes)


def _names(db):
    return dict(db.query("SELECT customer_id, name FROM kopru.customers"))


def _publish_until(broker, queue, daemon, condition):
    """One neighbour after another, each a commit of the same writer, until the condition holds.
    Returns their ids.
    """
    ids = []

    def held():
        ids.append(f"later-{len(ids)}")
        broker.publish(queue, _customer(ids[-1], name="good"))
        return condition()

    daemon.wait_until(held, 60, "the condition, with neighbours")
    return ids


def test_a_message_that_fails_alone_waits_and_is_dead_in_the_end(rabbitmq_server, db, queues,
                                                                 kopru):
    db.query(_FOR_ONE)
    endpoint = Endpoint()
    daemon = _start(kopru, queues, _ISOLATE, http=endpoint.settings)
    poison = _customer("p", name="poison", status="Poisoned")
    bodies = [_customer(f"n{n}", name="good") for n in range(100)]
    rabbitmq_server.publish_many(queues.customer, [*bodies[:50], poison, *bodies[50:]])
    (line, *_) = daemon.wait_for_event("quarantined")
    assert (line["entity_id"], line["sqlstate"], line["queue"]) == ("p", "ZZ001", queues.customer)
    # What comes later for the same id waits behind it, in order; all others commit meanwhile, with
    # one writer. (What overwrites the name would be folded with it, and there would be nothing to
    # refuse.)
    rabbitmq_server.publish(queues.customer, _customer("p", status="One", first=1))
    rabbitmq_server.publish(queues.customer, _customer("p", status="Two"))
    ids = _publish_until(rabbitmq_server, queues.customer, daemon,
                         lambda: len(_names(db)) > 100 or read_dead_letters(db))
    assert {f"n{n}" for n in range(100)} <= set(_names(db))
    ids += _publish_until(rabbitmq_server, queues.customer, daemon,
                          lambda: daemon.events("quarantine_rejected"))
    rabbitmq_server.wait_until_empty(queues.customer)

    (alarm,) = daemon.events("quarantine_rejected")
    assert (alarm["level"], alarm["entity_id"], alarm["sqlstate"]) == ("error", "p", "ZZ001")
    assert len([line for line in daemon.events("quarantined")
                if line["entity_id"] == "p"]) >= _ATTEMPTS - 1
    (dead_letter,) = read_dead_letters(db)
    assert (dead_letter["body"], dead_letter["reason"],
            dead_letter["sqlstate"]) == (poison, "rejected_by_database", "ZZ001")
    assert db.query("SELECT name, status, extra FROM kopru.customers WHERE customer_id = 'p'") == [
        (None, "Two", {"first": 1})]
    assert set(_names(db)) == {"p", *(f"n{n}" for n in range(100)), *ids}
    assert endpoint.metrics()["kopru_quarantine_rejected_total", queues.customer] == 1
    assert endpoint.metrics()["kopru_quarantined_entities", queues.customer] == 0
    assert "poison" not in daemon.stderr_text()
    assert daemon.terminate() == 0


def test_what_is_quarantined_shows_and_commits_when_it_is_well_again(rabbitmq_server, db, queues,
                                                                     kopru):
    db.query(_FOR_ONE)
    endpoint = Endpoint()
    daemon = _start(kopru, queues, {"attempts": 5, "minutes": 10}, http=endpoint.settings)
    rabbitmq_server.publish_many(queues.customer,
                                 [_customer("a", name="good"), _customer("p", name="poison")])
    daemon.wait_for_event("quarantined")
    rabbitmq_server.publish(queues.customer, _customer("p", status="Later"))
    rabbitmq_server.publish(queues.customer, _customer("b", name="good"))
    daemon.wait_until(lambda: set(_names(db)) == {"a", "b"}, 30, "the neighbours to commit")
    endpoint.wait_until_readyz(daemon, 200,
                               f"queue {queues.customer} consuming; 1 entity fails alone and "
                               "waits: p (SQLSTATE ZZ001")
    assert endpoint.metrics()["kopru_quarantined_messages", queues.customer] == 2
    assert rabbitmq_server.depth(queues.customer).unacked >= 2
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name, status FROM kopru.customers WHERE customer_id = 'p'") == [
        ("poison", "Later")]
    assert daemon.events("quarantine_ended")
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert daemon.terminate() == 0


def test_more_than_the_memory_of_messages_goes_past_it(rabbitmq_server, db, queues, kopru):
    """Bytes are the limit here, and not the prefetch."""
    db.query(_FOR_ONE)
    daemon = _start(kopru, queues, _NEVER,
                    limits={"max_message_bytes": 65536, "max_unacknowledged_bytes": 1 << 20})
    bodies = [_customer(f"n{n}", name="good", note="x" * 20000) for n in range(300)]
    rabbitmq_server.publish_many(queues.customer,
                                 [bodies[0], _customer("p", name="poison"), *bodies[1:]])
    daemon.wait_until(lambda: len(_names(db)) == 300
                      and rabbitmq_server.depth(queues.customer).ready == 0, 60, "all neighbours")
    assert daemon.events("broker_unavailable") == []
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _names(db)["p"] == "poison"
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def test_more_than_a_prefetch_of_messages_goes_past_it(rabbitmq_server, db, queues, kopru):
    db.query(_FOR_ONE)
    daemon = _start(kopru, queues, _NEVER, prefetch=20)
    bodies = [_customer(f"n{n}", name="good") for n in range(500)]
    poison = [_customer("p", name="poison"), _customer("p", status="Later")]
    rabbitmq_server.publish_many(queues.customer, [bodies[0], *poison, *bodies[1:]])
    depth = daemon.wait_until(lambda: (depth := rabbitmq_server.depth(queues.customer)).ready == 0
                              and depth.unacked <= 11 and depth, 60,
                              "all but the quarantined, and less than half a prefetch, to be "
                              "acknowledged")
    assert depth.unacked >= 2
    daemon.wait_until(lambda: len(_names(db)) == 500, 30, "all neighbours")
    # What is quarantined comes back, and is not taken for newer than what was committed meanwhile.
    daemon.kill9()
    db.query(_DROP)
    daemon.launch()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name, status FROM kopru.customers WHERE customer_id = 'p'") == [
        ("poison", "Later")]
    assert len(_names(db)) == 501
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def test_without_a_neighbours_success_nobody_is_blamed(rabbitmq_server, db, queues, kopru):
    db.query(_FOR_ALL)
    daemon = _start(kopru, queues, {"attempts": 2, "minutes": 0.005})
    rabbitmq_server.publish_many(queues.customer,
                                 (_customer(str(n), name="any") for n in range(20)))
    tried = daemon.wait_until(lambda: [line for line in daemon.events("quarantined")
                                       if line["attempts"] > 4], 60, "more than the attempts")
    assert {line["sqlstate"] for line in tried} == {"ZZ001"}
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert rabbitmq_server.depth(queues.customer).unacked == 20
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_names(db)) == 20
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert daemon.terminate() == 0


def test_a_stop_leaves_what_is_quarantined_to_the_next_start(rabbitmq_server, db, queues, kopru):
    db.query(_FOR_ONE)
    # the next start waits three for what was not acknowledged
    daemon = _start(kopru, queues, _NEVER, amqp={"heartbeat": 1})
    rabbitmq_server.publish_many(queues.customer,
                                 [_customer("p", name="poison"), _customer("a", name="good"),
                                  _customer("p", status="x")])
    daemon.wait_for_event("quarantined")
    daemon.wait_until(lambda: _names(db), 30, "the neighbour to commit")
    assert daemon.terminate() == 1
    assert not daemon.events("shutdown_timeout")
    assert rabbitmq_server.depth(queues.customer).ready >= 2
    db.query(_DROP)
    daemon.start()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name, status FROM kopru.customers WHERE customer_id = 'p'") == [
        ("poison", "x")]
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert daemon.terminate() == 0
