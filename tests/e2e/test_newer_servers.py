"""What a site may do with its tables only from some version of PostgreSQL on."""

import json

import pytest
from support.postgres import major_version

pytestmark = [pytest.mark.matrix,
              pytest.mark.skipif(major_version() < 18, reason="this server is older than 18")]

_SITE = """
CREATE EXTENSION btree_gist;
ALTER TABLE kopru.customers ADD COLUMN name_length integer GENERATED ALWAYS AS (length(name));
ALTER TABLE kopru.customers ADD COLUMN share numeric GENERATED ALWAYS AS (1 / (length(name) - 4));
ALTER TABLE kopru.customers ADD CHECK (name_length < 10);
ALTER TABLE kopru.customers ADD CHECK (status = 'never') NOT ENFORCED;
ALTER TABLE kopru.contact_mediums ADD COLUMN validity daterange;
ALTER TABLE kopru.contact_mediums
    ADD CONSTRAINT site_key UNIQUE (customer_id, position, city, validity WITHOUT OVERLAPS);
"""


def _customer(entity_id: str, name: str) -> bytes:
    return json.dumps({"id": entity_id, "name": name,
                       "contactMedium": [{"city": "Ankara"}, {"city": "Ankara"}]}).encode()


def test_columns_and_constraints_of_18(rabbitmq_server, db, queues, kopru, check):
    """Virtual columns are neither written nor read, and their CHECKs are those of the table."""
    db.query(_SITE)
    report = check()
    assert report.results["database"] == "ok", report.text
    daemon = kopru(batch={"max_messages": 50})
    for name in ("four", "fives"):  # the first one divides by zero where the column is read
        rabbitmq_server.publish_many(queues.customer, [
            *(_customer(f"c{n}", name) for n in range(300)), _customer("long", "ten letters")])
        rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query("SELECT name, count(*) FROM kopru.customers GROUP BY 1") == [("fives", 300)]
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == 600
    assert db.query("SELECT entity_id, sqlstate FROM kopru.dead_letters") == [("long", "23514")]
    assert daemon.events("database_unavailable") == []


def test_a_not_null_that_is_not_yet_valid_is_found(db, check):
    """As a constraint it is new in 18, and refuses new rows like any other."""
    db.query("ALTER TABLE kopru.customers ADD CONSTRAINT site_name NOT NULL name NOT VALID")
    (problem,) = check().problems
    assert (problem.what, problem.subject) == ("column must not be NOT NULL",
                                               "kopru.customers.name")
    db.query(problem.hint.partition(": ")[2])
    assert check().problems == []
