"""What systemd hears of the daemon and what it does about signals: readiness, watchdog, SIGHUP."""

import ctypes
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.daemon import Kopru, binary
from support.database import REPOSITORY
from support.service_manager import ServiceManager
from support.wait import wait_until

_WATCHDOG_S = 0.3
_BEATS = 10


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with ServiceManager(tmp_path / "notify", _WATCHDOG_S) as manager:
        yield manager


def _wait_for(manager: ServiceManager, daemon: Kopru, word: str, count: int = 1,
              deadline_s: float = 30) -> None:
    daemon.wait_until(lambda: manager.words().count(word) >= count, deadline_s,
                      f"{count} x {word}, after {manager.words()[-20:]}")


# readiness

def test_ready_is_told_when_every_queue_is_consumed(manager: ServiceManager, rabbitmq_server,
                                                    queues, kopru) -> None:
    """Not before: one of the queues is missing at first."""
    rabbitmq_server.delete_queue(queues.customer)
    daemon = kopru(start=False, env=manager.environment)
    daemon.launch()
    daemon.wait_for_event("broker_unavailable")
    daemon.wait_for_event("consuming")  # the other one
    _wait_for(manager, daemon, "WATCHDOG=1", _BEATS)
    assert "READY=1" not in manager.words()
    assert any(word.startswith(f"STATUS=queue {queues.customer} not consuming")
               for word in manager.words())

    rabbitmq_server.declare_queue(queues.customer)
    _wait_for(manager, daemon, "STATUS=ok")
    assert manager.words().count("READY=1") == 1
    assert {line["queue"] for line in daemon.events("consuming")} == set(queues.entities())
    assert daemon.terminate() == 0
    words = manager.words()
    assert words.count("STOPPING=1") == 1
    assert words.index("READY=1") < words.index("STOPPING=1")
    assert words.count("READY=1") == 1


@pytest.mark.full
def test_an_outage_does_not_hold_up_the_boot(manager: ServiceManager, kopru) -> None:
    daemon = kopru(start=False, env=manager.environment,
                   amqp={"uri": "amqp://guest:guest@127.0.0.1:1/%2f"},
                   postgres={"conninfo": "host=127.0.0.1 port=1 dbname=none"})
    daemon.launch()
    _wait_for(manager, daemon, "READY=1", deadline_s=60)
    assert any(word.startswith("STATUS=database not usable: cannot connect")
               for word in manager.words())
    assert daemon.terminate() == 0


def test_a_standby_is_ready(manager: ServiceManager, kopru) -> None:
    kopru()
    standby = kopru(start=False, env=manager.environment)
    standby.launch()
    _wait_for(manager, standby, "READY=1")
    assert not standby.events("consuming")
    assert standby.terminate() == 0


def test_an_abstract_name_is_heard(kopru) -> None:
    with ServiceManager(None) as manager:
        daemon = kopru(env=manager.environment)
        _wait_for(manager, daemon, "READY=1")
        assert daemon.terminate() == 0
        assert manager.words()[-1] in ("STOPPING=1",
                                       "WATCHDOG=1") or manager.words()[-1].startswith("STATUS=")


@pytest.mark.parametrize("name", ["relative", "/does/not/exist"])
def test_a_manager_that_cannot_be_reached_is_no_reason_not_to_run(name: str, kopru) -> None:
    daemon = kopru(env={"NOTIFY_SOCKET": name})
    said = [line for line in daemon.events("configuration") if "service manager" in line["msg"]]
    assert len(said) == (1 if name == "relative" else 0)
    assert daemon.terminate() == 0


# the watchdog

def test_the_watchdog_is_fed_through_an_outage_and_a_slow_end(manager: ServiceManager,
                                                              rabbitmq_server, postgres_server, db,
                                                              queues,
                                                             kopru) -> None:
    daemon = kopru(env=manager.environment, postgres={"statement_timeout": 2, "lock_timeout": 1})
    _wait_for(manager, daemon, "READY=1")
    frozen = [pid for (pid,) in db.query("SELECT pid FROM pg_stat_activity WHERE backend_type = "
                                         "'client backend' "
                                         "AND datname = %s AND pid <> pg_backend_pid()", db.name)]
    frozen.append(postgres_server.pid)
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        rabbitmq_server.publish(queues.customer, b'{"id":"1"}')
        daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 1, 30,
                          "a message to be delivered")
        manager.forget()
        _wait_for(manager, daemon, "WATCHDOG=1", _BEATS)
        daemon.send(signal.SIGTERM)
        _wait_for(manager, daemon, "STOPPING=1")
        manager.forget()
        _wait_for(manager, daemon, "WATCHDOG=1", _BEATS)
        assert daemon.is_running()
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert daemon.wait_until_exit(40) == 0
    assert db.value("SELECT count(*) FROM kopru.customers") == 1


def test_nobody_is_fed_who_does_not_watch(tmp_path: Path, kopru) -> None:
    """The words come, but WATCHDOG_PID says that another process is meant."""
    with ServiceManager(tmp_path / "notify", _WATCHDOG_S) as manager:
        daemon = kopru(env={**manager.environment, "WATCHDOG_PID": "1"})
        _wait_for(manager, daemon, "READY=1")
        assert daemon.terminate() == 0


_PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 17, 0x4206, 0x4207
_ANY_CHILD_OR_THREAD = 0x40000000  # __WALL


@contextmanager
def _frozen_thread(daemon: Kopru, name: str) -> Iterator[None]:
    """One thread of that name stands still, the others go on, as with a thread that hangs."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    tasks = Path(f"/proc/{daemon.pid}/task")
    thread = next(int(task.name) for task in tasks.iterdir()
                  if (task / "comm").read_text().strip() == name)

    def trace(request: int) -> None:
        if libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace({request:#x})")

    trace(_PTRACE_SEIZE)
    trace(_PTRACE_INTERRUPT)
    os.waitpid(thread, _ANY_CHILD_OR_THREAD)
    try:
        yield
    finally:
        trace(_PTRACE_DETACH)


@pytest.mark.full
@pytest.mark.parametrize("thread", ["consumer", "lease keeper"])
def test_the_watchdog_starves_when_a_thread_hangs(thread: str, manager: ServiceManager,
                                                  kopru) -> None:
    """With these settings a thread counts as stuck after 105 seconds."""
    daemon = kopru(env=manager.environment,
                   amqp={"connect_timeout": 1, "rpc_timeout": 1, "heartbeat": 600},
                   postgres={"connect_timeout": 1, "statement_timeout": 2, "lock_timeout": 1})
    _wait_for(manager, daemon, "WATCHDOG=1", _BEATS)
    with _frozen_thread(daemon, thread):
        daemon.wait_until(lambda: _is_silent(manager), 180, "the watchdog to hear nothing")
    manager.forget()
    _wait_for(manager, daemon, "WATCHDOG=1", _BEATS)
    assert daemon.terminate() == 0


def _is_silent(manager: ServiceManager) -> bool:
    """Nothing came for ten times the interval in which systemd wants to hear something."""
    manager.forget()
    try:
        wait_until(lambda: "WATCHDOG=1" in manager.words(), 10 * _WATCHDOG_S, "a beat")
    except TimeoutError:
        return True
    return False


# the unit

def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = (REPOSITORY / "etc" / "kopru.service").read_text(encoding="utf-8")
    path = tmp_path / "kopru.service"
    path.write_text(unit.replace("/usr/local/bin/kopru", str(binary())), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)],
                          capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "", done.stderr
    assert done.returncode == 0
    assert "\nType=notify\n" in unit and "\nWatchdogSec=30\n" in unit


def _unit_settings() -> dict[str, list[str]]:
    settings: dict[str, list[str]] = {}
    for line in (REPOSITORY / "etc" / "kopru.service").read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            settings.setdefault(name, []).append(value)
    return settings


def test_the_unit_stays_hardened() -> None:
    """systemd-analyze counts in tenths, and fails beyond the threshold: 1.5."""
    path = REPOSITORY / "etc" / "kopru.service"
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true",
                           "--threshold=15", str(path)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level for kopru.service: 1." in done.stdout


def test_the_unit_uses_the_files_that_a_person_uses() -> None:
    """As a user of its own that others can become, and not with copies of the passwords."""
    settings = _unit_settings()
    assert settings["User"] == settings["Group"] == ["kopru"]
    users = (REPOSITORY / "etc" / "kopru.sysusers").read_text(encoding="utf-8").splitlines()
    assert [line.split()[:2] for line in users if line and line[0] != "#"] == [["u", "kopru"]]
    for name in ("DynamicUser", "LoadCredential", "SetCredential", "Environment",
                 "EnvironmentFile", "RootDirectory"):
        assert name not in settings, name


def test_the_unit_restarts_what_failed_but_no_wrong_configuration() -> None:
    """tests/e2e/test_booted.py has what systemd makes of it."""
    settings = _unit_settings()
    assert settings["Restart"] == ["on-failure"]
    assert settings["StartLimitIntervalSec"] == ["0"]
    assert settings["RestartPreventExitStatus"] == ["64 78"]
    assert settings["WatchdogSignal"] == ["SIGKILL"]
    assert settings.get("SyslogLevelPrefix", ["yes"]) == ["yes"]
    sample = (REPOSITORY / "etc" / "kopru.cfg").read_text(encoding="utf-8")
    (shutdown,) = re.findall(r"^# shutdown_timeout = (\d+);", sample, re.M)
    assert int(settings["TimeoutStopSec"][0]) > int(shutdown)


def test_a_unit_beside_it_can_see_that_it_died() -> None:
    """Both hide the processes of the same user as well, if the unit has PrivateUsers=."""
    settings = _unit_settings()
    assert settings.get("ProtectProc", ["default"]) == ["default"]
    assert settings.get("ProcSubset", ["all"]) == ["all"]


# signals

def _publish_numbers(broker, queue: str, count: int) -> None:
    broker.publish_many(queue,
                        (json.dumps({"id": str(n), "name": "İ" * 20,
                                     "contactMedium": [{"mediumType": "PHONE"}]}).encode()
                                for n in range(count)))


def _require_each_applied_once(broker, db, queue: str, count: int) -> None:
    broker.wait_until_empty(queue)
    assert db.query("SELECT count(*), count(DISTINCT customer_id) FROM kopru.customers") == [
        (count, count)]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == count
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
    assert db.value("SELECT count(*) FROM (SELECT customer_id FROM public.written GROUP BY 1 "
                    "HAVING count(*) > 1) twice") == 0


@pytest.fixture
def written(db) -> None:
    """Each time a root is written leaves a row in public.written."""
    db.query("""
        CREATE TABLE public.written (customer_id text);
        GRANT INSERT ON public.written TO PUBLIC;
        CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO public.written VALUES (NEW.customer_id); RETURN NULL; END $$;
        CREATE TRIGGER note AFTER INSERT OR UPDATE ON kopru.customers
            FOR EACH ROW EXECUTE FUNCTION public.note();""")


@pytest.mark.usefixtures("written")
def test_sighup_in_the_middle_of_batches_changes_nothing(rabbitmq_server, db, queues,
                                                         kopru: Callable[..., Kopru]) -> None:
    count = 6000
    _publish_numbers(rabbitmq_server, queues.customer, count)
    daemon = kopru(start=False, batch={"max_messages": 5})
    daemon.launch()
    daemon.wait_for_event("started")
    # What a reload would read is broken: it must not be looked at.
    daemon.config_path.write_text("this is no configuration", encoding="utf-8")
    sent = 0
    while not rabbitmq_server.depth(queues.customer).is_empty:
        daemon.send(signal.SIGHUP)
        sent += 1
    assert sent > 0
    _require_each_applied_once(rabbitmq_server, db, queues.customer, count)
    assert daemon.wait_for_event("hangup_ignored")
    assert daemon.terminate() == 0


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_in_the_middle_of_batches_commits_nothing_twice(
        second: int, rabbitmq_server, db, queues, kopru: Callable[..., Kopru]) -> None:
    count = 6000
    _publish_numbers(rabbitmq_server, queues.customer, count)
    daemon = kopru(batch={"max_messages": 20})
    daemon.wait_until(lambda: db.value("SELECT count(*) FROM kopru.customers") > 0, 30,
                      "the first rows")
    daemon.send(signal.SIGTERM)
    daemon.wait_for_event("stopping")
    daemon.send(second)
    assert daemon.wait_until_exit(20) == 1
    assert daemon.events("stopped_at_once")
    assert 0 < db.value("SELECT count(*) FROM kopru.customers") < count
    daemon.start()
    _require_each_applied_once(rabbitmq_server, db, queues.customer, count)
    assert daemon.terminate() == 0


def test_a_terminal_that_closes_ends_it_in_order(db, queues, kopru: Callable[..., Kopru]) -> None:
    pattern = kopru()  # for its configuration file
    assert pattern.terminate() == 0
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(str(binary()), [str(binary()), "run", "-c", str(pattern.config_path)])
    try:
        said = b""
        while said.count(b"the queue is being consumed") < len(queues.entities()):
            said += os.read(terminal, 65536)  # the end of the daemon would end this with an error
    finally:
        os.close(terminal)
    ended = wait_until(lambda: [status for child, status in [os.waitpid(pid, os.WNOHANG)] if child],
                       40, "the end")
    assert os.waitstatus_to_exitcode(ended[0]) == 0
    assert db.query("SELECT DISTINCT holder FROM kopru.queues") == [(None,)]
