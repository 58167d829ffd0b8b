"""A batch that takes the database too long is written in parts instead of being tried for ever."""

import json

_SLOW = """
CREATE FUNCTION public.wait_a_little() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON kopru.customers
    FOR EACH ROW EXECUTE FUNCTION public.wait_a_little();
"""
_MESSAGES = 80  # as many take twice the statement timeout


def test_a_batch_that_runs_into_statement_timeout_is_halved(rabbitmq_server, db, queues, kopru):
    db.query(_SLOW)
    rabbitmq_server.publish_many(queues.customer,
                                 (json.dumps({"id": str(n)}).encode() for n in range(_MESSAGES)))
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                   postgres={"statement_timeout": 2, "lock_timeout": 1})
    daemon.wait_until(lambda: rabbitmq_server.depth(queues.customer).is_empty, 60,
                      "the queue to be empty")
    assert "57014" in {line.get("sqlstate") for line in daemon.events("database_unavailable")}
    assert db.value("SELECT count(*) FROM kopru.customers") == _MESSAGES
    assert db.value("SELECT count(*) FROM kopru.dead_letters") == 0
