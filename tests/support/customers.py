"""Messages to the customers' queue, one row each, and what has become of them."""

import json

COUNT = 20


def body(entity_id: str, name: str = "name 1") -> bytes:
    return json.dumps({"id": entity_id, "name": name,
                       "contactMedium": [{"city": "Ankara"}]}).encode()


def only_customers(queues) -> list[dict]:
    return [{"name": queues.customer, "entity": "customer", "writers": 1}]


def publish(broker, queues, name: str = "name 1", count: int = COUNT) -> None:
    broker.publish_many(queues.customer, [body(f"c{number}", name) for number in range(count)])


def wait_until_empty(broker, queues, daemon) -> None:
    daemon.wait_until(lambda: broker.depth(queues.customer).is_empty, 60, "the queue to be empty")


def assert_applied(db, name: str = "name 1", count: int = COUNT, dead: int = 0) -> None:
    assert db.query("SELECT name, count(*) FROM kopru.customers GROUP BY 1") == [(name, count)]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == count
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == dead


def unacked(broker, queues) -> int:
    return broker.depth(queues.customer).unacked


def wait_for_state(daemon, event: str, sqlstate: str, count: int = 1) -> dict:
    """Wait until the daemon has logged count times that the database answers with sqlstate."""
    def told():
        lines = [line for line in daemon.events(event) if line.get("sqlstate") == sqlstate]
        return lines if len(lines) >= count else None

    return daemon.wait_until(told, 60, f"{event} with {sqlstate}")[0]
