"""The broker still believes in a connection that kopru has lost."""

import json

import psycopg
from support.proxy import Proxy

_ID = "c1"


def _status(db):
    return db.query("SELECT status FROM kopru.customers WHERE customer_id = %s", _ID)


def test_what_a_half_open_connection_holds_is_not_overtaken(rabbitmq_server, db, queues, kopru):
    def publish(status):
        rabbitmq_server.publish(queues.customer, json.dumps({"id": _ID, "status": status}).encode())

    with Proxy(rabbitmq_server.port) as proxy, db.admin() as blocker:
        daemon = kopru(amqp={"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F",
                             "heartbeat": 4},
                       queues=[{"name": queues.customer, "entity": "customer", "prefetch": 1}],
                       postgres={"lock_timeout": 1, "statement_timeout": 2})
        with blocker.transaction():
            # so that it is unacknowledged when the connection goes
            blocker.execute("LOCK TABLE kopru.customers IN EXCLUSIVE MODE")
            publish("old")
            daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 1, 30,
                              "the delivery")
            proxy.cut_clients()
            daemon.wait_for_event("broker_unavailable")
        publish("new")
        daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                          "the queue to be empty")
    assert _status(db) == [("new",)]


def test_an_instance_that_cannot_reach_the_database_leaves_before_its_successor_begins(
        rabbitmq_server, postgres_server, db, queues, kopru):
    """The first one's heartbeats go on, so the broker does not drop it: it has to give back what it
    holds by itself.
    """
    def publish(status):
        rabbitmq_server.publish(queues.customer, json.dumps({"id": _ID, "status": status}).encode())

    changes = {"amqp": {"heartbeat": 2},
               "queues": [{"name": queues.customer, "entity": "customer", "prefetch": 1}]}
    with Proxy(postgres_server.port) as proxy:
        dsn = psycopg.conninfo.make_conninfo(db.daemon_dsn, port=str(proxy.port))
        first = kopru(**changes, postgres={"conninfo": dsn, "connect_timeout": 2, "lock_timeout": 1,
                                           "statement_timeout": 2})
        proxy.freeze()
        publish("old")
        first.wait_until(lambda: rabbitmq_server.depth(queues.customer).unacked == 1, 30,
                         "the delivery")
        second = kopru(**changes)
        publish("new")
        second.wait_until(lambda: rabbitmq_server.depth(queues.customer).ready == 0
                          or _status(db) == [("new",)], 60,
                          "the second instance to take what there is")
        proxy.thaw()
        second.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                          "the queue to be empty")
    assert _status(db) == [("new",)]


def test_a_lease_is_not_released_while_the_broker_may_hold_deliveries(rabbitmq_server, db, queues,
                                                                          kopru):
    """Whoever takes the queue next then waits until the broker has noticed the loss."""
    with Proxy(rabbitmq_server.port) as proxy:
        daemon = kopru(amqp={"uri": f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2F",
                             "heartbeat": 4})
        proxy.close()
        proxy.cut_clients()
        daemon.wait_for_event("broker_unavailable", count=3)
        daemon.terminate()
        assert db.value("SELECT count(holder) FROM kopru.queues") == 2
        next_one = kopru(amqp={"heartbeat": 4})
        assert next_one.events("lease_acquired")[0].get("taken_over_from")
