"""What the dead-letter table refuses waits for a person, and nobody else is blamed for it."""

import json

_GOOD = 20


def test_a_constraint_on_dead_letters_pauses_until_it_is_gone(rabbitmq_server, db, queues, kopru):
    db.query("ALTER TABLE kopru.dead_letters ADD CONSTRAINT mine CHECK (reason <> 'not_json')")
    rabbitmq_server.publish_many(queues.customer,
                                 [b"{", *(json.dumps({"id": str(n)}).encode()
                                          for n in range(_GOOD))])
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}])
    paused = daemon.wait_for_event("paused", count=2)
    assert {line["sqlstate"] for line in paused} == {"23514"}
    assert rabbitmq_server.depth(queues.customer).unacked == _GOOD + 1
    assert len(daemon.events("consuming")) == 1
    db.query("ALTER TABLE kopru.dead_letters DROP CONSTRAINT mine")
    daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                      "the queue to be empty")
    assert db.query("SELECT reason, occurrences FROM kopru.dead_letters") == [("not_json", 1)]
    assert db.value("SELECT count(*) FROM kopru.customers") == _GOOD
