"""Through a pooler that hands every transaction to another server session, where nothing a session keeps can be relied on."""

import json

import pytest
from support.pgbouncer import PgBouncer


@pytest.fixture(scope="module")
def pooler(postgres_server):
    with PgBouncer(postgres_server) as started:
        yield started


def _body(number: int, name: str) -> bytes:
    return json.dumps({"id": str(number), "name": name, "contactMedium": [{"city": "Ankara"}]}).encode()


def test_messages_are_applied_through_a_transaction_pool(kopru, pooler, db, queues, rabbitmq_server):
    rabbitmq_server.publish_many(queues.customer, [_body(number, "first") for number in range(600)])
    daemon = kopru(postgres={"conninfo": pooler.daemon_dsn(db)}, batch={"max_messages": 20})
    rabbitmq_server.wait_until_empty(queues.customer)
    rabbitmq_server.publish_many(queues.customer, [_body(number, "second") for number in range(0, 600, 2)] + [b"{"])
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name, count(*) FROM kopru.customers GROUP BY 1 ORDER BY 1") == [("first", 300), ("second", 300)]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == 600
    assert db.query("SELECT reason FROM kopru.dead_letters") == [("not_json",)]
    assert daemon.terminate() == 0


def test_a_pooler_is_met_with_a_few_reconnects_and_no_more(kopru, pooler, db, queues, rabbitmq_server):
    daemon = kopru(postgres={"conninfo": pooler.daemon_dsn(db)}, batch={"max_messages": 1})
    rabbitmq_server.publish_many(queues.customer, [_body(number, "a") for number in range(300)])
    rabbitmq_server.wait_until_empty(queues.customer)
    troubles = daemon.events("database_unavailable")
    # It must be met, or this pooler proves nothing; each connection may find out once, at the same time as the others: the
    # keeper, and two writers of each queue.
    assert 1 <= len(troubles) <= 5
    assert {trouble.get("sqlstate") for trouble in troubles} <= {"26000", "42P05", None}
