"""The clock of the database server is set, or a server with another clock takes its place: neither
does a standby wait for as long as the step, nor does it take the lease from a holder that lives.
"""

import json
from collections.abc import Iterator

import psycopg
import pytest
from support import database
from support.pg_messages import PgWatch, sends_commit
from support.postgres import Postgres
from support.preload import Preload, require_plain_binary, stepping_clock
from support.proxy import Proxy
from support.wait import wait_until

_HOUR_S = 3600
_TAKEOVER_S = 60
_EXPIRED = "SELECT min(clock_timestamp() - renewed_at) > interval '10 seconds' FROM kopru.queues"


@pytest.fixture(scope="module")
def stepping_server() -> Iterator[tuple[Postgres, Preload]]:
    """A server whose wall clock can be set."""
    server = Postgres()
    clock = stepping_clock(server.directory)
    server.preload(clock.environment)
    with server:
        yield server, clock


@pytest.fixture
def clock(stepping_server) -> Preload:
    stepping_server[1].numbers[0] = 0
    return stepping_server[1]


@pytest.fixture
def db(stepping_server) -> Iterator[database.Database]:
    """In the place of the usual server's."""
    made = database.create_installed(stepping_server[0])
    yield made
    made.drop()


def _rows(db) -> list[tuple]:
    return db.query("SELECT queue, epoch, holder FROM kopru.queues ORDER BY queue")


def _step(db, clock: Preload, seconds: int) -> None:
    """Set the server's clock by so much, and see that it was."""
    before = db.value("SELECT clock_timestamp()")
    clock.numbers[0] += seconds
    stepped = (db.value("SELECT clock_timestamp()") - before).total_seconds()
    assert abs(stepped - seconds) < _HOUR_S / 2


def _pair(kopru, queues, conninfo: str | None = None, **changes):
    """One that consumes, and one that stands by. The first may go another way to the database."""
    only = {"queues": [{"name": queues.customer, "entity": "customer"}], "log": {"level": "debug"}}
    way = {} if conninfo is None else {"postgres": {"conninfo": conninfo}}
    first = kopru(**only, **way, **changes)
    second = kopru(start=False, **only, **changes)
    second.launch()
    second.wait_for_event("standby", count=2)
    return first, second


def _more_looks(standby, count: int) -> None:
    standby.wait_for_event("standby", count=len(standby.events("standby")) + count)


def test_a_standby_does_not_wait_for_a_clock_that_was_set_back(rabbitmq_server, db, clock, queues,
                                                               kopru) -> None:
    """The holder freezes, so nothing proves that it will not come back; and the row says that it
    was renewed in an hour.
    """
    first, second = _pair(kopru, queues, amqp={"heartbeat": 1})
    first.stop()
    try:
        _step(db, clock, -_HOUR_S)
        assert db.value("SELECT min(renewed_at) > clock_timestamp() FROM kopru.queues")
        second.wait_until_ready(_TAKEOVER_S)
    finally:
        first.cont()
    first.wait_for_event("lease_lost")
    rabbitmq_server.publish(queues.customer, json.dumps({"id": "1", "name": "one"}).encode())
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name FROM kopru.customers") == [("one",)]


@pytest.mark.parametrize("step_s", [_HOUR_S, -_HOUR_S], ids=["ahead", "back"])
def test_a_living_holder_keeps_its_lease_over_every_step(db, clock, queues, kopru,
                                                         step_s: int) -> None:
    """It stands still for a moment, so that the standby looks before it can renew the row."""
    renewed_at = "SELECT max(renewed_at) FROM kopru.queues"
    first, second = _pair(kopru, queues)
    rows = _rows(db)
    for _ in range(3):
        first.stop()
        _step(db, clock, step_s)
        before = db.value(renewed_at)
        _more_looks(second, 1)
        first.cont()
        first.wait_until(lambda before=before: db.value(renewed_at) != before, 30, "a renewal")
    _more_looks(second, 8)  # as many as would be enough, had the holder been silent
    assert _rows(db) == rows
    assert not first.events("lease_lost")
    assert not second.events("lease_acquired")


def test_a_session_that_froze_is_ended_though_the_clock_was_set_back(rabbitmq_server,
                                                                     stepping_server, db, clock,
                                                                     queues, kopru) -> None:
    """The server has half of a message from the frozen holder, and waits for the rest of it with
    the queue's row locked.
    """
    server, _ = stepping_server
    watch = PgWatch()
    with Proxy(server.port, tap=watch.tap) as proxy:
        way = psycopg.conninfo.make_conninfo(db.daemon_dsn, port=str(proxy.port))
        first, second = _pair(kopru, queues, way, amqp={"heartbeat": 1})
        stop = watch.stop_at(sends_commit, passing_bytes=3)
        rabbitmq_server.publish(queues.customer, json.dumps({"id": "1", "name": "one"}).encode())
        stop.wait()
        first.stop()
        _step(db, clock, -_HOUR_S)
        try:
            second.wait_until_ready(_TAKEOVER_S)
        finally:
            watch.release_all()
            first.cont()
        assert second.events("sessions_ended")
        first.wait_for_event("lease_lost")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name FROM kopru.customers") == [("one",)]


def test_a_clock_that_jumps_ahead_makes_no_session_frozen(rabbitmq_server, db, clock, queues,
                                                          kopru) -> None:
    """An operator's lock on the row keeps a standby from the lease that was released; a session of
    the same login that is in the middle of its transaction is not ended for it.
    """
    first, second = _pair(kopru, queues)
    with psycopg.connect(db.daemon_dsn) as busy, db.admin() as other, other.transaction():
        other.execute("SELECT FROM kopru.queues FOR KEY SHARE")
        busy.execute("SELECT FROM kopru.queues FOR KEY SHARE")
        _step(db, clock, _HOUR_S)
        assert first.terminate() == 0
        waiting = ("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query "
                   "LIKE '%%kopru.queues%%FOR UPDATE%%'")
        for _ in range(5):  # it takes longer than a session may stand still
            wait_until(lambda: db.value(waiting), 30, "the standby to wait for the row")
            wait_until(lambda: not db.value(waiting), 30, "the standby to give up for now")
            busy.execute("SELECT 1")
        busy.rollback()
    second.wait_until_ready(_TAKEOVER_S)
    assert not second.events("sessions_ended")


def test_a_standby_that_was_frozen_with_the_holder_gives_it_time(db, clock, queues, kopru) -> None:
    """Both stand still, as when the machine sleeps, and the standby wakes up first: the row is old,
    but the holder is not dead.
    """
    first, second = _pair(kopru, queues)
    rows = _rows(db)
    first.stop()
    second.stop()
    try:
        wait_until(lambda: db.value(_EXPIRED), 30, "the row to be old")
        second.cont()
        _more_looks(second, 2)
    finally:
        first.cont()
    _more_looks(second, 8)
    assert _rows(db) == rows
    assert not first.events("lease_lost")
    assert not second.events("lease_acquired")


def test_a_holder_that_slept_leaves_the_broker(db, queues, kopru, stepping_server,
                                               tmp_path) -> None:
    """Cut off from the database, it cannot see that the lease is lost, and its monotonic clock did
    not count the time for which its machine slept. A successor's clock did.
    """
    require_plain_binary()
    server, _ = stepping_server
    own = stepping_clock(tmp_path)
    with Proxy(server.port) as proxy:
        way = psycopg.conninfo.make_conninfo(db.daemon_dsn, port=str(proxy.port))
        daemon = kopru(env=own.environment, postgres={"conninfo": way, "connect_timeout": 2},
                       queues=[{"name": queues.customer, "entity": "customer"}])
        proxy.close()
        proxy.cut()
        daemon.wait_for_event("database_unavailable")
        assert not daemon.events("broker_unavailable")
        own.numbers[1] = _HOUR_S
        (line,) = daemon.wait_for_event("broker_unavailable")
        assert "not renewed" in line["why"]


def test_a_step_back_in_the_wait_for_one_row_costs_no_other_lease(db, clock, queues,
                                                                  kopru) -> None:
    """The server's timeouts take as much longer as its clock was set back. So does the lock timeout
    with which a lease keeper waits for one queue, while it renews no other.
    """
    names = queues.entities()
    one, other = names
    of_one = "SELECT epoch, holder FROM kopru.queues WHERE queue = %s"
    away = kopru(queues=[{"name": other, "entity": names[other]}])
    first = kopru(start=False)
    first.launch()
    first.wait_until(lambda: first.events("consuming"), 30, "the queue that nobody holds")
    second = kopru(start=False, queues=[{"name": one, "entity": names[one]}],
                   log={"level": "debug"})
    second.launch()
    second.wait_for_event("standby")
    row = db.query(of_one, one)
    away.stop()
    waiting = ("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query "
               "LIKE '%%kopru.queues%%FOR UPDATE%%'")
    with db.admin() as locked, locked.transaction():
        locked.execute("SELECT FROM kopru.queues WHERE queue = %s FOR KEY SHARE", (other,))
        wait_until(lambda: db.value(waiting), 60, "the first to wait for the row")
        _step(db, clock, -_HOUR_S)
        _more_looks(second, 15)
    assert db.query(of_one, one) == row
    assert not first.events("lease_lost")
    assert not second.events("lease_acquired")
