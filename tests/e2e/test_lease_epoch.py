"""The epoch check of a transaction that begins while another instance takes the queue over."""

import json

# on another machine, so nobody here can see that it is no process
_ELSEWHERE = "elsewhere boot/1 1 1"


def test_a_writer_that_waited_for_a_takeover_writes_nothing(rabbitmq_server, db, queues, kopru):
    daemon = kopru(log={"level": "debug"}, queues=[{"name": queues.customer, "entity": "customer"}])
    waiting = ("SELECT count(*) FROM pg_stat_activity "
               "WHERE wait_event_type = 'Lock' AND query LIKE '%%FOR KEY SHARE%%'")
    with db.admin() as other, other.transaction():
        other.execute("SELECT FROM kopru.queues WHERE queue = %s FOR UPDATE", (queues.customer,))
        rabbitmq_server.publish(queues.customer, json.dumps({"id": "1", "name": "one"}).encode())
        daemon.wait_until(lambda: db.value(waiting), 30, "the writer to check the epoch")
        other.execute("UPDATE kopru.queues SET epoch = epoch + 1, holder = %s, renewed_at = "
                      "clock_timestamp() WHERE queue = %s",
                      (_ELSEWHERE, queues.customer))
    daemon.wait_for_event("standby")
    daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).ready == 1, 30,
                      "the delivery to go back")
    assert db.query("SELECT * FROM kopru.customers") == []
    assert len(daemon.events("lease_lost")) == 1  # whether the writer or the lease keeper saw it
    db.query("UPDATE kopru.queues SET holder = NULL WHERE queue = %s", queues.customer)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name FROM kopru.customers") == [("one",)]
