"""Tables that are not as the mapping needs them: only the queue that they are for waits, at the
start and later, and a name that is nearly right is named.
"""

import json
import shutil
from pathlib import Path

import pytest
from support import libconfig
from support.daemon import default_settings, merged, run_kopru
from support.database import DAEMON, REPOSITORY
from support.endpoint import Endpoint
from support.marks import on_partitions_too

_QUICK = {"heartbeat": 1}


def _body(entity_id: str) -> bytes:
    return json.dumps({"id": entity_id, "status": "Active"}).encode()


def _wait_for_rows(daemon, db, table: str, count: int) -> None:
    daemon.wait_until(lambda: db.value(f"SELECT count(*) FROM kopru.{table}") == count, 30,
                      f"{count} rows of {table}")


def _end_sessions(db) -> None:
    """The lease keeper connects anew, and looks at the catalog again."""
    db.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
             " WHERE datname = %s AND usename = %s", db.name, DAEMON)


_DAMAGES = {
    "column": ("ALTER TABLE kopru.customers RENAME COLUMN status TO stat",
               "ALTER TABLE kopru.customers RENAME COLUMN stat TO status", "customers.status"),
    "child table": ("ALTER TABLE kopru.contact_mediums RENAME TO elsewhere",
                    "ALTER TABLE kopru.elsewhere RENAME TO contact_mediums", "contact_mediums"),
    "privilege": ("REVOKE INSERT ON kopru.customers FROM kopru_writer",
                  "GRANT INSERT ON kopru.customers TO kopru_writer", "customers"),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_at_the_start_only_the_queue_with_wrong_tables_waits(rabbitmq_server, db, queues, kopru,
                                                             damage):
    break_it, mend_it, named = _DAMAGES[damage]
    db.query(break_it)
    rabbitmq_server.publish(queues.customer, _body("waits"))
    rabbitmq_server.publish(queues.subscription, _body("goes on"))
    endpoint = Endpoint()
    daemon = kopru(start=False, http=endpoint.settings)
    daemon.launch()
    _wait_for_rows(daemon, db, "subscriptions", 1)
    line = daemon.wait_for_event("paused")[0]
    assert (line["level"], line["queue"]) == ("error", queues.customer)
    assert named in line["subject"] and line["hint"]
    text = endpoint.wait_until_readyz(
        daemon, 503, "[+]database ok\n", f"[+]queue {queues.subscription} consuming\n",
        f"[-]queue {queues.customer} not consuming: ")
    assert named in text
    metrics = endpoint.metrics()
    assert metrics["kopru_queue_paused", queues.customer] == 1
    assert metrics["kopru_queue_paused", queues.subscription] == 0
    assert rabbitmq_server.depth(queues.customer).ready == 1
    db.query(mend_it)
    daemon.wait_until_ready(40)
    _wait_for_rows(daemon, db, "customers", 1)
    endpoint.wait_until_readyz(daemon, 200)
    assert endpoint.metrics()["kopru_queue_paused", queues.customer] == 0
    assert daemon.terminate() == 0


def test_when_the_database_comes_back_only_the_queue_with_wrong_tables_waits(
        rabbitmq_server, db, queues, kopru):
    """The catalog is looked at again on each connection. What it says about one queue must not cost
    the others their leases.
    """
    endpoint = Endpoint()
    daemon = kopru(amqp=_QUICK, http=endpoint.settings)
    db.query(_DAMAGES["column"][0])
    _end_sessions(db)
    daemon.wait_for_event("paused")
    renewed = "SELECT renewed_at FROM kopru.queues WHERE queue = %s"
    for queue in (queues.customer, queues.subscription):
        before = db.value(renewed, queue)
        daemon.wait_until(lambda queue=queue, before=before: db.value(renewed, queue) > before, 30,
                          f"the lease on {queue} to be renewed")
    rabbitmq_server.publish(queues.subscription, _body("goes on"))
    _wait_for_rows(daemon, db, "subscriptions", 1)
    endpoint.wait_until_readyz(
        daemon, 503, "[+]database ok\n", f"[+]queue {queues.subscription} consuming\n",
        f"[-]queue {queues.customer} paused: ", "customers.status")
    rabbitmq_server.publish(queues.customer, _body("waits"))
    db.query(_DAMAGES["column"][1])
    _wait_for_rows(daemon, db, "customers", 1)
    endpoint.wait_until_readyz(daemon, 200)
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0


def test_what_all_queues_share_is_waited_for_by_all(rabbitmq_server, db, queues, kopru):
    db.query("ALTER TABLE kopru.dead_letters RENAME COLUMN detail TO details")
    endpoint = Endpoint()
    daemon = kopru(start=False, http=endpoint.settings)
    daemon.launch()
    daemon.wait_for_event("http_listening")
    endpoint.wait_until_readyz(daemon, 503, "[-]database not usable: ", "dead_letters.detail")
    assert not daemon.events("consuming")
    db.query("ALTER TABLE kopru.dead_letters RENAME COLUMN details TO detail")
    daemon.wait_until_ready(40)


# The near miss.

@pytest.fixture
def misspelt(rabbitmq_server, db, queues, tmp_path: Path) -> dict[str, object]:
    """A site's columns, and an entity file in which two of them are written wrongly."""
    db.query("ALTER TABLE kopru.customers ADD COLUMN tax_number text, ADD COLUMN branch_code text")
    text = (REPOSITORY / "etc/entities/customer.cfg").read_text(encoding="utf-8")
    line = '{ column = "name"; '
    assert text.count(line) == 1
    wrong = tmp_path / "customer.cfg"
    wrong.write_text(text.replace(
        line, '{ column = "tax_nmuber"; path = "taxNumber"; },\n'
              '            { column = "brunch_code"; path = "branchCode"; },\n            ' + line),
        encoding="utf-8")
    shutil.copy(REPOSITORY / "etc/entities/subscription.cfg", tmp_path)
    return {"entity_files": [str(wrong), str(tmp_path / "subscription.cfg")]}


def _check(rabbitmq_server, db, queues, tmp_path, changes) -> list[dict]:
    path = tmp_path / "kopru.cfg"
    path.touch(mode=0o600)
    settings = merged(default_settings(rabbitmq_server.uri, db.daemon_dsn, queues.entities()),
                      changes)
    path.write_text(libconfig.to_text(settings), encoding="utf-8")
    done = run_kopru("check", "-c", str(path), "--output", "json")
    return json.loads(done.stdout)["problems"]


def test_check_names_the_near_miss(rabbitmq_server, db, queues, tmp_path, misspelt):
    problems = _check(rabbitmq_server, db, queues, tmp_path, misspelt)
    hints = {problem["subject"]: problem["hint"] for problem in problems}
    assert set(hints) == {"kopru.customers.tax_nmuber", "kopru.customers.brunch_code"}
    assert hints["kopru.customers.tax_nmuber"].startswith("did you mean tax_number?")
    assert hints["kopru.customers.brunch_code"].startswith("did you mean branch_code?")


def test_the_log_and_readyz_name_the_near_miss(db, queues, kopru, misspelt):
    endpoint = Endpoint()
    daemon = kopru(start=False, http=endpoint.settings, **misspelt)
    daemon.launch()
    (line, again, *_) = daemon.wait_for_event("paused", count=2)
    assert line["hint"].startswith("did you mean tax_number?")
    assert (line["problems"], again["subject"]) == (2, line["subject"])
    endpoint.wait_until_readyz(daemon, 503, "did you mean tax_number?",
                               "and 1 more, see kopru check",
                               f"[+]queue {queues.subscription} consuming\n")


def test_a_renamed_column_keeps_the_hint_at_its_migration(rabbitmq_server, db, queues, tmp_path):
    db.query("ALTER TABLE kopru.customers RENAME COLUMN status TO statuss")
    (problem,) = _check(rabbitmq_server, db, queues, tmp_path, {})
    assert problem["hint"].startswith("did you mean statuss?")
    assert "migrations/deploy/02-customers.sql" in problem["hint"]


def test_a_column_that_another_line_feeds_is_no_near_miss(rabbitmq_server, db, queues, tmp_path):
    db.query("ALTER TABLE kopru.contact_mediums DROP COLUMN street2")  # street1 is in use
    (problem,) = _check(rabbitmq_server, db, queues, tmp_path, {})
    assert "did you mean" not in problem["hint"]


@on_partitions_too
def test_a_misspelt_table_is_a_near_miss(rabbitmq_server, db, queues, tmp_path):
    db.query("ALTER TABLE kopru.contact_mediums RENAME TO contact_media")
    (problem,) = _check(rabbitmq_server, db, queues, tmp_path, {})
    assert problem["subject"] == "kopru.contact_mediums"
    assert problem["hint"].startswith("did you mean contact_media?")
