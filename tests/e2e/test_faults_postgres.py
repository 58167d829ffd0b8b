"""What PostgreSQL, its operator and the network to it can do to a transaction: nothing is lost,
nothing is blamed on a message.
"""

import ctypes
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import psycopg
import pytest
from support import history
from support.customers import (COUNT, assert_applied, body, only_customers, publish, unacked,
                               wait_for_state, wait_until_empty)
from support.database import DAEMON
from support.pg_messages import answers_commit, sends_commit
from support.postgres import major_version
from support.process import free_port
from support.proxy import Proxy
from support.wait import wait_until

# the client gives up 5 s after the first
_QUICK = {"statement_timeout": 2, "lock_timeout": 1, "connect_timeout": 3}


def _backends(db, condition: str = "true") -> list[int]:
    return [pid for (pid,) in db.query(
        f"SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename = %s AND {condition}",
        db.name, DAEMON)]


def _terminate(db, condition: str = "true") -> int:
    pids = _backends(db, condition)
    db.query("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", pids)
    return len(pids)


# ---- the connection goes while the outcome is open


class _Unspecified(ctypes.Structure):
    _fields_ = [("family", ctypes.c_ushort), ("rest", ctypes.c_char * 14)]


def _reset(proxy: Proxy) -> None:
    """Answer both sides with RST: a connection that is disconnected without having been closed."""
    libc = ctypes.CDLL(None, use_errno=True)
    for end in list(proxy._sockets):
        libc.connect(end.fileno(), ctypes.byref(_Unspecified(0, b"")), ctypes.sizeof(_Unspecified))
    proxy.cut()


@pytest.mark.parametrize("way", [Proxy.cut, Proxy.cut_clients, _reset],
                         ids=["closed", "half open", "reset"])
@pytest.mark.parametrize(("where", "is_committed"), [(sends_commit, False), (answers_commit, True)],
                         ids=["before COMMIT", "after COMMIT"])
def test_the_connection_goes_at_commit(rabbitmq_server, db, queues, kopru, watched, where,
                                       is_committed, way):
    """Unknown outcome: the batch is written again, and what was committed already is a repetition.
    """
    proxy, watch, dsn = watched
    history.install(db)
    daemon = kopru(queues=only_customers(queues), postgres={**_QUICK, "conninfo": dsn})
    stop = watch.stop_at(where)
    rabbitmq_server.publish_many(queues.customer, [body("c0"), b"{"])
    stop.wait()
    daemon.wait_until(lambda: unacked(rabbitmq_server, queues) == 2, 30, "both to be delivered")
    assert db.value("SELECT count(*) FROM kopru.customers") == is_committed
    way(proxy)
    watch.release_all()
    daemon.wait_for_event("database_unavailable")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, count=1, dead=1)
    assert db.query("SELECT number, count(*) FROM history.states GROUP BY 1") == [(1, 1)]
    assert len(daemon.events("consuming")) == 1


@contextmanager
def _synchronous_standby(db, name: str) -> Iterator[None]:
    """COMMIT waits for a standby of that name, which does not exist."""
    def set_it(statement: str) -> None:
        db.query(statement)
        db.query("SELECT pg_reload_conf()")

    set_it(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    try:
        wait_until(lambda: db.value("SHOW synchronous_standby_names") == name, 10,
                   "the setting to be in force")
        yield
    finally:
        # This COMMIT must not wait, too.
        with db.admin() as connection:
            connection.execute("SET synchronous_commit = local")
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")


_AWAITS_STANDBY = "wait_event = 'SyncRep'"


def test_backends_are_terminated_in_each_state(rabbitmq_server, db, queues, kopru, watched):
    proxy, watch, dsn = watched
    daemon = kopru(queues=only_customers(queues), postgres={**_QUICK, "conninfo": dsn})
    publish(rabbitmq_server, queues)
    wait_until_empty(rabbitmq_server, queues, daemon)

    assert _terminate(db, "state = 'idle'") >= 2  # the lease keeper's and the writer's
    publish(rabbitmq_server, queues, "name 2")
    wait_until_empty(rabbitmq_server, queues, daemon)

    stop = watch.stop_at(sends_commit)
    publish(rabbitmq_server, queues, "name 3")
    stop.wait()
    assert _terminate(db, "state = 'idle in transaction'") == 1
    stop.release()
    wait_until_empty(rabbitmq_server, queues, daemon)

    with db.admin() as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        publish(rabbitmq_server, queues, "name 4")
        executing = "state = 'active' AND wait_event_type = 'Lock'"
        daemon.wait_until(lambda: _terminate(db, executing), 30,
                          "a statement that is being executed")
    wait_until_empty(rabbitmq_server, queues, daemon)

    with _synchronous_standby(db, "nobody"):
        publish(rabbitmq_server, queues, "name 5")
        daemon.wait_until(lambda: _terminate(db, _AWAITS_STANDBY), 30, "a COMMIT that waits")
        assert unacked(rabbitmq_server, queues) > 0
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, "name 5")
    assert len(daemon.events("consuming")) == 1


def _metrics(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_a_commit_that_somebody_did_not_let_wait_for_its_standby_is_an_alarm(rabbitmq_server, db,
                                                                             queues, kopru):
    port = free_port()
    daemon = kopru(queues=only_customers(queues), http={"listen": f"127.0.0.1:{port}"},
                   postgres={"statement_timeout": 20})
    counter = f'kopru_transactions_unreplicated_total{{queue="{queues.customer}"}}'
    assert f"{counter} 0\n" in _metrics(port)
    writes = f"{_AWAITS_STANDBY} AND application_name = 'kopru'"
    with _synchronous_standby(db, "nobody"):
        publish(rabbitmq_server, queues)
        # The lease keeper's COMMIT may wait as well: whose is whose the server does not tell.
        daemon.wait_until(lambda: len(_backends(db, writes)) >= 2, 30, "the COMMITs to wait")
        assert unacked(rabbitmq_server, queues) == COUNT
        # Committed on this server only: the DBA lets it go.
        db.query("SELECT pg_cancel_backend(pid) FROM unnest(%s::int[]) AS pid",
                 _backends(db, writes))
        (alarm, *_) = daemon.wait_for_event("commit_not_replicated")
        assert (alarm["level"], alarm["queue"]) == ("error", queues.customer)
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db)
    assert f"{counter} 0\n" not in _metrics(port)


# ---- PostgreSQL is there and does not take it


def test_no_connection_is_free(rabbitmq_server, db, queues, kopru):
    daemon = kopru(queues=only_customers(queues), postgres=_QUICK)
    db.query(f"ALTER ROLE {DAEMON} CONNECTION LIMIT 1")  # the lease keeper has it
    try:
        publish(rabbitmq_server, queues)
        told = wait_for_state(daemon, "database_unavailable", "53300", 2)
        assert "connection" in told["hint"], told
        assert unacked(rabbitmq_server, queues) == COUNT
    finally:
        db.query(f"ALTER ROLE {DAEMON} CONNECTION LIMIT -1")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db)


def test_the_database_turns_read_only(rabbitmq_server, db, queues, kopru):
    daemon = kopru(queues=only_customers(queues), postgres=_QUICK)
    publish(rabbitmq_server, queues)
    wait_until_empty(rabbitmq_server, queues, daemon)
    db.query(f"ALTER DATABASE {db.name} SET default_transaction_read_only = on")
    _terminate(db)
    publish(rabbitmq_server, queues, "name 2")
    told = wait_for_state(daemon, "database_unavailable", "25006", 2)
    assert "default_transaction_read_only" in told["hint"], told
    assert "target_session_attrs" in told["hint"], told
    with db.admin() as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {db.name} RESET default_transaction_read_only")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, "name 2")
    assert len(daemon.events("consuming")) == 1


def test_a_deadlock_is_repeated(rabbitmq_server, db, queues, kopru):
    daemon = kopru(queues=only_customers(queues),
                   postgres={"lock_timeout": 10, "statement_timeout": 20})
    publish(rabbitmq_server, queues, count=3)
    wait_until_empty(rabbitmq_server, queues, daemon)
    waits = "wait_event_type = 'Lock'"
    lock = "UPDATE kopru.customers SET status = 'x' WHERE customer_id = %s"
    with db.admin() as first, db.admin() as other:
        # so that the server finds it in kopru's session
        other.execute("SET deadlock_timeout = '60s'")
        with other.transaction():
            with first.transaction():  # so that the next two messages are one batch
                first.execute(lock, ("c2",))
                rabbitmq_server.publish(queues.customer, body("c2", "name 2"))
                daemon.wait_until(lambda: _backends(db, waits), 30, "kopru to wait for the first")
                other.execute(lock, ("c1",))
                publish(rabbitmq_server, queues, "name 2", count=2)
                daemon.wait_until(lambda: unacked(rabbitmq_server, queues) == 3, 30,
                                  "all to be delivered")
            name = "SELECT name FROM kopru.customers WHERE customer_id = 'c2'"
            daemon.wait_until(lambda: db.value(name) == "name 2" and _backends(db, waits), 30,
                              "kopru to wait for the other")
            other.execute(lock, ("c0",))
    wait_for_state(daemon, "database_unavailable", "40P01")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, "name 2", 3)


@pytest.mark.parametrize("table", ["customers", "dead_letters"])
def test_a_table_is_locked(rabbitmq_server, db, queues, kopru, table):
    daemon = kopru(queues=only_customers(queues), amqp={"heartbeat": 1}, postgres=_QUICK)
    with db.admin() as blocker, blocker.transaction():
        blocker.execute(f"LOCK TABLE kopru.{table}")
        rabbitmq_server.publish_many(queues.customer, [b"{", body("c0")])
        told = wait_for_state(daemon, "database_unavailable", "55P03", 3)
        assert "pg_prepared_xacts" in told["hint"], told  # pg_stat_activity has no row for those
        assert unacked(rabbitmq_server, queues) > 0
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, count=1, dead=1)
    assert len(daemon.events("consuming")) == 1


def test_the_role_s_own_timeout_does_not_matter(rabbitmq_server, db, queues, kopru):
    db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET statement_timeout = '5ms'")
    db.query(_slow("true", 0.01))
    daemon = kopru(queues=only_customers(queues))
    publish(rabbitmq_server, queues)
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db)


@pytest.mark.skipif(major_version() < 14, reason="idle_session_timeout is new in PostgreSQL 14")
def test_a_session_that_was_idle_for_too_long_is_no_outage(rabbitmq_server, db, queues, kopru):
    db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET idle_session_timeout = '1500ms'")
    daemon = kopru(queues=only_customers(queues), log={"level": "debug"})
    for round_ in range(2):
        publish(rabbitmq_server, queues, f"name {round_}")
        wait_until_empty(rabbitmq_server, queues, daemon)
        wait_until(lambda: len(_backends(db)) == 1, 30, "the keeper's session to be the only one")
    publish(rabbitmq_server, queues, "name 3")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, "name 3")
    assert len(daemon.events("idle_session_ended")) >= 2
    assert daemon.events("database_unavailable") == []


def _slow(condition: str, seconds: float) -> str:
    return f"""
        CREATE FUNCTION public.wait_a_little() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF {condition} THEN PERFORM pg_sleep({seconds}); END IF; RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON kopru.customers
            FOR EACH ROW EXECUTE FUNCTION public.wait_a_little();
    """


@pytest.mark.full
def test_one_message_that_always_takes_too_long_is_kept(rabbitmq_server, db, queues, kopru):
    """Its neighbours are committed, an alarm is raised, and it waits: the time may be the server's
    fault.
    """
    db.query(_slow("NEW.customer_id = 'c7'", 60))
    daemon = kopru(queues=only_customers(queues), postgres=_QUICK)
    publish(rabbitmq_server, queues)
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers WHERE "
                                       "customer_id < 'c7'") == 17, 60,
                      "all before it to be committed")
    wait_for_state(daemon, "database_unavailable", "57014", 3)
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert unacked(rabbitmq_server, queues) > 0
    db.query("DROP TRIGGER slow ON kopru.customers")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db)


# ---- what a DBA takes away


@pytest.mark.parametrize("table", ["dead_letters", "queues"])
def test_a_table_of_kopru_itself_is_taken_away(rabbitmq_server, db, queues, kopru, table):
    """Without a place for dead letters nothing at all is acknowledged: the good message goes with
    the bad one.
    """
    daemon = kopru(queues=only_customers(queues))
    db.query(f"ALTER TABLE kopru.{table} RENAME TO away")
    rabbitmq_server.publish_many(queues.customer, [b"{", body("c0")])
    told = wait_for_state(daemon, "paused", "42P01", 2)
    assert f'relation "kopru.{table}" does not exist' in told["why"]
    assert unacked(rabbitmq_server, queues) == 2
    assert db.value("SELECT count(*) FROM kopru.customers") == 0
    db.query(f"ALTER TABLE kopru.away RENAME TO {table}")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db, count=1, dead=1)


def test_an_extra_that_kopru_did_not_write_is_named(rabbitmq_server, db, queues, kopru):
    db.query("INSERT INTO kopru.customers (customer_id, extra) VALUES ('c0', '[1]')")
    rabbitmq_server.publish(queues.customer, body("c0"))
    daemon = kopru(queues=only_customers(queues))
    (told, *_) = daemon.wait_for_event("paused")
    assert (told["subject"], told["why"]) == ("customers",
                                              "extra of customer_id c0 is not a JSON object")
    db.query("UPDATE kopru.customers SET extra = '{\"kept\": 1}'")
    wait_until_empty(rabbitmq_server, queues, daemon)
    assert db.query("SELECT name, extra FROM kopru.customers") == [("name 1", {"kept": 1})]


def test_a_site_s_trigger_may_not_put_values_into_the_log(rabbitmq_server, db, queues, kopru):
    """Names of missing objects are repeated only where they can be nothing else."""
    db.query("""
        CREATE FUNCTION public.stumble() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN EXECUTE 'SELECT ' || quote_ident(NEW.name); RETURN NEW; END $$;
        CREATE TRIGGER stumble BEFORE INSERT ON kopru.customers
            FOR EACH ROW EXECUTE FUNCTION public.stumble();
    """)
    rabbitmq_server.publish(queues.customer, body("c0", "Hatice SECRET"))
    daemon = kopru(queues=only_customers(queues))
    wait_for_state(daemon, "paused", "42703")
    assert "SECRET" not in daemon.stderr_text()
    db.query("DROP TRIGGER stumble ON kopru.customers")
    wait_until_empty(rabbitmq_server, queues, daemon)


# ---- PostgreSQL freezes, or the network drops all in silence


def _freeze_backend(db, _proxy: Proxy) -> Callable[[], None]:
    (pid,) = _backends(db, "state = 'active' AND wait_event_type = 'Lock'")
    _signal(pid, "STOP")
    return lambda: _signal(pid, "CONT")


def _signal(pid: int, name: str) -> None:
    try:
        os.kill(pid, getattr(signal, f"SIG{name}"))
    except ProcessLookupError:
        pass


def _drop_all(_db, proxy: Proxy) -> Callable[[], None]:
    proxy.freeze()
    return proxy.thaw


@pytest.mark.parametrize(("fault", "heartbeat_s"), [
    pytest.param(_freeze_backend, 1, id="frozen"),
    # A lease that nobody renews is given up after 3 s and three heartbeats.
    pytest.param(_drop_all, 5, id="dropped", marks=pytest.mark.full),
])
def test_no_answer_ends_in_bounded_time(rabbitmq_server, postgres_server, db, queues, kopru, fault,
                                        heartbeat_s):
    """The connection to the broker is not touched by it."""
    with Proxy(postgres_server.port) as proxy:
        dsn = psycopg.conninfo.make_conninfo(db.daemon_dsn, port=str(proxy.port))
        daemon = kopru(queues=only_customers(queues), amqp={"heartbeat": heartbeat_s},
                       postgres={**_QUICK, "conninfo": dsn})
        with db.admin() as blocker:
            with blocker.transaction():
                blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
                publish(rabbitmq_server, queues)
                daemon.wait_until(lambda: _backends(db, "wait_event_type = 'Lock'"), 30,
                                  "a statement to be executed")
                end = fault(db, proxy)
            try:
                daemon.wait_until(lambda: any("no answer within" in line["why"]
                                              for line in daemon.events("database_unavailable")),
                                  30, "kopru to give up")
            finally:
                end()
        wait_until_empty(rabbitmq_server, queues, daemon)
    assert_applied(db)
    assert not daemon.events("broker_unavailable")
    assert len(daemon.events("consuming")) == 1


def test_nobody_waits_for_ever_in_a_thread(rabbitmq_server, db, queues, kopru):
    """A daemon that meets a frozen server at its start can be stopped."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Thread(target=_accept_only, args=(silent,), daemon=True).start()
        daemon = kopru(start=False, postgres={**_QUICK, "connect_timeout": 1, "conninfo":
                       psycopg.conninfo.make_conninfo(db.daemon_dsn,
                                                      port=str(silent.getsockname()[1]))})
        daemon.launch()
        (told, *_) = daemon.wait_for_event("database_unavailable", count=2)
        assert told["why"] == "no answer within the connect timeout"
        assert daemon.terminate() == 0


def _accept_only(listener) -> None:
    kept = []
    while True:
        try:
            kept.append(listener.accept()[0])
        except OSError:
            return
