"""The harness itself: private servers are private, stop really stops, a wait says what it waited
for.
"""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from support import libconfig
from support.daemon import Kopru, merged, require_no_sanitizer_report
from support.database import REPOSITORY
from support.postgres import Postgres
from support.process import is_gone
from support.rabbitmq import RabbitMQ
from support.wait import patience, wait_until

pytestmark = pytest.mark.no_kopru


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


def own_address() -> str | None:
    """An address of this machine that is not loopback; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def listening_sockets(pid: int) -> list[str]:
    """Local addresses, as the kernel writes them, on which a process listens for TCP."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(link) if link.is_symlink() else ""
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1].rpartition(":")[0])
    return found


@pytest.fixture
def own_postgres():
    with Postgres() as server:
        yield server


def test_servers_are_not_root(postgres_server: Postgres, rabbitmq_server: RabbitMQ):
    for pid in (postgres_server.pid, rabbitmq_server.pid, rabbitmq_server.epmd_pid):
        assert uid_of(pid) != 0


def test_servers_listen_on_loopback_only(postgres_server: Postgres, rabbitmq_server: RabbitMQ):
    loopback = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
    for pid in (postgres_server.pid, rabbitmq_server.pid, rabbitmq_server.epmd_pid):
        addresses = listening_sockets(pid)
        assert addresses
        assert set(addresses) <= loopback


def test_servers_cannot_be_reached_from_outside(postgres_server: Postgres,
                                                rabbitmq_server: RabbitMQ):
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    for port in (postgres_server.port, rabbitmq_server.port):
        assert listens("127.0.0.1", port)
        assert not listens(address, port)


def test_postgres_keeps_its_data_over_stop_kill_and_start(own_postgres: Postgres):
    with own_postgres.admin() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        backend = connection.info.backend_pid
        own_postgres.kill9()
        assert is_gone(backend)
    for bring_down in (lambda: None, own_postgres.stop, lambda: own_postgres.stop("immediate")):
        bring_down()
        if not own_postgres.is_running():
            assert not listens("127.0.0.1", own_postgres.port)
            own_postgres.start()
        with own_postgres.admin() as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]


def test_postgres_release_leaves_nothing(own_postgres: Postgres):
    pid, directory = own_postgres.pid, own_postgres.directory
    own_postgres.release()
    assert is_gone(pid)
    assert not directory.exists()
    own_postgres.release()


def test_rabbitmq_keeps_confirmed_messages_over_kill_and_restart_and_leaves_nothing():
    with RabbitMQ() as broker:
        broker.declare_queue("kept")
        broker.publish("kept", b"one", message_id="1")
        assert broker.publish_many("kept", (str(n).encode() for n in range(2500))) == 2500
        broker.save_definitions()
        broker.kill9()
        assert not listens("127.0.0.1", broker.port)
        broker.start()
        assert broker.depth("kept").ready == 2501
        pids, directory = (broker.pid, broker.epmd_pid), broker.directory
    assert all(is_gone(pid) for pid in pids)
    assert not directory.exists()


def test_depth_counts_ready_unacked_and_consumers(rabbitmq_server: RabbitMQ):
    for name, quorum in (("depth-classic", False), ("depth-quorum", True)):
        rabbitmq_server.declare_queue(name, quorum=quorum)
        rabbitmq_server.publish_many(name, [b"1", b"2", b"3"])
        assert rabbitmq_server.depth(name).ready == 3
        with rabbitmq_server.connect() as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=1)
            channel.basic_consume(name, lambda *_: None)
            connection.process_data_events(time_limit=0)
            depth = wait_until(lambda: (lambda d: d if d.unacked
                                        else None)(rabbitmq_server.depth(name)), 30,
                               "one delivery")
            assert (depth.ready, depth.unacked, depth.consumers) == (2, 1, 1)
        rabbitmq_server.purge(name)
        rabbitmq_server.wait_until_empty(name)
        rabbitmq_server.delete_queue(name)
        with pytest.raises(LookupError, match=name):
            rabbitmq_server.depth(name)


def test_confirms_are_reported_once_each(rabbitmq_server: RabbitMQ):
    rabbitmq_server.declare_queue("confirms")
    confirmed: list[int] = []
    messages = ((b"{}", {"message_id": str(n)}) for n in range(3000))
    assert rabbitmq_server.publish_many("confirms", messages, confirmed.append) == 3000
    assert sorted(confirmed) == list(range(1, 3001))
    rabbitmq_server.delete_queue("confirms")


def test_publishing_to_a_missing_queue_fails(rabbitmq_server: RabbitMQ):
    with pytest.raises(RuntimeError, match="NO_ROUTE"):
        rabbitmq_server.publish_many("no-such-queue", [b"{}"])


def test_a_broker_that_goes_while_a_connection_is_made_is_an_outage(
        rabbitmq_server: RabbitMQ, monkeypatch: pytest.MonkeyPatch):
    def gone(_socket: socket.socket) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr(socket.socket, "getpeername", gone)
    with pytest.raises(ConnectionError, match="while it was made"):
        rabbitmq_server.connect()


def test_rabbitmqctl_says_why_it_failed(rabbitmq_server: RabbitMQ):
    assert "guest" in rabbitmq_server.rabbitmqctl("list_users")
    with pytest.raises(RuntimeError, match="no-such-user"):
        rabbitmq_server.rabbitmqctl("set_user_tags", "no-such-user")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_servers_end_with_the_program_that_started_them(number: signal.Signals, tmp_path: Path):
    """By unwinding for the first two, by the kernel's parent-death signal for the last."""
    program = """
import sys, time
from support.postgres import Postgres
from support.process import unwind_on_signals
unwind_on_signals()
with Postgres() as server:
    print(server.pid, server.directory, flush=True)
    time.sleep(600)
"""
    starter = subprocess.Popen([sys.executable, "-c", program],
                               env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")},
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert starter.stdout is not None
    pid, directory = starter.stdout.readline().split()
    starter.send_signal(number)
    starter.wait()
    wait_until(lambda: is_gone(int(pid)), 30, "the server to end")
    if number == signal.SIGKILL:
        subprocess.run(["rm", "-rf", directory], check=True)
    assert not Path(directory).exists()


def test_databases_are_fresh_and_the_daemon_may_write_rows_only(db):
    assert db.value("SELECT count(*) FROM kopru.customers") == 0
    with psycopg.connect(db.daemon_dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO kopru.customers (customer_id) VALUES ('1')")
        for statement in ("CREATE TABLE kopru.x (n int)", "CREATE TABLE public.x (n int)",
                          "CREATE SCHEMA x",
                          "DROP TABLE kopru.customers", "TRUNCATE kopru.customers CASCADE"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        assert connection.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = "
            "current_user").fetchone() == (False,)
    assert db.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'kopru_deployer'") is False


def test_wait_until_says_what_it_waited_for():
    with pytest.raises(TimeoutError, match=r"waited \S+ s for the moon; last seen: 0"):
        wait_until(lambda: 0, 0.02, "the moon")


def test_wait_until_returns_what_it_saw_and_asks_once_more_at_the_end():
    answers = iter([None, [], "seen"])
    assert wait_until(lambda: next(answers), 30, "an answer") == "seen"
    assert wait_until(lambda: "at once", 0, "an answer") == "at once"


def test_patience_stretches_deadlines(monkeypatch):
    monkeypatch.setenv("KOPRU_TEST_PATIENCE", "2.5")
    assert patience() == 2.5
    with pytest.raises(TimeoutError, match="waited 0.05 s"):
        wait_until(lambda: False, 0.02, "nothing")


def test_libconfig_text():
    assert libconfig.to_text({"a": {"b": 'x"\\', "c": True}, "n": 2**40, "l": ["p", "q"],
                              "g": [{"k": 1}], "e": []}) == (
        'a = { b = "x\\"\\\\"; c = true; };\nn = 1099511627776L;\nl = [ "p", "q" ];\ng = ( { k = '
        '1; } );\ne = [  ];\n')


def test_settings_are_merged_group_by_group():
    settings = {"log": {"level": "info", "format": "json"}, "queues": [{"name": "a"}],
                "http": {"listen": ""}}
    assert merged(settings, {"log": {"level": "debug"}, "queues": [], "http": None}) == {
        "log": {"level": "debug", "format": "json"}, "queues": []}


def test_sanitizer_reports_fail_a_test():
    require_no_sanitizer_report('{"msg":"all is well"}', "a run")
    for report in ("==1==ERROR: AddressSanitizer: heap-use-after-free",
                   "==1==ERROR: LeakSanitizer: detected memory leaks",
                   "x.c:1:2: runtime error: signed integer overflow",
                   "WARNING: ThreadSanitizer: data race", "==123== Invalid read of size 1"):
        with pytest.raises(AssertionError, match="a run"):
            require_no_sanitizer_report(f"line\n{report}", "a run")


@pytest.fixture
def impostor(tmp_path: Path, monkeypatch):
    """Lets a shell script stand in for the daemon."""

    def use(script: str) -> Kopru:
        path = tmp_path / "impostor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("KOPRU_BINARY", str(path))
        daemon = Kopru({"queues": [{"name": "q", "entity": "customer"}], "shutdown_timeout": 1})
        daemons.append(daemon)
        return daemon

    daemons: list[Kopru] = []
    yield use
    for daemon in daemons:
        daemon.kill9()
        shutil.rmtree(daemon.directory, ignore_errors=True)


CONSUMING = """echo '{"event":"consuming","queue":"q"}' >&2"""


def test_daemon_is_ready_when_it_consumes_and_ends_when_told(impostor):
    daemon = impostor(f"trap 'exit 3' TERM\n{CONSUMING}\nwhile :; do sleep 0.05; done")
    daemon.start()
    assert [line["queue"] for line in daemon.events("consuming")] == ["q"]
    assert daemon.terminate() == 3
    daemon.start()
    daemon.kill9()
    assert daemon.exit_code() == -signal.SIGKILL
    directory = daemon.directory
    daemon.release()
    assert not directory.exists()


def test_daemon_that_ends_early_is_told_from_one_that_is_slow(impostor):
    with pytest.raises(RuntimeError,
                       match="(?s)status 78 while waiting for kopru to consume q.*no such file"):
        impostor("echo 'no such file' >&2; exit 78").start()
    slow = impostor("echo patience >&2; exec sleep 600")
    slow.launch()
    with pytest.raises(TimeoutError, match="(?s)kopru to consume q.*patience"):
        slow.wait_until_ready(0.3)
    deaf = impostor(f"trap '' TERM\n{CONSUMING}\nwhile :; do sleep 0.05; done")
    deaf.start()
    with pytest.raises(TimeoutError, match="still runs"):
        deaf.terminate(deadline_s=0.2)


def test_release_fails_on_a_sanitizer_report(impostor):
    daemon = impostor(f"echo 'x.c:1:2: runtime error: shift' >&2\n{CONSUMING}\nexec sleep 600")
    daemon.start()
    with pytest.raises(AssertionError, match="run 1 of the daemon"):
        daemon.release()
    assert not daemon.directory.exists()
