"""The endpoint of the daemon: what it says while all is well, while something is missing, and to
those who ask wrongly.
"""

import http.client
import json
import re
import resource
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from support import prometheus
from support.daemon import Kopru, run_kopru
from support.process import free_port
from support.servers import start_together
from support.wait import patience

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TEXT_TYPE = "text/plain; charset=utf-8"
_ANSWER_DEADLINE_S = 20
_HEALTH_CHECK_S = 3  # what supervisors usually wait
_NOBODY = {"amqp": {"uri": "amqp://guest:guest@127.0.0.1:1/%2f"},
           "postgres": {"conninfo": "host=127.0.0.1 port=1 dbname=none"}}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Watched:
    """A daemon and its endpoint."""

    daemon: Kopru
    port: int

    def ask(self, path: str, method: str = "GET",
            deadline_s: float = _ANSWER_DEADLINE_S) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=deadline_s)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return Answer(response.status,
                          {name.lower(): value for name, value in response.getheaders()},
                          response.read().decode())
        finally:
            connection.close()

    def metrics(self) -> prometheus.Samples:
        return prometheus.parse(self.ask("/metrics").text)

    def wait_for_metric(self, value: float, *key: str) -> prometheus.Samples:
        def reached():
            samples = self.metrics()
            return samples if samples[key] == value else None

        return self.daemon.wait_until(reached, 60, f"{key} to be {value:g}")

    def wait_until_readyz(self, status: int, *parts: str) -> str:
        """Wait for an answer of that status with all the parts; it lives all the while."""
        last = None

        def answers():
            nonlocal last
            assert self.ask("/livez").status == 200
            last = self.ask("/readyz?verbose")
            return last.text if last.status == status and all(part in last.text
                                                              for part in parts) else None

        try:
            return self.daemon.wait_until(answers, 60, f"/readyz to answer {status} with {parts}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\nthe last answer: {last}") from None


@pytest.fixture
def watched(kopru) -> Callable[..., Watched]:
    """As kopru, with an endpoint; wait=False: the daemon need not consume yet."""

    def make(*, wait: bool = True, **changes) -> Watched:
        port = free_port()
        daemon = kopru(start=False, **{"http": {"listen": f"127.0.0.1:{port}"}, **changes})
        daemon.launch()
        daemon.wait_for_event("http_listening")
        if wait:
            daemon.wait_until_ready()
        return Watched(daemon, port)

    return make


def _customer(entity_id, **properties):
    return json.dumps({"id": entity_id, **properties}).encode()


# ---- what it says ----

def test_all_is_well(queues, watched):
    endpoint = watched()
    text = endpoint.wait_until_readyz(200)
    assert text.splitlines() == ["[+]daemon ok", "[+]database ok",
                                 f"[+]queue {queues.customer} consuming",
                                 f"[+]queue {queues.subscription} consuming", "readyz check passed"]
    assert endpoint.ask("/readyz").text == "ok\n"
    assert endpoint.ask("/livez").text == "ok\n"
    alive = endpoint.ask("/livez?verbose").text
    assert "[+]lease keeper ok\n" in alive and f"[+]queue {queues.customer} consumer ok\n" in alive
    assert not endpoint.daemon.events("http_exposed")
    assert endpoint.daemon.terminate() == 0


def test_metrics_are_what_prometheus_reads(queues, watched):
    endpoint = watched()
    answer = endpoint.ask("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, _METRICS_TYPE)
    assert prometheus.label_names(answer.text) == {"queue", "reason", "revision", "version"}
    build = re.search(r'^kopru_build_info\{version="(.+)",revision="(.*)"\} 1$', answer.text, re.M)
    assert build is not None
    revision = f" (revision {build[2]})" if build[2] else ""
    assert run_kopru("--version").stdout.decode() == f"kopru {build[1]}{revision}\n"
    samples = prometheus.parse(answer.text)
    assert all(name.startswith(("kopru_", "process_")) for name, *_labels in samples)
    assert samples["kopru_database_up",] == 1
    assert samples["kopru_queue_consuming", queues.customer] == 1
    assert samples["kopru_lease_held", queues.customer] == 1
    assert samples["kopru_lease_epoch", queues.customer] >= 1
    assert samples["process_resident_memory_bytes",] > 1_000_000
    assert samples["process_open_fds",] > 3


@pytest.mark.skipif(prometheus.PROMTOOL is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say(watched):
    endpoint = watched()
    assert prometheus.promtool_complaints(endpoint.ask("/metrics").text) == ""


_REFUSED = {
    "too_large": [_customer("large", name="x" * 5000)],
    "not_json": [b"", b'{"id":"secret-name",}'],
    "missing_id": [b'{"name":"secret-name"}', b'{"id":null}', b"{}"],
    "rejected_by_database": [_customer("p", name="secret-name")],
}


def test_counters_are_what_was_published(rabbitmq_server, db, queues, watched):
    """Also: nothing of a payload is told."""
    endpoint = watched(limits={"max_message_bytes": 4096})
    db.query("ALTER TABLE kopru.customers ADD CONSTRAINT site_rule CHECK (name <> 'secret-name')")
    good = [_customer(f"g{n}", name="good") for n in range(50)]
    # A value that fits no column of its type, and an element that is no object.
    odd = [_customer("odd", contactMedium=[7, {"mediumType": "PHONE", "preferred": "secret-name"}])]
    refused = [body for bodies in _REFUSED.values() for body in bodies]
    rabbitmq_server.publish_many(queues.customer, good + refused + odd)
    rabbitmq_server.publish(queues.customer, good[0])  # nothing new
    count = len(good) + len(refused) + len(odd) + 1
    samples = endpoint.wait_for_metric(count, "kopru_messages_committed_total", queues.customer)
    assert samples["kopru_messages_delivered_total", queues.customer] == count
    dead_letters = {key[2]: value for key, value in samples.items()
                    if key[:2] == ("kopru_dead_letters_total", queues.customer)}
    assert dead_letters == {**dict.fromkeys(dead_letters, 0),
                            **{reason: len(bodies) for reason, bodies in _REFUSED.items()}}
    assert len(dead_letters) == 10
    assert samples["kopru_roots_written_total", queues.customer] == len(good) + len(odd)
    assert samples["kopru_values_misfit_total", queues.customer] == 1
    assert samples["kopru_elements_broken_total", queues.customer] == 1
    assert samples["kopru_transactions_refused_total", queues.customer] >= 1
    assert samples["kopru_transactions_committed_total", queues.customer] >= 1
    assert samples["kopru_transactions_retried_total", queues.customer] == 0
    assert samples["kopru_last_commit_timestamp_seconds",
                   queues.customer] >= samples["process_start_time_seconds",]
    assert samples["kopru_messages_delivered_total", queues.subscription] == 0
    assert samples["kopru_last_commit_timestamp_seconds", queues.subscription] == 0
    endpoint.wait_for_metric(0, "kopru_unacknowledged_messages", queues.customer)
    told = "".join(endpoint.ask(path).text
                   for path in ("/metrics", "/readyz?verbose", "/livez?verbose"))
    assert "secret-name" not in told and "good" not in told


# ---- what is missing ----

def test_it_lives_while_nobody_answers_it(queues, watched):
    endpoint = watched(wait=False, **_NOBODY)
    text = endpoint.wait_until_readyz(503, "[-]database not usable: cannot connect")
    assert f"[-]queue {queues.customer} not consuming: waiting for the database\n" in text
    assert endpoint.metrics()["kopru_database_up",] == 0
    assert endpoint.ask("/readyz").text == endpoint.ask("/readyz?verbose").text
    assert endpoint.daemon.terminate() == 0


def test_it_lives_while_both_servers_are_down(postgres_server, rabbitmq_server, queues, watched):
    endpoint = watched()
    endpoint.wait_until_readyz(200)
    rabbitmq_server.stop()
    postgres_server.stop()
    try:
        endpoint.wait_until_readyz(503, "[-]database not usable",
                                   f"[-]queue {queues.customer} not consuming")
    finally:
        start_together(postgres_server, rabbitmq_server)
    endpoint.wait_until_readyz(200)
    samples = endpoint.metrics()
    assert samples["kopru_broker_reconnects_total", queues.customer] >= 1
    assert samples["kopru_broker_errors_total", queues.customer] >= 1
    assert samples["kopru_database_reconnects_total",] >= 1


def test_a_missing_queue_is_the_reason(rabbitmq_server, queues, watched):
    rabbitmq_server.delete_queue(queues.customer)
    endpoint = watched(wait=False)
    text = endpoint.wait_until_readyz(503, f"[-]queue {queues.customer} not consuming: ", "404",
                                      f"[+]queue {queues.subscription} consuming")
    assert "[+]database ok\n" in text
    rabbitmq_server.declare_queue(queues.customer)
    endpoint.wait_until_readyz(200)


def test_a_missing_column_is_the_reason(db, watched):
    db.query("ALTER TABLE kopru.customers RENAME COLUMN status TO stat")
    endpoint = watched(wait=False)
    endpoint.wait_until_readyz(503, "[+]database ok\n", "not consuming: missing column", "status")
    db.query("ALTER TABLE kopru.customers RENAME COLUMN stat TO status")
    endpoint.wait_until_readyz(200)


def test_a_missing_privilege_pauses_one_queue(rabbitmq_server, db, queues, watched):
    endpoint = watched()
    db.query("REVOKE INSERT ON kopru.customers FROM kopru_writer")
    rabbitmq_server.publish(queues.customer, _customer("1", name="secret-name"))
    text = endpoint.wait_until_readyz(503, f"[-]queue {queues.customer} paused: ", "42501")
    assert f"[+]queue {queues.subscription} consuming\n" in text and "secret-name" not in text
    samples = endpoint.metrics()
    assert samples["kopru_queue_paused", queues.customer] == 1
    assert samples["kopru_unacknowledged_messages", queues.customer] == 1
    db.query("GRANT INSERT ON kopru.customers TO kopru_writer")
    endpoint.wait_until_readyz(200)
    assert endpoint.metrics()["kopru_queue_paused", queues.customer] == 0
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def test_a_standby_is_ready_and_takes_over(queues, watched):
    first = watched()
    standby = watched(wait=False)
    standby.wait_until_readyz(
        200, f"[+]queue {queues.customer} standby: another instance holds the lease")
    assert standby.metrics()["kopru_queue_consuming", queues.customer] == 0
    first.daemon.kill9()
    standby.wait_until_readyz(200, f"[+]queue {queues.customer} consuming")
    assert standby.metrics()["kopru_queue_consuming", queues.customer] == 1


def test_it_is_not_ready_while_it_stops(rabbitmq_server, db, queues, watched):
    endpoint = watched(postgres={"lock_timeout": 60, "statement_timeout": 90}, shutdown_timeout=120)
    with psycopg.connect(db.admin_dsn) as connection:
        connection.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
        rabbitmq_server.publish(queues.customer, _customer("1"))
        endpoint.wait_for_metric(1, "kopru_unacknowledged_messages", queues.customer)
        assert endpoint.metrics()["kopru_queue_writers_busy", queues.customer] == 1
        endpoint.daemon.send(15)
        endpoint.wait_until_readyz(503, "[-]daemon stopping\n")
    assert endpoint.daemon.wait_until_exit(30) == 0


# ---- to those who ask wrongly ----

def test_only_three_paths_and_two_methods(watched):
    endpoint = watched(wait=False, **_NOBODY)
    answer = endpoint.ask("/")
    assert (answer.status, answer.headers["content-type"]) == (404, _TEXT_TYPE)
    assert all(path in answer.text for path in ("/livez", "/readyz", "/metrics"))
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = endpoint.ask("/metrics", method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    answer = endpoint.ask("/metrics", "HEAD")
    assert (answer.status, answer.text, answer.headers["content-type"]) == (200, "", _METRICS_TYPE)
    assert int(answer.headers["content-length"]) > 1000


def test_slow_clients_hold_nobody_up(watched):
    endpoint = watched(wait=False, **_NOBODY)
    slow = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(10)]
    for client in slow[::2]:
        client.sendall(b"GET /metrics HT")
    for _ in range(20):
        assert endpoint.ask("/livez").status == 200
    # One that asks and does not read.
    slow[1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert endpoint.ask("/livez").status == 200
    assert endpoint.daemon.terminate() == 0
    for client in slow:
        client.close()


def _say_nothing(client: socket.socket) -> None:
    pass


def _begin_to_ask(client: socket.socket) -> None:
    client.sendall(b"GET /livez HT")


def _ask_and_read_nothing(client: socket.socket) -> None:
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("behave", [_say_nothing, _begin_to_ask, _ask_and_read_nothing])
@pytest.mark.parametrize("count", [16, 100, 1000])
def test_no_crowd_keeps_a_health_check_from_its_answer(behave, count: int, watched):
    """Who was cut comes again, as crowds do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    endpoint = watched(wait=False, **_NOBODY)
    with ExitStack() as crowd:
        def join() -> None:
            client = crowd.enter_context(socket.create_connection(("127.0.0.1", endpoint.port)))
            behave(client)

        crowd.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(count):
            join()
        for _ in range(20):
            answer = endpoint.ask("/livez", deadline_s=_HEALTH_CHECK_S * patience())
            assert answer.status == 200
            join()
        assert endpoint.daemon.terminate() == 0


# ---- where it listens ----

def _listening_ports(pid: int) -> set[int]:
    """The TCP ports on which a process of this network namespace listens."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def test_an_empty_address_opens_no_port(kopru, watched):
    daemon = kopru(http={"listen": ""})
    assert _listening_ports(daemon.pid) == set()
    assert not daemon.events("http_listening")
    assert daemon.terminate() == 0
    endpoint = watched(wait=False, **_NOBODY)
    assert _listening_ports(endpoint.daemon.pid) == {endpoint.port}


def test_an_address_in_use_ends_it_before_it_connects(db, kopru):
    with socket.create_server(("127.0.0.1", free_port())) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        daemon = kopru(start=False, http={"listen": address})
        daemon.launch()
        assert daemon.wait_until_exit(30) == 78
    text = daemon.stderr_text()
    assert f'cannot listen for HTTP "{address}"' in text and "in use" in text
    assert "hint: another program listens there" in text
    assert not daemon.events("started")
    assert db.value("SELECT count(*) FROM kopru.queues") == 0


def test_the_environment_says_where_and_a_public_address_is_worth_a_warning(kopru):
    port = free_port()
    daemon = kopru(start=False, env={"KOPRU_HTTP_LISTEN": f"0.0.0.0:{port}"}, **_NOBODY)
    daemon.launch()
    (warning,) = daemon.wait_for_event("http_exposed")
    assert (warning["level"], warning["address"]) == ("warning", f"0.0.0.0:{port}")
    daemon.wait_for_event("http_listening")
    assert Watched(daemon, port).ask("/livez").status == 200
    assert daemon.terminate() == 0
