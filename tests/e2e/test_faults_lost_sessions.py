"""A row that ends its database session, or crashes its backend, costs only itself; and what ends
sessions for another reason costs no row.
"""

import json

import psycopg
import pytest
from support.batch import held_back
from support.endpoint import Endpoint
from support.pg_messages import sends_commit
from support.proxy import Proxy
from support.transaction_rate import RollbackWatch
from support.wait import wait_until

_FUNCTION = """
CREATE FUNCTION public.end_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN {body} RETURN NEW; END $$;
"""
_BEFORE = """
CREATE TRIGGER end_session BEFORE INSERT OR UPDATE ON kopru.{table}
    FOR EACH ROW WHEN (NEW.{key} = 'p') EXECUTE FUNCTION public.end_session();
"""
_DEFERRED = """
CREATE CONSTRAINT TRIGGER end_session AFTER INSERT OR UPDATE ON kopru.{table}
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.{key} = 'p') EXECUTE FUNCTION public.end_session();
"""
_ITS_OWN = "PERFORM pg_terminate_backend(pg_backend_pid());"
_ALL = """
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid();
""" + _ITS_OWN
_POLICY = """
CREATE FUNCTION public.look(id text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN IF id = 'p' THEN {body} END IF; RETURN true; END $$;
CREATE POLICY look ON kopru.customers USING (public.look(customer_id));
ALTER TABLE kopru.customers ENABLE ROW LEVEL SECURITY;
"""
# The server ends every session, and recovers.
_CRASH = "COPY (SELECT 1) TO PROGRAM 'kill -KILL $PPID';"

_KEYS = {"customers": "customer_id", "contact_mediums": "customer_id",
         "subscriptions": "subscription_id"}
_ROOTS = ("customers", "subscriptions")
_NEVER = {"attempts": 1000, "minutes": 10}
_SOON = {"attempts": 2, "minutes": 0.005}


def _customer(entity_id, **properties):
    return json.dumps({"id": entity_id, "name": "good", "contactMedium": [{"mediumType": "PHONE"}],
                       **properties}).encode()


def _subscription(entity_id):
    return json.dumps({"id": entity_id, "status": "Active"}).encode()


def _ask(db, statement):
    """The rows, from a server that may be about to end all sessions."""
    def answer():
        try:
            return db.query(statement) or [()]
        except psycopg.OperationalError:
            return None

    return [row for row in wait_until(answer, 60, "the server to answer") if row]


def _install(db, body, tables, trigger=_BEFORE):
    db.query(_FUNCTION.format(body=body))
    for table in tables:
        db.query(trigger.format(table=table, key=_KEYS[table]))


def _mend(db):
    _ask(db, "DROP FUNCTION IF EXISTS public.end_session CASCADE")


def _ids(db, table):
    return {row[0] for row in _ask(db, f"SELECT {_KEYS[table]} FROM kopru.{table}")}


def _dead(db):
    return [row[0] for row in _ask(db, "SELECT entity_id FROM kopru.dead_letters")]


def _quarantined(daemon):
    return {line["entity_id"] for line in daemon.events("quarantined")}


def _around(poison, make, count=40):
    bodies = [make(f"n{n}") for n in range(count)]
    return [*bodies[:count // 2], *poison, *bodies[count // 2:]], {f"n{n}" for n in range(count)}


@pytest.mark.parametrize(("body", "tables", "trigger"),
                         [(_ITS_OWN, _ROOTS, _BEFORE),
                          (_ITS_OWN, ("contact_mediums", "subscriptions"), _BEFORE),
                          (_ITS_OWN, _ROOTS, _DEFERRED),
                          (_ALL, _ROOTS, _BEFORE),
                          (_CRASH, ("customers",), _BEFORE)],
                         ids=["root", "child", "deferred", "all sessions", "crash"])
def test_a_row_that_ends_its_session_costs_that_row(rabbitmq_server, db, queues, kopru, body,
                                                    tables, trigger):
    _install(db, body, tables, trigger)
    poisoned = {queues.customer} if "subscriptions" not in tables else set(queues.entities())
    daemon = kopru(quarantine=_NEVER)
    bodies, good = _around([_customer("p")], _customer)
    rabbitmq_server.publish_many(queues.customer, bodies)
    others, _good = _around([_subscription("p")] * (len(poisoned) - 1), _subscription)
    rabbitmq_server.publish_many(queues.subscription, others)
    for table in _ROOTS:
        daemon.wait_until(lambda name=table: _ids(db, name) >= good, 60,
                          f"all neighbours in {table} to be committed")
    # So do those that come later, however often it is tried.
    rabbitmq_server.publish(queues.customer, _customer("later"))
    daemon.wait_until(lambda: "later" in _ids(db, "customers"), 60, "a later one to be committed")
    daemon.wait_until(lambda: {line["queue"] for line in daemon.events("quarantined")
                               if line["entity_id"] == "p" and line["attempts"] > 1} == poisoned,
                      60, "the poison of each queue to be tried again")
    assert "p" not in _ids(db, "customers")
    assert rabbitmq_server.depth(queues.customer).unacked >= 1
    assert _dead(db) == []
    _mend(db)
    for queue in queues.entities():
        rabbitmq_server.wait_until_empty(queue)
    assert _ids(db, "customers") == good | {"p", "later"}
    assert _ids(db, "subscriptions") == good | ({"p"} if len(poisoned) == 2 else set())
    assert _dead(db) == []
    assert daemon.terminate() == 0


@pytest.mark.parametrize("body", [_ITS_OWN, _CRASH], ids=["terminated", "crash"])
def test_a_row_that_ends_its_session_as_it_is_found_costs_that_row(rabbitmq_server, db, queues,
                                                                   kopru, body):
    """Nothing is written here: a policy of the site ends the session that looks at the row, in the
    round trip that also begins the transaction and checks the lease."""
    db.query("INSERT INTO kopru.customers (customer_id, name) VALUES ('p', 'old')")
    db.query(_POLICY.format(body=body))
    daemon = kopru(quarantine=_NEVER)
    bodies, good = _around([_customer("p", name="new")], _customer)
    rabbitmq_server.publish_many(queues.customer, bodies)
    daemon.wait_until(lambda: _ids(db, "customers") >= good, 60, "all neighbours to be committed")
    daemon.wait_until(lambda: "p" in _quarantined(daemon), 60, "it to be quarantined")
    _ask(db, "ALTER TABLE kopru.customers DISABLE ROW LEVEL SECURITY")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ask(db, "SELECT name FROM kopru.customers WHERE customer_id = 'p'") == [("new",)]
    assert _dead(db) == []


@pytest.mark.parametrize("body", [_ITS_OWN, _CRASH], ids=["terminated", "crash"])
def test_a_refused_neighbour_keeps_nobody_from_finding_it(rabbitmq_server, db, queues, kopru, body):
    """The rows are written by key: `o` is refused directly before `p`, and nothing commits in
    between."""
    _install(db, body, ["customers"])
    db.query("ALTER TABLE kopru.customers ADD CONSTRAINT site_rule CHECK (name <> 'poison')")
    daemon = kopru(quarantine=_NEVER, queues=[
        {"name": queues.customer, "entity": "customer", "writers": 1}])
    rabbitmq_server.publish_many(queues.customer, [
        _customer("a"), _customer("o", name="poison"), _customer("p"), _customer("q")])
    daemon.wait_until(lambda: _ids(db, "customers") >= {"a", "q"}, 60, "the neighbours to commit")
    daemon.wait_until(lambda: _dead(db) == ["o"], 60,
                      "the refused one to be a dead letter")
    _mend(db)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db, "customers") == {"a", "p", "q"}
    assert _dead(db) == ["o"]


def test_a_lone_row_that_ends_its_session_shows_and_stops_nobody(rabbitmq_server, db, queues,
                                                                 kopru):
    _install(db, _ITS_OWN, ["customers"])
    endpoint = Endpoint()
    daemon = kopru(quarantine=_NEVER, http=endpoint.settings, queues=[
        {"name": queues.customer, "entity": "customer", "writers": 1}])
    rabbitmq_server.publish(queues.customer, _customer("p"))
    daemon.wait_for_event("quarantined")
    endpoint.wait_until_readyz(daemon, 503, f"queue {queues.customer} paused", "57P01")
    rabbitmq_server.publish(queues.customer, _customer("a"))
    daemon.wait_until(lambda: _ids(db, "customers") == {"a"}, 60, "the other to be committed")
    endpoint.wait_until_readyz(daemon, 200, "1 entity fails alone and waits: p (SQLSTATE 57P01")
    assert endpoint.metrics()["kopru_quarantined_entities", queues.customer] == 1
    _mend(db)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db, "customers") == {"a", "p"}
    assert _dead(db) == []
    assert daemon.terminate() == 0


class _Inspector:
    """A firewall that breaks connections on which it does not like the bytes."""

    def __init__(self, banned: bytes):
        self.banned = banned
        self.proxy: Proxy | None = None

    def to_server(self, data):
        if self.banned and self.banned in data and self.proxy is not None:
            self.proxy.cut()
            return
        yield data

    def to_client(self, data):
        yield data


_MEDIA = [{"mediumType": f"M{n}"} for n in range(10)]


@pytest.mark.parametrize(("poison", "media"), [
    ({"note": "forbidden words"}, []),
    ({"contactMedium": [*_MEDIA, {"mediumType": "forbidden words"}]}, _MEDIA),
], ids=["upserted", "copied"])
def test_a_row_that_the_network_does_not_let_through_costs_that_row(
        rabbitmq_server, postgres_server, db, queues, kopru, poison, media):
    """The server says nothing, and every session of the daemon ends. 200 rows and more are copied.
    """
    inspector = _Inspector(b"forbidden words")
    endpoint = Endpoint()
    with Proxy(postgres_server.port, tap=lambda: inspector) as inspector.proxy:
        dsn = psycopg.conninfo.make_conninfo(db.daemon_dsn, port=str(inspector.proxy.port))
        daemon = kopru(quarantine=_NEVER, http=endpoint.settings, shutdown_timeout=120,
                       postgres={"conninfo": dsn, "lock_timeout": 60, "statement_timeout": 90},
                       queues=[{"name": queues.customer, "entity": "customer", "writers": 1}])
        bodies, good = _around([_customer("p", **poison)],
                               lambda entity_id: _customer(entity_id, contactMedium=media))
        with held_back(rabbitmq_server, db, daemon, queues.customer, len(bodies)):
            rabbitmq_server.publish_many(queues.customer, bodies)
        daemon.wait_until(lambda: _ids(db, "customers") >= good, 60, "the neighbours to commit")
        daemon.wait_until(lambda: "p" in _quarantined(daemon), 60, "it to be quarantined")
        inspector.banned = b""
        rabbitmq_server.wait_until_empty(queues.customer)
        assert _ids(db, "customers") == good | {"p", "decoy"}
        assert _dead(db) == []
        assert daemon.terminate() == 0


def test_a_connection_that_goes_at_commit_is_nobodys_fault(rabbitmq_server, db, queues, kopru,
                                                           watched):
    """More often than a batch is tried as a whole: COMMIT carries no rows."""
    proxy, watch, dsn = watched
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                   log={"level": "debug"}, postgres={"conninfo": dsn})
    rabbitmq_server.publish_many(queues.customer, [_customer("a"), _customer("b"), b"{"])
    for _ in range(5):
        stop = watch.stop_at(sends_commit)
        stop.wait()
        proxy.cut()
        stop.release()
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db, "customers") == {"a", "b"}
    assert len(_dead(db)) == 1
    assert not daemon.events("isolating") and not daemon.events("quarantined")


# For a while, or until it is mended, whatever is written ends its session: a server that crashes.
_FOR_A_WHILE = """
CREATE SEQUENCE public.written;
CREATE FUNCTION public.end_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF nextval('public.written') <= {times} THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
        END IF;
        RETURN NULL;
    END $$;
CREATE TRIGGER end_session BEFORE INSERT OR UPDATE ON kopru.customers
    FOR EACH STATEMENT EXECUTE FUNCTION public.end_session();
"""


def test_sessions_that_end_for_a_while_cost_nothing(rabbitmq_server, db, queues, kopru):
    """A statement that carries rows is hit each time, so that innocent entities are suspected."""
    db.query(_FOR_A_WHILE.format(times=25))
    daemon = kopru(quarantine=_SOON, log={"level": "debug"})
    rabbitmq_server.publish_many(queues.customer, [_customer(f"c{n}") for n in range(300)])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db, "customers") == {f"c{n}" for n in range(300)}
    assert _dead(db) == []
    # Later batches are whole again.
    halved = len(daemon.events("isolating"))
    rabbitmq_server.publish_many(queues.customer, [_customer(f"d{n}") for n in range(300)])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert len(_ids(db, "customers")) == 600
    assert len(daemon.events("isolating")) == halved > 0
    assert daemon.terminate() == 0


def test_sessions_that_end_with_every_row_are_an_outage(rabbitmq_server, db, queues, kopru):
    db.query(_FOR_A_WHILE.format(times=1 << 60))
    endpoint = Endpoint()
    with RollbackWatch(db, most=150) as watch:
        daemon = kopru(quarantine=_SOON, http=endpoint.settings)
        rabbitmq_server.publish_many(queues.customer, [_customer(f"c{n}") for n in range(1000)])
        daemon.wait_for_event("paused", count=8, deadline_s=60)
        endpoint.wait_until_readyz(daemon, 503, f"queue {queues.customer} paused", "57P01")
    watch.require_waits()
    assert endpoint.metrics()["kopru_quarantined_entities", queues.customer] <= 8
    assert _dead(db) == []
    _mend(db)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db, "customers") == {f"c{n}" for n in range(1000)}
    assert _dead(db) == []
    assert daemon.terminate() == 0


def test_many_messages_of_a_row_that_crashes_the_server_are_one_crash(rabbitmq_server, db, queues,
                                                                      kopru):
    """In each trial: with one for each message the writer would be at nothing else."""
    _install(db, _CRASH, ["customers"])
    daemon = kopru(quarantine=_NEVER, queues=[
        {"name": queues.customer, "entity": "customer", "writers": 1}])
    bodies, good = _around([_customer("p", n=n) for n in range(40)], _customer)
    rabbitmq_server.publish_many(queues.customer, bodies)
    daemon.wait_until(lambda: _ids(db, "customers") >= good, 60, "the neighbours to commit")
    for n in range(3):
        rabbitmq_server.publish(queues.customer, _customer(f"later-{n}"))
        daemon.wait_until(lambda n=n: f"later-{n}" in _ids(db, "customers"), 60, "a later one")
        daemon.wait_until(lambda n=n: [line for line in daemon.events("quarantined")
                                       if line["attempts"] > n + 1], 60, "the next trial")
    _mend(db)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db, "customers") == good | {"p", "later-0", "later-1", "later-2"}
    assert _dead(db) == []
