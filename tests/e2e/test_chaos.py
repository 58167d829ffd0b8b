"""The chaos run can fail: its checks see each kind of damage, its tap and its network do what they
say, its plan replays.
"""

import dataclasses
import math
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pika
import psycopg
import pytest
from support import database, history
from support.daemon import Kopru, default_settings
from support.database import REPOSITORY, Database
from support.postgres import Postgres
from support.preload import stepping_clock

sys.path.insert(0, str(REPOSITORY / "tools"))

from chaos import checks, plan  # noqa: E402
from chaos.checks import Evidence  # noqa: E402
from chaos.clock import ServerClock  # noqa: E402
from chaos.faults import KINDS  # noqa: E402
from chaos.ledger import Ledger, read  # noqa: E402
from chaos.network import TO_CLIENT, TO_SERVER, Network  # noqa: E402
from chaos.publisher import Publisher  # noqa: E402
from chaos.tap import AmqpTap, Delivery, Traffic  # noqa: E402
from chaos.watch import Usage  # noqa: E402
from chaos.world import QUEUES, SITE_RULES, End  # noqa: E402

pytestmark = pytest.mark.no_kopru  # it only makes the evidence

_MESSAGES = 400
_STEPS_S = (3600, -7200, 3, -60)
_USAGE = Usage(cpu_s=1, rss_mib=10, peak_mib=20, threads=8, descriptors=("port 1", "port 2"))


# ---- the checks ----

@pytest.fixture(scope="module")
def stepping_server() -> Iterator[tuple[Postgres, ServerClock]]:
    server = Postgres()
    clock = ServerClock(stepping_clock(server.directory))
    server.preload(clock.environment)
    with server:
        yield server, clock


@pytest.fixture(scope="module")
def sound(stepping_server, rabbitmq_server, tmp_path_factory) -> Iterator[Evidence]:
    """What a run leaves in which nothing went wrong, and nothing happened but that the server's
    clock was set now and then.
    """
    server, clock = stepping_server
    db = database.create_installed(server)
    history.install(db)
    db.query(SITE_RULES)
    for queue in QUEUES:
        rabbitmq_server.declare_queue(queue)
    traffic = Traffic()
    network = Network(rabbitmq_server.port, tap=lambda: AmqpTap(traffic, 2000))
    daemon = Kopru(default_settings(f"amqp://guest:guest@127.0.0.1:{network.port}/%2F",
                                    db.daemon_dsn, QUEUES))
    log = Ledger(tmp_path_factory.mktemp("chaos") / "ledger")
    try:
        daemon.start()
        for queue, entity in QUEUES.items():
            publisher = Publisher(rabbitmq_server, queue, entity, log, seed=1, entities=30,
                                  rate=100)
            for step_s in _STEPS_S:
                publisher.warm_up(_MESSAGES // len(_STEPS_S))
                clock.step(step_s)
        log.close()
        for queue in QUEUES:
            rabbitmq_server.wait_until_empty(queue)
        assert daemon.terminate() == 0
        yield Evidence(
            db=db, clock=clock, ledger=log.path, traffic=traffic,
            depths=dict.fromkeys(QUEUES, (0, 0)),
            baseline=_USAGE, end=_USAGE,
            sql_connections=2, memory_mib=400, peak_mib=30, seconds=60, daemon_cpu_s=1,
            quiet_cpu_share=0, busy=[], not_live=[], late=0,
            logs=[daemon.stderr_path], ends=[End("first", 1, "SIGTERM", 0)])
    finally:
        daemon.release()
        network.close()
        for queue in QUEUES:
            rabbitmq_server.delete_queue(queue)
        db.drop()


def _failed(evidence: Evidence) -> set[str]:
    return {result.check for result in checks.run(evidence) if not result.holds}


def test_nothing_is_found_where_nothing_is_wrong(sound):
    results = checks.run(sound)
    assert [line for result in results if not result.holds for line in result.lines()] == []
    assert [result.check for result in results] == [f"P{n}" for n in range(1, 13)]
    figures = {result.check: result.figures for result in results}
    assert sound.traffic.deliveries > 2 * _MESSAGES * 0.9
    assert f"acknowledged {len(sound.traffic.acknowledged)}, too early 0" in figures["P7"]
    assert f"published {sound.published.count}, confirmed {sound.published.count}" in figures["P1"]
    assert len(sound.published.must) > 5


_LATEST = "SELECT entity, entity_id, max(number) AS number FROM history.states GROUP BY 1, 2"

_LEASES = ("INSERT INTO history.leases (queue, epoch, instance, uptime) SELECT 'q', 1, * FROM "
           "(VALUES {}) AS l")

# What somebody does to the tables, and the checks that fail.
_DAMAGE = {
    "a lost row": ("DELETE FROM kopru.customers WHERE customer_id = 'M-1'", {"P1", "P3"}),
    "a lost child": ("DELETE FROM kopru.contact_mediums WHERE (customer_id, position) IN "
                     "(SELECT customer_id, max(position) FROM kopru.contact_mediums GROUP BY "
                     "1 LIMIT 1)", {"P3"}),
    "a stale row": ("UPDATE kopru.customers SET name = 'Güneş Ağaç 0' WHERE customer_id = 'M-1'",
                    {"P1", "P3", "P5"}),
    "a stale property": ("ALTER TABLE kopru.customers DISABLE TRIGGER history; "
                         "UPDATE kopru.customers SET extra = '{\"score\": -1}' WHERE "
                         "customer_id = 'M-1'", {"P3"}),
    "a row too many": ("INSERT INTO kopru.subscriptions (subscription_id, name, payload_hash) "
                       "SELECT 'new', 'Güneş Ağaç 1', payload_hash FROM kopru.subscriptions "
                       "LIMIT 1", {"P3"}),
    "a step back": (f"INSERT INTO history.states (entity, entity_id, number) SELECT entity, "
                    f"entity_id, number - 1 FROM ({_LATEST}) AS l "
                    "LIMIT 1", {"P5"}),
    "a state written twice": (f"INSERT INTO history.states (entity, entity_id, number) SELECT * "
                              f"FROM ({_LATEST}) AS l LIMIT 1", {"P6"}),
    "the same child twice": ("ALTER TABLE kopru.contact_mediums DROP CONSTRAINT "
                             "contact_mediums_pkey; "
                             "INSERT INTO kopru.contact_mediums SELECT * FROM "
                             "kopru.contact_mediums LIMIT 1", {"P6"}),
    "a child without a parent": ("ALTER TABLE kopru.engaged_parties DROP CONSTRAINT "
                                 "engaged_parties_subscription_id_fkey; "
                                 "INSERT INTO kopru.engaged_parties (subscription_id, customer_id, "
                                 "occurrence) VALUES ('no', 'no', 1)",
                                 {"P3", "P6"}),
    "a gap": ("UPDATE kopru.contact_mediums SET position = position + 7 WHERE (customer_id, "
              "position) IN "
              "(SELECT customer_id, max(position) FROM kopru.contact_mediums GROUP BY 1 LIMIT 1)",
              {"P3", "P6"}),
    "a missing dead letter": ("DELETE FROM kopru.dead_letters WHERE reason = 'not_json'",
                              {"P1", "P4"}),
    "a missing refusal": ("DELETE FROM kopru.dead_letters WHERE entity_id LIKE 'refused-%'",
                          {"P1", "P4"}),
    "a dead letter too many": ("INSERT INTO kopru.dead_letters (queue, entity, reason, body, "
                               "body_sha256, properties, redelivered) "
                               "SELECT queue, entity, reason, 'x', sha256('x'), properties, false "
                               "FROM kopru.dead_letters LIMIT 1", {"P4"}),
    "a dead letter of another reason": ("UPDATE kopru.dead_letters SET reason = 'too_deep' WHERE "
                                        "reason = 'not_json'", {"P1", "P4"}),
    "the same dead letter twice": ("DROP INDEX kopru.dead_letters_open_body_key; INSERT INTO "
                                   "kopru.dead_letters (queue, entity, reason, "
                                   "body, body_sha256, properties, redelivered) SELECT queue, "
                                   "entity, reason, body, body_sha256, properties, "
                                   "false FROM kopru.dead_letters LIMIT 1", {"P4", "P6"}),
    "an entity that was never written": ("DELETE FROM history.states WHERE entity_id = 'M-1'",
                                         {"P7"}),
    "a dead letter that was written late": ("DELETE FROM history.dead_letters; UPDATE "
                                            "kopru.dead_letters SET occurrences = 2", {"P7"}),
    "renewals that nobody recorded": ("DELETE FROM history.leases", {"P12"}),
    "a robbed holder": (_LEASES.format("('host boot/1/2 11 5', 9000), ('host boot/1/2 22 6', "
                                       "9005.9)"), {"P12"}),
    "a lease acquired back too early": (_LEASES.format("('host boot/1/2 11 5', 9000), "
                                                       "('host boot/1/2 22 6', 9006.1), "
                                                       "('host boot/1/2 11 5', 9007)"), {"P12"}),
}


@pytest.mark.parametrize("name", _DAMAGE)
def test_damage_to_the_tables_is_found(sound, name):
    damage, failing = _DAMAGE[name]
    copy = Database(sound.db.server, f"damaged_{secrets.token_hex(4)}")
    with sound.db.server.admin() as connection:
        connection.execute(f"CREATE DATABASE {copy.name} TEMPLATE {sound.db.name}")
    try:
        with psycopg.connect(copy.admin_dsn) as connection:
            connection.execute(damage)
        assert _failed(replace(sound, db=copy)) == failing
    finally:
        copy.drop()


@pytest.mark.parametrize(("rows", "failing"), [
    ("('h b 11 5', 9000), ('h b 11 5', 9001), ('h b 11 5', 9020)", set()),
    ("('h b 11 5', 9000), ('h b 22 6', 9006)", set()),
    ("('h b 11 5', 9000), (NULL, 9001), ('h b 22 6', 9001.1)", set()),
    ("('h b 33 5', 9000), ('h b 22 6', 9001.5)", set()),
    ("('h b 33 5', 9000), ('h b 22 6', 9000.5)", {"P12"}),
], ids=["renewed", "silent", "released", "ended", "ended later"])
def test_a_takeover_has_a_reason(sound, rows, failing):
    copy = Database(sound.db.server, f"damaged_{secrets.token_hex(4)}")
    with sound.db.server.admin() as connection:
        connection.execute(f"CREATE DATABASE {copy.name} TEMPLATE {sound.db.name}")
    try:
        copy.query(_LEASES.format(rows))
        killed = End("first", 2, "kill9", -9, pid=33, since=9001)
        assert _failed(replace(sound, db=copy, ends=[*sound.ends, killed])) == failing
    finally:
        copy.drop()


def test_a_commit_is_placed_whatever_the_servers_clock_says(sound, stepping_server):
    server, clock = stepping_server
    said = ("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8, uptime FROM "
            "history.states WHERE entity = 'placed' AND number = %s")
    copy = Database(server, f"placed_{secrets.token_hex(4)}")
    with server.admin() as connection:
        connection.execute(f"CREATE DATABASE {copy.name} TEMPLATE {sound.db.name}")
    committed = {}
    try:
        for number, step_s in enumerate((3600, -7200, 3, -3, -60, 7200)):
            with copy.admin() as writer:
                writer.execute("BEGIN")
                writer.execute("INSERT INTO history.states (entity, entity_id, number) "
                               "VALUES ('placed', '', %s)", (number,))
                clock.step(step_s)  # the row was written before, the transaction ends after it
                began = time.time()
                writer.execute("COMMIT")
                committed[number] = (began, time.time())
        for number, (began, ended) in committed.items():
            ((at, written),) = copy.query(said, number)
            assert began - 0.001 <= clock.true_time(at, written) <= ended + 0.001, number
        assert clock.true_time(at - 30, written) == math.inf, "no interval has such a time"
    finally:
        copy.drop()


def _early(evidence: Evidence) -> Evidence:
    number = max(evidence.traffic.acknowledged)
    times = {**evidence.traffic.acknowledged, number: evidence.traffic.acknowledged[number] - 5}
    return replace(evidence, traffic=replace(evidence.traffic, acknowledged=times))


def _forgotten(evidence: Evidence) -> Evidence:
    times = dict(evidence.traffic.acknowledged)
    times.popitem()
    return replace(evidence, traffic=replace(evidence.traffic, acknowledged=times))


_OTHER_DAMAGE = {
    "acknowledged before the commit": (_early, {"P7"}),
    "never acknowledged": (_forgotten, {"P1"}),
    "an unknown tag acknowledged": (lambda e: replace(e, traffic=replace(e.traffic,
                                                                         unknown_tags=1)), {"P7"}),
    "no traffic seen": (lambda e: replace(e, traffic=Traffic()), {"P1", "P7"}),
    "a message left": (lambda e: replace(e, depths={**e.depths, "chaos-customer": (1, 0)}), {"P2"}),
    "one unacknowledged": (lambda e: replace(e, depths={**e.depths, "chaos-customer": (0, 1)}),
                           {"P2"}),
    "a thread left": (lambda e: replace(e, end=replace(_USAGE, threads=9)), {"P8"}),
    "a descriptor left": (lambda e: replace(e,
                                            end=replace(_USAGE, descriptors=("port 1", "port 2",
                                                                             "port 2"))), {"P8"}),
    "a connection left": (lambda e: replace(e,
                                            end=replace(_USAGE, descriptors=("port 1", "port 2",
                                                                             *[checks.SQL] * 3))),
                          {"P8"}),
    "too much memory": (lambda e: replace(e, peak_mib=401), {"P8"}),
    "a busy loop": (lambda e: replace(e, busy=["the first daemon, run 1"]), {"P9"}),
    "busy at the end": (lambda e: replace(e, quiet_cpu_share=0.5), {"P9"}),
    "not live": (lambda e: replace(e, not_live=["the first daemon, run 1"]), {"P9"}),
    "a crash": (lambda e: replace(e, ends=[*e.ends, End("first", 2, "", -11)]), {"P11"}),
    "an abort while ending": (lambda e: replace(e, ends=[*e.ends, End("first", 2, "SIGTERM", -6)]),
                              {"P11"}),
    "a signal that it should have caught": (lambda e: replace(e,
                                                              ends=[*e.ends, End("first", 2,
                                                                                 "SIGINT", -2)]),
                                            {"P11"}),
    "a signal that nobody sent": (lambda e: replace(e,
                                                    ends=[*e.ends, End("first", 2, "", -2,
                                                                       silent=True)]), {"P11"}),
    "a wrong status": (lambda e: replace(e, ends=[*e.ends, End("first", 2, "SIGTERM", 70)]),
                       {"P11"}),
}


@pytest.mark.parametrize("name", _OTHER_DAMAGE)
def test_other_damage_is_found(sound, name):
    change, failing = _OTHER_DAMAGE[name]
    assert _failed(change(sound)) == failing


def test_a_message_that_was_lost_on_the_way_is_found(sound, tmp_path):
    """The same as if the publisher had one confirmed more."""
    longer = tmp_path / "ledger"
    entry = next(entry for entry in read(sound.ledger) if entry.reason is None
                 and entry.entity == "customer")
    with open(longer, "w", encoding="utf-8") as file:
        file.write(sound.ledger.read_text())
        body = entry.body.decode().replace(f"Ağaç {entry.number}", "Ağaç 999999")
        file.write(Ledger.line([999999, entry.queue, entry.entity, entry.entity_id, None, body])
                   + Ledger.line(999999))
    assert _failed(replace(sound, ledger=longer)) == {"P1", "P3"}


def test_a_publisher_that_did_not_follow_up_is_noticed(sound, tmp_path):
    unsure = tmp_path / "ledger"
    last = max(entry.number for entry in read(sound.ledger) if entry.reason is None)
    unsure.write_text(sound.ledger.read_text().replace(f"\n{last}\n", "\n"))
    with pytest.raises(RuntimeError, match="makes a difference"):
        checks.run(replace(sound, ledger=unsure))


@pytest.mark.parametrize("line", [
    '{"msg":"Güneş Ağaç 12"}', '{"msg":"G\\u00fcne\\u015f A\\u011fa\\u00e7"}',
    '{"msg":"GÜNEŞ AĞAÇ"}', '{"msg":"R8O8bmXFnyBBxJ9hw6c="}',
    '{"msg":"47c3bc6e65c59f2041c49f61c3a7"}', '{"msg":"05321234567"}'])
def test_a_value_in_a_log_is_found(sound, tmp_path, line):
    log = tmp_path / "log"
    log.write_text(line + "\n")
    assert _failed(replace(sound, logs=[*sound.logs, log])) == {"P10"}


def test_a_flood_of_lines_is_found(sound, tmp_path):
    log = tmp_path / "log"
    log.write_text('{"ts":"2026-11-24T12:00:00.000","level":"info"}\n' * 1000)
    assert _failed(replace(sound, logs=[*sound.logs, log])) == {"P9"}
    log.write_text('{"ts":"2026-11-24T12:00:00.000","level":"debug"}\n' * 1000)
    assert _failed(replace(sound, logs=[*sound.logs, log])) == set()


def test_only_what_the_broker_returned_late_may_step_back(sound):
    copy = Database(sound.db.server, f"damaged_{secrets.token_hex(4)}")
    with sound.db.server.admin() as connection:
        connection.execute(f"CREATE DATABASE {copy.name} TEMPLATE {sound.db.name}")
    try:
        copy.query(_DAMAGE["a step back"][0])
        ((number,),) = copy.query("SELECT number FROM history.states ORDER BY n DESC LIMIT 1")
        late = replace(sound.traffic, late={number: "silence"})
        stepped = replace(sound, db=copy)
        assert _failed(replace(stepped, traffic=late)) == {"P5"}, "the daemon noticed nothing"
        assert _failed(replace(stepped, late=1)) == {"P5"}, "the broker did nothing"
        assert _failed(replace(stepped, traffic=late, late=1)) == set()
    finally:
        copy.drop()


def test_only_an_older_message_that_came_late_covers_a_newer_one(sound):
    """The broker returned 2, then 1 of one entity: the batch ends as 1, and 2 is acknowledged."""
    copy = Database(sound.db.server, f"damaged_{secrets.token_hex(4)}")
    with sound.db.server.admin() as connection:
        connection.execute(f"CREATE DATABASE {copy.name} TEMPLATE {sound.db.name}")
    try:
        (customer, newest, older), = copy.query(
            "SELECT entity_id, numbers[1], numbers[2] FROM (SELECT entity_id, "
            "array_agg(number ORDER BY n DESC) AS numbers FROM history.states WHERE "
            "entity = 'customer' GROUP BY 1 HAVING count(*) > 1 LIMIT 1) AS s")
        copy.query(f"DELETE FROM history.states WHERE number = {newest}")
        first = Delivery(subscription=7, tag=2, at=0)
        covered = [number for number, key in sound.published.key_of.items()
                   if key == ("customer", customer) and number > older]
        acknowledged = replace(sound.traffic, acknowledged_as=dict.fromkeys(covered, first))

        def failed(late_as: Delivery, late: int = 1) -> set[str]:
            traffic = replace(acknowledged, late={older: "silence"}, late_as={older: [late_as]})
            return _failed(replace(sound, db=copy, traffic=traffic, late=late))

        assert failed(replace(first, tag=3)) == set()
        traffic = replace(acknowledged, late_as={older: [replace(first, tag=3)]})
        result = checks.run(replace(sound, db=copy, traffic=traffic, late=1))[6]
        assert f"came late {len(covered)}" in result.figures
        assert failed(replace(first, tag=3), late=0) == {"P7"}, "the daemon noticed nothing"
        assert failed(replace(first, tag=1)) == {"P7"}, "the older one came first"
        assert failed(replace(first, tag=3, subscription=8)) == {"P7"}, "elsewhere"
        assert failed(replace(first, tag=3, at=math.inf)) == {"P7"}, "that state is older"
    finally:
        copy.drop()


# ---- the tap ----

class _Broker:
    """Frames as a broker and its client send them."""

    def __init__(self, prefetch: int = 3):
        self.traffic = Traffic()
        self.now = 100.0
        self._tap = AmqpTap(self.traffic, prefetch, clock=lambda: self.now)
        self._tap.saw(True, b"AMQP\0\0\x09\x01" + self._method(pika.spec.Channel.Open()))
        self._tag = 0

    @staticmethod
    def _method(method: object) -> bytes:
        return pika.frame.Method(1, method).marshal()

    def delivers(self, number: int, redelivered: bool = False) -> None:
        self._tag += 1
        properties = pika.BasicProperties(content_type="application/json", headers={"x": 1},
                                          delivery_mode=2, priority=1,
                                          correlation_id="c", message_id=str(number), timestamp=7)
        data = (self._method(pika.spec.Basic.Deliver("ctag", self._tag, redelivered, "", "q"))
                + pika.frame.Header(1, 2, properties).marshal()
                + pika.frame.Body(1, b"{}").marshal())
        for at in range(0, len(data), 7):
            self._tap.saw(False, data[at:at + 7])

    def gets_ack(self, tag: int, multiple: bool) -> None:
        self._tap.saw(True, self._method(pika.spec.Basic.Ack(tag, multiple)))


def test_the_tap_knows_what_is_acknowledged_when():
    broker = _Broker()
    for number in (11, 12, 13, 14):
        broker.delivers(number)
    broker.now = 101
    broker.gets_ack(2, True)
    broker.now = 102
    broker.gets_ack(4, False)
    assert broker.traffic.acknowledged == {11: 101, 12: 101, 14: 102}
    assert broker.traffic.acknowledged_as == {
        number: Delivery(subscription=1, tag=number - 10, at=100) for number in (11, 12, 14)}
    broker.gets_ack(2, False)
    assert broker.traffic.unknown_tags == 1


@pytest.mark.parametrize(("deliveries", "late"), [
    ([(1, True), (2, True), (3, False), (4, False)], {}),
    ([(1, False), (2, True)], {2: "a first delivery"}),
    ([(1, True), (2, False), (3, True)], {1: "a first delivery", 3: "a first delivery"}),
    ([(1, True), (2, True), (3, True), (4, True)], dict.fromkeys([1, 2, 3, 4], "a full prefetch")),
    ([(1, True), (2, True), (3, True), (4, False)], {}),
    ([(1, True), 10, (2, True)], dict.fromkeys([1, 2], "silence")),
    ([(1, True), 10, (2, False)], {}),
    ([(1, True), 2, (2, True)], {}),
])
def test_the_tap_knows_what_is_late(deliveries, late):
    broker = _Broker(prefetch=3)
    for delivery in deliveries:
        if isinstance(delivery, int):
            broker.now += delivery
        else:
            broker.delivers(*delivery)
    assert broker.traffic.late == late
    assert {number: [delivery.tag for delivery in deliveries]
            for number, deliveries in broker.traffic.late_as.items()} == {n: [n] for n in late}


# ---- the network ----

@pytest.fixture
def pair() -> Iterator[tuple[Network, socket.socket, socket.socket]]:
    """A network, and the two ends of a connection through it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        network = Network(listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", network.port)) as client:
            server, _address = listener.accept()
            with server:
                for end in (client, server):
                    end.settimeout(10)
                client.sendall(b"hello")
                assert server.recv(100) == b"hello"
                yield network, client, server
        network.close()


def test_a_cut_is_an_end(pair):
    network, client, server = pair
    network.cut()
    assert client.recv(1) == server.recv(1) == b""


def test_a_reset_is_a_reset(pair):
    network, client, server = pair
    network.reset()
    for end in (client, server):
        with pytest.raises(ConnectionResetError):
            end.recv(1)


def test_a_stall_holds_one_direction(pair):
    network, client, server = pair
    network.stall(TO_SERVER)
    client.sendall(b"held")
    server.sendall(b"passes")
    assert client.recv(100) == b"passes"
    server.settimeout(0.2)
    with pytest.raises(TimeoutError):
        server.recv(1)
    network.heal()
    server.settimeout(10)
    assert server.recv(100) == b"held"


def test_a_limit_passes_so_many_bytes_and_cuts(pair):
    network, client, server = pair
    network.limit(TO_CLIENT, 3)
    server.sendall(b"12345")
    assert client.recv(100) == b"123"
    assert client.recv(100) == b""


def test_a_server_that_is_away_resets(pair):
    network, _client, _server = pair
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    away = Network(port)
    with socket.create_connection(("127.0.0.1",
                                   away.port)) as client, pytest.raises(ConnectionResetError):
        client.recv(1)
    away.close()


# ---- the plan ----

def test_a_seed_repeats_its_plan_and_a_longer_run_goes_on_with_it():
    assert plan.make(7, 60) == plan.make(7, 60)
    assert plan.make(7, 60) != plan.make(8, 60)
    short, long = plan.make(7, 60).faults, plan.make(7, 600).faults
    assert long[:len(short)] == short
    assert len(short) > 15


def test_every_kind_of_fault_comes_and_none_meets_itself():
    seen = set()
    for seed in range(40):
        free_at: dict[str, float] = {}
        for fault in plan.make(seed, 120).faults:
            seen.add(fault.kind)
            for thing in fault.kind.touches:
                assert fault.at_s >= free_at.get(thing, 0) - 0.01, fault
                free_at[thing] = fault.at_s + float(fault.arguments.get("seconds", 0))
    assert seen == set(KINDS)


def test_sites_differ():
    sites = [dataclasses.astuple(plan.make(seed, 1).site) for seed in range(40)]
    for setting in zip(*sites):
        assert len({str(value) for value in setting}) > 1
