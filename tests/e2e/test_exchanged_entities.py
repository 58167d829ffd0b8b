"""A queue that is given to another entity than the one it carried: nothing of it is written into
the wrong tables. That queue waits until a person decides, and the others go on.
"""

import re

import pytest
from support.daemon import Kopru, libconfig, run_kopru
from support.database import REPOSITORY
from support.endpoint import Endpoint

_CUSTOMERS, _SUBSCRIPTIONS = "customer", "subscription"
_ROOTS = "SELECT (SELECT count(*) FROM kopru.customers), (SELECT count(*) FROM kopru.subscriptions)"


def _given(queues, customer: str, subscription: str) -> list[dict[str, str]]:
    return [{"name": queues.customer, "entity": customer},
            {"name": queues.subscription, "entity": subscription}]


def _publish(broker, queue: str, entity_id: str) -> None:
    broker.publish(queue, f'{{"id":"{entity_id}","status":"Active"}}'.encode())


def _carry(broker, queues, daemon: Kopru) -> None:
    """Both queues carry messages of their own entities, and the daemon ends."""
    _publish(broker, queues.customer, "c1")
    _publish(broker, queues.subscription, "s1")
    broker.wait_until_empty(queues.customer)
    broker.wait_until_empty(queues.subscription)
    assert daemon.terminate() == 0


def _check(daemon: Kopru) -> tuple[int, str]:
    daemon.config_path.write_text(libconfig.to_text(daemon.settings), encoding="utf-8")
    done = run_kopru("check", "-c", str(daemon.config_path))
    return done.returncode, done.stdout.decode()


def _remedy(hint: str) -> str:
    found = re.search(r"UPDATE kopru\.queues .*", hint)
    assert found is not None, hint
    return found[0]


@pytest.fixture
def exchanged(rabbitmq_server, queues, kopru) -> tuple[Kopru, Endpoint]:
    """A daemon whose queues carried customers and subscriptions, and whose configuration now says
    the opposite. It does not run yet.
    """
    endpoint = Endpoint()
    daemon = kopru(http=endpoint.settings)
    _carry(rabbitmq_server, queues, daemon)
    daemon.settings["queues"] = _given(queues, _SUBSCRIPTIONS, _CUSTOMERS)
    return daemon, endpoint


def test_exchanged_entities_wait_and_nothing_is_consumed(rabbitmq_server, db, queues, exchanged):
    daemon, endpoint = exchanged
    _publish(rabbitmq_server, queues.customer, "c2")
    _publish(rabbitmq_server, queues.subscription, "s2")
    daemon.launch()
    paused = {line["queue"]: line for line in daemon.wait_for_event("paused", count=2)}
    assert set(paused) == {queues.customer, queues.subscription}
    assert "customer" in paused[queues.customer]["why"]
    assert re.search(r"since 20\d\d-\d\d-\d\d", paused[queues.customer]["why"])
    endpoint.wait_until_readyz(daemon, 503, f"[-]queue {queues.customer} not consuming: ",
                               "[+]database ok", "UPDATE kopru.queues")
    assert endpoint.metrics()["kopru_queue_paused", queues.customer] == 1
    for queue in (queues.customer, queues.subscription):
        depth = rabbitmq_server.depth(queue)
        assert (depth.ready, depth.consumers) == (1, 0)
    assert db.query("SELECT queue, entity, holder FROM kopru.queues ORDER BY entity") == [
        (queues.customer, "customer", None), (queues.subscription, "subscription", None)]
    assert db.query(_ROOTS) == [(1, 1)]
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert daemon.terminate() == 0


def test_what_the_hint_says_ends_the_wait(rabbitmq_server, db, queues, exchanged):
    daemon, endpoint = exchanged
    daemon.launch()
    lines = daemon.wait_for_event("paused", count=2)
    for line in lines:
        db.query(f"SET ROLE kopru_owner; {_remedy(line['hint'])}")
    daemon.wait_until_ready()
    endpoint.wait_until_readyz(daemon, 200)
    _publish(rabbitmq_server, queues.customer, "s2")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(_ROOTS) == [(1, 2)]
    status, said = _check(daemon)
    assert status == 0, said


def test_the_old_configuration_ends_the_wait_too(rabbitmq_server, db, queues, exchanged):
    daemon, _ = exchanged
    daemon.launch()
    daemon.wait_for_event("paused", count=2)
    assert daemon.terminate() == 0
    daemon.settings["queues"] = _given(queues, _CUSTOMERS, _SUBSCRIPTIONS)
    daemon.start()
    _publish(rabbitmq_server, queues.customer, "c2")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(_ROOTS) == [(2, 1)]


def test_check_says_what_it_was_since_when_and_what_to_run(db, queues, exchanged):
    daemon, _ = exchanged
    status, said = _check(daemon)
    assert status == 78, said
    for queue, entity in ((queues.customer, "customer"), (queues.subscription, "subscription")):
        assert re.search(rf'"{re.escape(queue)}": .*carried {entity} .*since 20\d\d-\d\d-\d\d'
                         r'.*last message 20\d\d', said), said
    for hint in re.findall(r"UPDATE kopru\.queues [^\n]*", said):
        db.query(f"SET ROLE kopru_owner; {hint}")
    status, said = _check(daemon)
    assert status == 0, said


def test_only_the_queue_with_another_entity_waits(rabbitmq_server, db, queues, kopru):
    endpoint = Endpoint()
    daemon = kopru(http=endpoint.settings)
    _carry(rabbitmq_server, queues, daemon)
    db.query("UPDATE kopru.queues SET entity = 'device' WHERE queue = %s", queues.customer)
    daemon.launch()
    daemon.wait_for_event("paused")
    endpoint.wait_until_readyz(daemon, 503, f"[-]queue {queues.customer} not consuming: ",
                               f"[+]queue {queues.subscription} consuming")
    _publish(rabbitmq_server, queues.subscription, "s2")
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert db.query(_ROOTS) == [(1, 2)]
    assert {line["queue"] for line in daemon.events("paused")} == {queues.customer}
    assert daemon.terminate() == 0


def test_a_standby_does_not_take_a_queue_that_was_given_to_another_entity(rabbitmq_server, db,
                                                                          queues, kopru):
    """It looked at the tables when it came, and at the row each time that it asks for the lease."""
    holder = kopru()
    standby = kopru(start=False, log={"level": "debug"})
    standby.launch()
    standby.wait_for_event("standby", count=2)
    db.query("UPDATE kopru.queues SET entity = 'device' WHERE queue = %s", queues.customer)
    standby.wait_for_event("paused")
    assert holder.terminate() == 0
    standby.wait_for_event("consuming")
    _publish(rabbitmq_server, queues.subscription, "s1")
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert {line.get("queue") for line in standby.events("paused")} == {queues.customer}
    assert db.query("SELECT entity, holder FROM kopru.queues WHERE queue = %s",
                    queues.customer) == [("device", None)]
    assert standby.terminate() == 0


def test_an_entity_that_was_renamed_waits_for_a_decision(rabbitmq_server, db, queues, kopru,
                                                         tmp_path):
    """Its tables may be the same ones; only a person knows."""
    text = (REPOSITORY / "etc" / "entities" / "customer.cfg").read_text(encoding="utf-8")
    renamed = tmp_path / "party.cfg"
    renamed.write_text(text.replace('entity = "customer"', 'entity = "party"'), encoding="utf-8")
    daemon = kopru(queues=_given(queues, _CUSTOMERS, _SUBSCRIPTIONS)[:1])
    _publish(rabbitmq_server, queues.customer, "c1")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert daemon.terminate() == 0
    daemon.settings["entity_files"] = [str(renamed)]
    daemon.settings["queues"] = _given(queues, "party", _SUBSCRIPTIONS)[:1]
    daemon.launch()
    (line,) = daemon.wait_for_event("paused")[:1]
    db.query(f"SET ROLE kopru_writer; {_remedy(line['hint'])}")
    daemon.wait_until_ready()
    assert db.value("SELECT entity FROM kopru.queues") == "party"


def test_entity_files_that_were_exchanged_wait_as_well(rabbitmq_server, db, queues, kopru,
                                                       tmp_path):
    """The queues keep their entities, which have each other's tables now."""
    daemon = kopru()
    _carry(rabbitmq_server, queues, daemon)
    files = []
    for entity, other in ((_CUSTOMERS, _SUBSCRIPTIONS), (_SUBSCRIPTIONS, _CUSTOMERS)):
        text = (REPOSITORY / "etc" / "entities" / f"{entity}.cfg").read_text(encoding="utf-8")
        assert re.search(rf'^entity *= "{entity}"', text, re.M)
        files.append(tmp_path / f"{entity}.cfg")
        files[-1].write_text(re.sub(rf'^entity( *)= "{entity}"', rf'entity\1= "{other}"', text,
                                    flags=re.M), encoding="utf-8")
    daemon.settings["entity_files"] = [str(file) for file in files]
    _publish(rabbitmq_server, queues.customer, "c2")
    daemon.launch()
    paused = {line["queue"]: line for line in daemon.wait_for_event("paused", count=2)}
    assert "carried customer (table customers) since" in paused[queues.customer]["why"]
    assert "customer (table subscriptions)" in paused[queues.customer]["why"]
    assert rabbitmq_server.depth(queues.customer).ready == 1
    assert db.query(_ROOTS) == [(1, 1)]
    for line in paused.values():
        db.query(f"SET ROLE kopru_owner; {_remedy(line['hint'])}")
    daemon.wait_until_ready()
    assert db.query("SELECT DISTINCT entity, root_table FROM kopru.queues ORDER BY 1") == [
        ("customer", "subscriptions"), ("subscription", "customers")]


def test_a_standby_with_another_entity_does_not_take_over(rabbitmq_server, db, queues, kopru):
    """The holder goes away, and its lease is free; the queue still carries its entity."""
    first = kopru(queues=_given(queues, _CUSTOMERS, _SUBSCRIPTIONS)[:1])
    second = kopru(start=False, queues=_given(queues, _SUBSCRIPTIONS, _CUSTOMERS)[:1])
    second.launch()
    second.wait_for_event("paused")
    _publish(rabbitmq_server, queues.customer, "c1")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert first.terminate() == 0
    _publish(rabbitmq_server, queues.customer, "c2")
    second.wait_for_event("paused", count=2)
    assert rabbitmq_server.depth(queues.customer).ready == 1
    assert db.query(_ROOTS) == [(1, 0)]


def test_the_remedy_quotes_the_name_of_the_queue(rabbitmq_server, db, kopru):
    """It is run as it stands."""
    name = "it's a \"queue\" of ü"
    rabbitmq_server.declare_queue(name)
    try:
        db.query("INSERT INTO kopru.queues (queue, entity) VALUES (%s, 'subscription')", name)
        daemon = kopru(start=False, queues=[{"name": name, "entity": "customer"}])
        daemon.launch()
        (line,) = daemon.wait_for_event("paused")[:1]
        assert "last message never" in line["why"]
        db.query(f"SET ROLE kopru_owner; {_remedy(line['hint'])}")
        daemon.wait_until_ready()
    finally:
        rabbitmq_server.delete_queue(name)
