"""Messages that came back to a quorum queue so often that the broker may soon drop them: RabbitMQ 4
does so at the 21st return unless the queue's owner set another limit.
"""

import json
import secrets
import time
from collections.abc import Iterator

import pytest
from support.endpoint import Endpoint
from support.preload import fatal_message, require_plain_binary
from support.rabbitmq import RabbitMQ
from support.wait import wait_until

OK = 0
_MIB = 1 << 20
_NEAR, _LIMIT = 10, 20
_PATIENT = {"postgres": {"lock_timeout": 60, "statement_timeout": 90}, "shutdown_timeout": 120}
_RETURNS = "SELECT returns FROM kopru.queues WHERE queue = %s"
_UNLIMITED = {"x-delivery-limit": 1000}  # so that only kopru's own care is seen


def _body(number: int, **properties: object) -> bytes:
    return json.dumps({"id": f"c{number}", **properties}).encode()


@pytest.fixture
def quorum(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """A quorum queue."""
    name = f"quorum-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(name, quorum=True, arguments=_UNLIMITED)
    yield name
    rabbitmq_server.delete_queue(name)


# What the broker counts.

def _time_out(broker: RabbitMQ, queue: str) -> None:
    """One message stays unacknowledged until the broker ends the subscription."""
    with broker.connect() as connection:
        channel = connection.channel()
        cancelled: list[object] = []
        channel.add_on_cancel_callback(cancelled.append)
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue, lambda *_: None)
        wait_until(lambda: connection.process_data_events(0.1) or cancelled or channel.is_closed,
                   60, "the timeout")


def _give_back(broker: RabbitMQ, queue: str, how: str) -> None:
    """One message is taken, and comes back."""
    if how == "consumer timeout":
        _time_out(broker, queue)
    else:
        with broker.connect() as connection:
            channel = connection.channel()
            method, _, _ = channel.basic_get(queue)
            if how == "basic.nack":
                channel.basic_nack(method.delivery_tag, requeue=True)
            if how == "closed channel":
                channel.close()
    wait_until(lambda: broker.depth(queue).unacked == 0, 30, "the message to be back or dropped")


@pytest.mark.no_kopru
@pytest.mark.parametrize("how", ["closed connection", "closed channel", "basic.nack",
                                 "consumer timeout"])
def test_what_a_quorum_queue_counts_as_a_return(rabbitmq_server, quorum, short_consumer_timeout,
                                                how):
    """The delivery-limit looks at x-delivery-count, and so does kopru."""
    rabbitmq_server.publish(quorum, b"1")
    for _ in range(2):
        _give_back(rabbitmq_server, quorum, how)
    with rabbitmq_server.connect() as connection:
        method, properties, _ = connection.channel().basic_get(quorum, auto_ack=True)
    assert method.redelivered
    headers = properties.headers
    if rabbitmq_server.version >= (4, 3):
        assert headers["x-acquired-count"] == 2
        counts = how.startswith("closed")
    else:
        counts = True
    assert headers.get("x-delivery-count", 0) == (2 if counts else 0)


@pytest.mark.no_kopru
def test_the_broker_drops_at_the_21st_return_what_has_no_limit(rabbitmq_server, quorum):
    """From 4.0 on; this is where the assumed limit comes from."""
    unasked = f"{quorum}-unasked"
    rabbitmq_server.declare_queue(unasked, quorum=True)
    rabbitmq_server.publish(unasked, b"1")
    rabbitmq_server.return_all(unasked, _LIMIT)
    _give_back(rabbitmq_server, unasked, "closed connection")
    assert rabbitmq_server.depth(unasked).ready == (rabbitmq_server.version < (4,))
    rabbitmq_server.delete_queue(unasked)


# What kopru check says.

@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_check_warns_of_the_limit_that_the_broker_sets_unasked(rabbitmq_server, queues, check,
                                                               kind):
    rabbitmq_server.delete_queue(queues.customer)
    rabbitmq_server.declare_queue(queues.customer, quorum=kind == "quorum")
    report = check()
    assert report.status == OK
    warnings = [found for found in report.warnings if "came back often" in found.what]
    if rabbitmq_server.version < (4,) or kind == "classic":
        assert warnings == []
        return
    (warning,) = warnings
    assert (warning.area, warning.subject) == ("broker", queues.customer)
    assert f"delivery-limit of {_LIMIT}" in warning.why and "it is a quorum queue" in warning.why
    assert "list_queues name type arguments effective_policy_definition" in warning.hint


def test_the_memory_figure_knows_the_largest_message_of_the_broker(rabbitmq_server, check):
    memory = check().memory
    assert memory is not None
    expected = 16 if rabbitmq_server.version >= (4,) else 128
    assert memory["largest_message_bytes"] == expected * _MIB


# What the daemon says, and shows.

def test_returns_are_told_counted_and_shown(rabbitmq_server, db, quorum, kopru):
    """Also in the row, for the next holder, before anything of the message is done."""
    rabbitmq_server.publish_many(quorum, [_body(n) for n in range(5)])
    rabbitmq_server.return_all(quorum, _NEAR)
    endpoint = Endpoint()
    with db.admin() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        daemon = kopru(queues=[{"name": quorum, "entity": "customer"}], http=endpoint.settings,
                       **_PATIENT)
        (line,) = daemon.wait_for_event("delivery_limit_near")
        assert (line["level"], line["queue"]) == ("warning", quorum)
        assert (line["returns"], line["assumed_limit"]) == (_NEAR, _LIMIT)
        assert "delivery-limit of -1" in line["hint"]
        text = endpoint.wait_until_readyz(daemon, 200, "messages came back 10 times")
        assert "drops them after 20" in text
        daemon.wait_until(lambda: endpoint.metrics()[
            "kopru_messages_near_delivery_limit_total", quorum] == 5, 10, "all to be counted")
        assert endpoint.metrics()["kopru_unacknowledged_returns", quorum] == _NEAR
        assert db.value(_RETURNS, quorum) == _NEAR
        assert len(daemon.events("delivery_limit")) == (rabbitmq_server.version >= (4,))
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 30, "all to be acknowledged")
    daemon.wait_until(lambda: endpoint.metrics()["kopru_unacknowledged_returns", quorum] == 0, 10,
                      "nothing to be near the limit any more")
    daemon.wait_until(lambda: db.value(_RETURNS, quorum) is None, 10, "the row to say so")
    assert daemon.events("delivery_limit_near") == [line]
    assert daemon.terminate() == 0


def test_what_came_back_seldom_is_no_news(rabbitmq_server, db, quorum, kopru):
    rabbitmq_server.publish_many(quorum, [_body(n) for n in range(5)])
    rabbitmq_server.return_all(quorum, _NEAR - 1)
    daemon = kopru(queues=[{"name": quorum, "entity": "customer"}])
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 30, "all to be acknowledged")
    assert not daemon.events("delivery_limit_near")


def test_returns_that_the_broker_does_not_count_are_none(rabbitmq_server, db, quorum, kopru):
    """From RabbitMQ 4.3 on that is what a consumer gave back."""
    rabbitmq_server.publish(quorum, _body(1))
    for _ in range(_NEAR):
        _give_back(rabbitmq_server, quorum, "basic.nack")
    daemon = kopru(queues=[{"name": quorum, "entity": "customer"}])
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 30, "it to be acknowledged")
    told = [line["returns"] for line in daemon.events("delivery_limit_near")]
    assert told == ([] if rabbitmq_server.version >= (4, 3) else [_NEAR])


def test_more_returns_than_the_limit_prove_that_it_is_another(rabbitmq_server, db, quorum, kopru):
    rabbitmq_server.publish_many(quorum, [_body(n) for n in range(5)])
    rabbitmq_server.return_all(quorum, _LIMIT + 1)
    daemon = kopru(queues=[{"name": quorum, "entity": "customer"}])
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 30, "all to be acknowledged")
    assert not daemon.events("delivery_limit_near")
    assert [line["prefetch"] for line in daemon.events("consuming")] != [1]


# What the daemon does.

def test_after_a_crash_it_waits_before_it_takes_them_again(rabbitmq_server, db, quorum, kopru):
    """The process that was killed said in the row how often they had come back."""
    rabbitmq_server.publish_many(quorum, [_body(n) for n in range(5)])
    returns = _NEAR + 2
    rabbitmq_server.return_all(quorum, returns)
    endpoint = Endpoint()
    settings = {"queues": [{"name": quorum, "entity": "customer"}], "http": endpoint.settings}
    with db.admin() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        daemon = kopru(**settings)
        daemon.wait_for_event("delivery_limit_near")
        daemon.wait_until(lambda: db.value(_RETURNS, quorum) == returns, 30, "the row to say so")
        daemon.kill9()
    daemon.launch()
    (line,) = daemon.wait_for_event("delivery_limit_wait")
    assert (line["returns"], line["wait_ms"]) == (returns, 8000)
    endpoint.wait_until_readyz(daemon, 503, f"[-]queue {quorum} not consuming: its messages came "
                                            "back 12 times")
    assert rabbitmq_server.depth(quorum).unacked == 0
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 60, "all to be acknowledged")
    assert db.value("SELECT count(*) FROM kopru.customers") == 5
    assert daemon.terminate() == 0


@pytest.mark.full  # it waits a minute
def test_shortly_before_the_limit_only_one_message_is_at_risk(rabbitmq_server, db, quorum, kopru):
    """When they are committed, the prefetch is again what it was."""
    rabbitmq_server.publish_many(quorum, [_body(n) for n in range(50)])
    rabbitmq_server.return_all(quorum, _LIMIT - 3)
    with db.admin() as blocker:
        with blocker.transaction():
            blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            daemon = kopru(queues=[{"name": quorum, "entity": "customer"}])
            daemon.wait_for_event("delivery_limit_near")
            daemon.wait_until(lambda: rabbitmq_server.depth(quorum).unacked == 50, 30,
                              "all to be delivered")
            daemon.kill9()
            daemon.launch()
            (line,) = daemon.wait_for_event("consuming", 120)
            assert line["prefetch"] == 1
            daemon.wait_for_event("delivery_limit_near")
            assert rabbitmq_server.depth(quorum).unacked == 1
        daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 60,
                          "all to be acknowledged")
    assert db.value("SELECT count(*) FROM kopru.customers") == 50
    lines = daemon.wait_for_event("consuming", count=2)
    assert lines[1]["prefetch"] > 1
    assert daemon.terminate() == 0


@pytest.mark.full  # it waits a minute
def test_what_is_taken_alone_takes_no_row_back(rabbitmq_server, db, quorum, kopru):
    """The quorum queue puts what came back alone behind the rest, and here that is the older
    state.
    """
    daemon = kopru(queues=[{"name": quorum, "entity": "customer"}])
    daemon.wait_for_event("consuming")
    assert daemon.terminate() == 0
    now_s = int(time.time())
    rabbitmq_server.publish_many(quorum, [
        (_body(1, status="old"), {"timestamp": now_s - 100}),
        (_body(1, status="new"), {"timestamp": now_s - 50})])
    rabbitmq_server.return_all(quorum, _LIMIT - 3)
    with rabbitmq_server.connect() as connection:  # as if a daemon crashed with the first of them
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        taken: list[bytes] = []
        channel.basic_consume(quorum, lambda _c, _m, _p, body: taken.append(body))
        while not taken:
            connection.process_data_events(1)
    db.query("UPDATE kopru.queues SET returns = %s WHERE queue = %s", _LIMIT - 3, quorum)
    daemon.launch()
    (line,) = daemon.wait_for_event("consuming", 120)
    assert line["prefetch"] == 1
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 60, "all to be acknowledged")
    assert db.value("SELECT status FROM kopru.customers") == "new"
    assert daemon.terminate() == 0


@pytest.mark.full  # it waits for ten minutes
def test_25_kills_in_a_row_with_a_full_prefetch(rabbitmq_server, db, kopru, capsys):
    """Three queues: with the limit of the broker, with none, with a dead-letter exchange. Each
    daemon is killed when it has all that it asked for.
    """
    total, kills = 2000, 25
    names = {kind: f"{kind}-{secrets.token_hex(4)}" for kind in ("unasked", "none", "exchange")}
    refuge = f"refuge-{secrets.token_hex(4)}"
    arguments = {
        "unasked": {}, "none": {"x-delivery-limit": -1} if rabbitmq_server.version >= (4,) else {},
        "exchange": {"x-delivery-limit": _LIMIT, "x-dead-letter-exchange": "",
                     "x-dead-letter-routing-key": refuge}}
    rabbitmq_server.declare_queue(refuge, quorum=True)
    for kind, name in names.items():
        rabbitmq_server.declare_queue(name, quorum=True, arguments=arguments[kind])
        rabbitmq_server.publish_many(name, [
            json.dumps({"id": f"{kind}{n}"}).encode() for n in range(total)])
    daemons = {kind: kopru(start=False, queues=[{"name": name, "entity": "customer", "writers": 1}])
               for kind, name in names.items()}
    said = {kind: {"near": [], "waits": 0, "alone": 0, "limit": 0} for kind in names}

    def has_all(name, prefetch):
        depth = rabbitmq_server.depth(name)
        return depth.unacked >= min(prefetch, depth.ready + depth.unacked)

    with db.admin() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        for _ in range(kills):
            for daemon in daemons.values():
                daemon.launch()
            for kind, daemon in daemons.items():
                (line,) = daemon.wait_for_event("consuming", 180)
                daemon.wait_until(lambda name=names[kind], line=line: has_all(
                    name, line["prefetch"]), 60, "all to be delivered")
                daemon.kill9()
                told = daemon.events("delivery_limit_near")
                said[kind]["near"] += [line["returns"] for line in told]
                said[kind]["waits"] += len(daemon.events("delivery_limit_wait"))
                said[kind]["limit"] += len(daemon.events("delivery_limit"))
                said[kind]["alone"] += line["prefetch"] == 1
    for kind, daemon in daemons.items():
        daemon.launch()
        daemon.wait_until(lambda name=names[kind]: rabbitmq_server.depth(name).is_empty, 240,
                          f"{kind} to be empty")
    rows = {kind: db.value("SELECT count(*) FROM kopru.customers WHERE customer_id LIKE %s",
                           f"{kind}%") for kind in names}
    dead_lettered = rabbitmq_server.depth(refuge).ready
    with capsys.disabled():
        print("\n", rabbitmq_server.version, "rows", rows, "dead-lettered", dead_lettered, said)
    assert rows["none"] == total
    assert rows["exchange"] + dead_lettered == total
    assert rows["unasked"] == total
    assert set(range(_NEAR, _LIMIT - 2)) <= set(said["unasked"]["near"])
    rabbitmq_server.delete_queue(refuge)
    for name in names.values():
        rabbitmq_server.delete_queue(name)


@pytest.mark.full  # it waits for minutes
def test_a_message_that_ends_the_daemon_takes_no_other_with_it(rabbitmq_server, db, kopru,
                                                               tmp_path):
    """By a fault of kopru's: it ends in the dead-letter exchange, and alone."""
    require_plain_binary()
    name, refuge = f"quorum-{secrets.token_hex(4)}", f"refuge-{secrets.token_hex(4)}"
    rabbitmq_server.declare_queue(refuge, quorum=True)
    rabbitmq_server.declare_queue(name, quorum=True, arguments={
        "x-delivery-limit": _LIMIT, "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": refuge})
    rabbitmq_server.publish_many(name, [
        _body(n, **({"status": "fatal"} if n == 25 else {})) for n in range(50)])
    rabbitmq_server.return_all(name, _LIMIT - 5)  # the first fifteen lives
    daemon = kopru(start=False, queues=[{"name": name, "entity": "customer"}],
                   env=fatal_message(tmp_path, '"fatal"'))
    lives = 0
    while rabbitmq_server.depth(refuge).ready == 0:
        lives += 1
        assert lives < 10
        daemon.launch()
        wait_until(lambda: not daemon.is_running() or rabbitmq_server.depth(refuge).ready > 0, 180,
                   "the daemon to take the message")
    if not daemon.is_running():
        daemon.launch()
    daemon.wait_until_ready(180)
    daemon.wait_until(lambda: rabbitmq_server.depth(name).is_empty, 60, "all others to be taken")
    assert db.value("SELECT count(*) FROM kopru.customers") == 49
    assert rabbitmq_server.depth(refuge).ready == 1
    assert daemon.terminate() == 0
    for queue in (name, refuge):
        rabbitmq_server.delete_queue(queue)


def test_missing_tables_cost_one_return_however_long_they_are_missing(
        rabbitmq_server, db, quorum, kopru, short_consumer_timeout):
    """Messages that could not be acknowledged are not taken again before the tables are right."""
    with db.admin() as connection:
        daemon = kopru(queues=[{"name": quorum, "entity": "customer"}])
        connection.execute("ALTER TABLE kopru.customers RENAME COLUMN status TO other")
        rabbitmq_server.publish_many(quorum, [_body(n, status="x") for n in range(5)])
        daemon.wait_for_event("broker_unavailable")
        daemon.wait_until(lambda: rabbitmq_server.depth(quorum).ready == 5, 30, "all to be back")
        seen = len(daemon.events("paused"))
        daemon.wait_for_event("paused", count=seen + 2)
        assert rabbitmq_server.depth(quorum).consumers == 0
        connection.execute("ALTER TABLE kopru.customers RENAME COLUMN other TO status")
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 60, "all to be acknowledged")
    assert db.value("SELECT count(*) FROM kopru.customers") == 5
    assert len(daemon.events("broker_unavailable")) == 1
    assert daemon.terminate() == 0


def test_a_quarantined_message_is_judged_before_the_broker_drops_it(
        rabbitmq_server, db, quorum, kopru):
    """With an error for which no message is at fault otherwise, however often it fails."""
    db.query("CREATE FUNCTION kopru.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " IF new.customer_id = 'c1' THEN RAISE SQLSTATE '53100'; END IF; RETURN new; END $$")
    db.query("CREATE TRIGGER refuse BEFORE INSERT ON kopru.customers FOR EACH ROW"
             " EXECUTE FUNCTION kopru.refuse()")
    rabbitmq_server.publish_many(quorum, [_body(1)])
    rabbitmq_server.return_all(quorum, _LIMIT - 5)
    daemon = kopru(queues=[{"name": quorum, "entity": "customer"}],
                   quarantine={"attempts": 2, "minutes": 0.01})
    daemon.wait_for_event("quarantined")
    assert not daemon.events("quarantine_rejected")
    rabbitmq_server.publish_many(quorum, [_body(n) for n in range(2, 6)])
    daemon.wait_for_event("quarantine_rejected", 60)
    daemon.wait_until(lambda: rabbitmq_server.depth(quorum).is_empty, 30, "all to be acknowledged")
    assert db.query("SELECT entity_id, reason, sqlstate FROM kopru.dead_letters") == [
        ("c1", "rejected_by_database", "53100")]
    assert db.value("SELECT count(*) FROM kopru.customers") == 4
