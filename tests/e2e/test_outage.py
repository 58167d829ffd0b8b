"""An outage is not bad data: work pauses, resumes alone, and nothing becomes a dead letter that
should not.
"""

import json

import pytest
from support.payloads import Payloads
from support.tables import read_said
from support.wait import wait_until


def _wait_until_all_applied(broker, queues, daemon):
    for queue in queues.entities():
        daemon.wait_until(lambda name=queue: _is_empty(broker, name), 120,
                          f"queue {queue!r} to be empty")


def _is_empty(broker, queue):
    try:
        return broker.depth(queue).is_empty
    except ConnectionError:
        return False


def _wait_for_progress(db, more=200):
    """The daemon writes; it can be seen in the history."""
    states = "SELECT count(*) FROM history.states"
    before = db.value(states)
    wait_until(lambda: db.value(states) >= before + more, 60, "rows to be written")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_restarts_under_load(rabbitmq_server, postgres_server, db, queues, kopru,
                                        observed, mode):
    daemon = kopru()
    with observed.start():
        for _ in range(3):
            _wait_for_progress(db)
            postgres_server.restart(mode)
        _wait_for_progress(db)
    _wait_until_all_applied(rabbitmq_server, queues, daemon)
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert daemon.terminate() == 0


def test_rabbitmq_restarts_under_load(rabbitmq_server, db, queues, kopru, observed):
    daemon = kopru()
    with observed.start():
        for _ in range(2):
            _wait_for_progress(db)
            rabbitmq_server.restart()
        _wait_for_progress(db)
    _wait_until_all_applied(rabbitmq_server, queues, daemon)
    verdict = observed.check()
    assert verdict.is_clean, verdict
    assert daemon.terminate() == 0


def test_rabbitmq_crashes_under_load(rabbitmq_server, db, queues, kopru, observed):
    """A broker that is killed forgets acknowledgements, of more messages than one prefetch: older
    states can show until all that came again is applied. Nothing is lost, and what stays is
    right."""
    daemon = kopru()
    with observed.start():
        _wait_for_progress(db)
        rabbitmq_server.save_definitions()
        rabbitmq_server.kill9()
        rabbitmq_server.start()
        _wait_for_progress(db)
    _wait_until_all_applied(rabbitmq_server, queues, daemon)
    verdict = observed.check()
    assert not verdict.lost and not verdict.refused, verdict
    assert daemon.terminate() == 0


def test_the_daemon_may_start_before_the_servers(rabbitmq_server, postgres_server, db, queues,
                                                 kopru):
    rabbitmq_server.publish(queues.customer, b'{"id": "1", "name": "Early"}')
    daemon = kopru(start=False)
    rabbitmq_server.stop()
    postgres_server.stop()
    try:
        daemon.launch()
        daemon.wait_for_event("database_unavailable", count=2)
    finally:
        postgres_server.start()
    try:
        daemon.wait_for_event("broker_unavailable", count=2)
    finally:
        rabbitmq_server.start()
    daemon.wait_until_ready(60)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name FROM kopru.customers") == [("Early",)]
    assert daemon.terminate() == 0


# What a DBA may take away, how it is put back, and the SQLSTATE that the log must show meanwhile.
_TAKEN = {
    "column": ("ALTER TABLE kopru.customers DROP COLUMN status",
               "ALTER TABLE kopru.customers ADD COLUMN status text", "42703"),
    "table": ("ALTER TABLE kopru.contact_mediums RENAME TO away",
              "ALTER TABLE kopru.away RENAME TO contact_mediums", "42P01"),
    "privilege": ("REVOKE INSERT ON kopru.customers FROM kopru_writer",
                  "GRANT INSERT ON kopru.customers TO kopru_writer", "42501"),
    "unique key": ("ALTER TABLE kopru.contact_mediums DROP CONSTRAINT contact_mediums_pkey",
                   "ALTER TABLE kopru.contact_mediums ADD CONSTRAINT contact_mediums_pkey PRIMARY "
                   "KEY (customer_id, position)", "42P10"),
}


@pytest.mark.parametrize("taken", _TAKEN)
def test_what_a_dba_took_away_is_waited_for(rabbitmq_server, db, queues, kopru, choice, taken):
    take, put_back, sqlstate = _TAKEN[taken]
    payloads = Payloads(choice, 50)
    messages = [payloads.message("customer", number, f"M-{number % 40}", full=True)
                for number in range(200)]
    bodies = [message.body for message in messages]
    daemon = kopru()
    rabbitmq_server.publish_many(queues.customer, bodies[:20])
    rabbitmq_server.wait_until_empty(queues.customer)

    db.query(take)
    rabbitmq_server.publish_many(queues.customer, bodies[20:])
    (paused, *_) = daemon.wait_for_event("paused", count=2)
    assert (paused["sqlstate"], paused["level"], paused["queue"]) == (sqlstate, "error",
                                                                      queues.customer)
    assert "kopru check" in paused["hint"]
    assert any(name in paused["why"]
               for name in ("customers", "contact_mediums", "status", "ON CONFLICT")), paused
    # What one writer cannot write, it holds. The other queue goes on.
    rabbitmq_server.publish(queues.subscription, json.dumps({"id": "1"}).encode())
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert rabbitmq_server.depth(queues.customer).unacked > 0

    db.query(put_back)
    daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60, "work to resume")
    assert daemon.events("resumed")
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    rows = {row["customer_id"]: (row["name"], row.get("status"))
            for row in read_said(db)["customers"].values()}
    assert rows == {message.entity_id: (message.payload["name"], message.payload["status"])
                    for message in messages}
    assert daemon.terminate() == 0


def test_what_is_missing_at_start_is_named_and_waited_for(rabbitmq_server, db, queues, kopru):
    db.query("ALTER TABLE kopru.customers DROP COLUMN status")
    rabbitmq_server.publish(queues.customer, b'{"id": "1", "status": "Active"}')
    daemon = kopru(start=False)
    daemon.launch()
    lines = daemon.wait_for_event("paused", count=2)
    assert {line["level"] for line in lines} == {"error"}
    assert not daemon.events("database_unavailable")
    assert any("customers" in line["subject"] and "status" in line["subject"] + line["why"]
               for line in lines), lines
    assert rabbitmq_server.depth(queues.customer).ready == 1
    db.query("ALTER TABLE kopru.customers ADD COLUMN status text")
    daemon.wait_until_ready(30)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT status FROM kopru.customers") == [("Active",)]
    assert daemon.terminate() == 0


def test_a_queue_that_is_not_there_is_waited_for(rabbitmq_server, db, queues, kopru):
    rabbitmq_server.delete_queue(queues.customer)
    daemon = kopru(start=False)
    daemon.launch()
    lines = daemon.wait_for_event("broker_unavailable", count=2)
    assert {line["queue"] for line in lines} == {queues.customer}
    rabbitmq_server.declare_queue(queues.customer)
    rabbitmq_server.publish(queues.customer, b'{"id": "1"}')
    daemon.wait_until_ready(30)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.value("SELECT count(*) FROM kopru.customers") == 1
    # Deleted while it is consumed: the broker says so, and it is waited for again.
    rabbitmq_server.delete_queue(queues.customer)
    daemon.wait_for_event("broker_unavailable", count=len(daemon.events("broker_unavailable")) + 1)
    rabbitmq_server.declare_queue(queues.customer)
    rabbitmq_server.publish(queues.customer, b'{"id": "2"}')
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.value("SELECT count(*) FROM kopru.customers") == 2
