"""The extract that the documentation gives BI people misses nothing, also when transactions
overlap.
"""

import datetime
import json

import psycopg
from psycopg.rows import dict_row

# Rows become visible when their transaction commits, and updated_at is the time when it began.
_OVERLAP = datetime.timedelta(minutes=15)
_SLOW_LOCK = 4711

# A site's trigger keeps the transaction that writes this customer open until the test lets it go.
_SLOW = f"""
CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({_SLOW_LOCK}); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT OR UPDATE ON kopru.customers
    FOR EACH ROW WHEN (NEW.customer_id LIKE 'slow%') EXECUTE FUNCTION public.slow();
"""


class Extract:
    """A copy of the customers and their contact media, kept up to date as the documentation says.
    """

    def __init__(self, db):
        self._db = db
        earliest = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
        self._previous_start = earliest + _OVERLAP
        self.customers = {}
        self.latest = None

    def run(self):
        with psycopg.connect(self._db.admin_dsn, row_factory=dict_row) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            ((start,),) = [tuple(row.values())
                           for row in connection.execute("SELECT now() AS start")]
            self._merge(connection.execute(_CHANGED, [self._previous_start - _OVERLAP]))
        self._previous_start = start

    def _merge(self, rows):
        for row in rows:
            self.customers[row["customer_id"]] = row
            self.latest = max(self.latest or row["updated_at"], row["updated_at"])


_CHANGED = """
SELECT c.customer_id, c.name, c.updated_at, coalesce((SELECT jsonb_agg(m ORDER BY position)
       FROM kopru.contact_mediums m WHERE m.customer_id = c.customer_id), '[]') AS mediums
FROM kopru.customers c WHERE updated_at >= %s
"""


def _truth(db):
    fresh = Extract(db)
    fresh.run()
    return fresh.customers


def _customer(entity_id, name):
    return json.dumps({"id": entity_id, "name": name,
                       "contactMedium": [{"mediumType": name}]}).encode()


def test_overlapping_transactions_are_not_missed(rabbitmq_server, db, queues, kopru):
    """One writer's transaction stays open while others commit: it is older than they are when its
    rows appear.
    """
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 4}],
                   postgres={"lock_timeout": 60, "statement_timeout": 90}, shutdown_timeout=120)
    db.query(_SLOW)
    extract = Extract(db)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    for number in range(3):
        with db.admin() as holder, holder.transaction():
            holder.execute("SELECT pg_advisory_xact_lock(%s)", [_SLOW_LOCK])
            rabbitmq_server.publish(queues.customer, _customer(f"slow-{number % 2}", f"{number}"))
            daemon.wait_until(lambda: db.value(waiting), 30, "a transaction to stay open")
            # Of so many some belong to another writer.
            rabbitmq_server.publish_many(queues.customer,
                                         [_customer(f"quick-{n}", f"{number}") for n in range(20)])
            quick = ("SELECT count(*) FROM kopru.customers "
                     "WHERE customer_id LIKE 'quick%%' AND name = %s")
            daemon.wait_until(lambda: db.value(quick, f"{number}"), 30, "another writer to commit")
            extract.run()
        rabbitmq_server.wait_until_empty(queues.customer)
        slow = db.value("SELECT updated_at FROM kopru.customers WHERE customer_id = %s",
                        f"slow-{number % 2}")
        assert slow < extract.latest, "this tests nothing unless it is older than the last extract"
        extract.run()
        assert extract.customers == _truth(db)
    assert {name: row["name"] for name, row in extract.customers.items()
            if name.startswith("slow")} == {
        "slow-0": "2", "slow-1": "1"}
    assert daemon.terminate() == 0


def test_extracts_under_load_miss_nothing(rabbitmq_server, db, queues, kopru, observed):
    daemon = kopru()
    extract = Extract(db)
    with observed.start(entities=500):
        daemon.wait_until(lambda: extract.run() or len(extract.customers) > 400, 60,
                          "most customers to be extracted")
        for _ in range(10):
            extract.run()
    for queue in queues.entities():
        rabbitmq_server.wait_until_empty(queue)
    extract.run()
    assert extract.customers == _truth(db)
    assert daemon.terminate() == 0
