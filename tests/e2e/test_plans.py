"""The plans of the generated statements do not depend on luck: rows are found by index, however
many there are and whatever was analyzed.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import database, libconfig
from support.daemon import default_settings, run_kopru
from support.marks import on_partitions_too

pytestmark = pytest.mark.matrix

_GROW = """
INSERT INTO kopru.subscriptions (subscription_id) SELECT n::text FROM generate_series(1, 20000) n;
INSERT INTO kopru.subscription_characteristics (subscription_id, bag, name, occurrence)
    SELECT n::text, 'characteristic', 'C' || c, 1
    FROM generate_series(1, 20000) n, generate_series(1, 10) c;
INSERT INTO kopru.engaged_parties (subscription_id, customer_id, occurrence)
    SELECT n::text, n::text, 1 FROM generate_series(1, 20000) n;
INSERT INTO kopru.customers (customer_id) SELECT n::text FROM generate_series(1, 20000) n;
INSERT INTO kopru.contact_mediums (customer_id, position)
    SELECT n::text, 1 FROM generate_series(1, 20000) n;
ANALYZE;
"""
_SHRINK = """
DELETE FROM kopru.subscriptions WHERE subscription_id <> '1';
DELETE FROM kopru.customers WHERE customer_id <> '1';
ANALYZE;
"""


def _nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


@pytest.fixture
def statements(tmp_path: Path) -> list[dict]:
    path = tmp_path / "kopru.cfg"
    path.touch(mode=0o600)
    path.write_text(libconfig.to_text(default_settings("amqp://127.0.0.1:1/none",
                                                       "host=127.0.0.1 dbname=none",
                                                       {"customers": "customer",
                                                        "subscriptions": "subscription"})),
                    encoding="utf-8")
    return json.loads(run_kopru("sql", "-c", str(path), "--output", "json").stdout)


def _plans(connection, statements) -> dict[str, dict]:
    """The plan of each statement that can have one, in a transaction as kopru begins it."""
    found = {}
    (settings,) = [each for each in statements if each["name"] == "kopru_settings"]
    connection.execute(settings["sql"].replace("$1", "'20000'").replace("$2", "'5000'"))
    # with NULLs a custom plan would do nothing
    assert connection.execute("SHOW plan_cache_mode").fetchone() == ("force_generic_plan",)
    for each in statements:
        if not each["table"] or not each["parameters"]:
            continue
        types = ", ".join(parameter["type"] for parameter in each["parameters"])
        connection.execute(f"PREPARE {each['name']} ({types}) AS {each['sql']}")
        arguments = ", ".join(["NULL"] * len(each["parameters"]))
        ((plans,),) = connection.execute(f"EXPLAIN (FORMAT json) EXECUTE {each['name']} "
                                         f"({arguments})").fetchall()
        connection.execute(f"DEALLOCATE {each['name']}")
        found[each["name"]] = plans[0]["Plan"]
    return found


@on_partitions_too
@pytest.mark.parametrize("state", ["empty", "grown", "shrunk, with the statistics of both"])
def test_rows_are_found_by_index_in_tables_of_any_size(db, statements, state):
    with db.admin() as connection:
        if state != "empty":
            connection.execute(_GROW)
        if state.startswith("shrunk"):
            connection.execute(_SHRINK)
        with connection.transaction():
            plans = _plans(connection, statements)
    assert len(plans) > 12
    for name, plan in plans.items():
        nodes = list(_nodes(plan))
        assert not [node for node in nodes if node["Node Type"] == "Seq Scan"], name
        if not name.startswith(("kopru_insert_", "kopru_write_")):
            assert [node for node in nodes if "Index" in node["Node Type"]
                    or "Bitmap" in node["Node Type"]], name


@pytest.mark.parametrize("table", ["subscriptions", "subscription_characteristics",
                                   "contact_mediums"])
def test_a_load_looks_into_one_partition_for_each_key(postgres_server, statements, table):
    """There are 50 keys and 8 partitions: 50 looks, not 400."""
    (load,) = [each for each in statements if each["name"] == f"kopru_load_partitioned_{table}"]
    db = database.create_installed(postgres_server, partitions=8)
    try:
        with db.admin() as connection:
            connection.execute(_GROW)
            with connection.transaction():
                _plans(connection, statements)  # for the settings
                connection.execute(f"PREPARE loaded (text[]) AS {load['sql']}")
                ((plans,),) = connection.execute(
                    "EXPLAIN (ANALYZE, FORMAT json, TIMING off) EXECUTE loaded "
                    f"('{{{','.join(map(str, range(1, 51)))}}}')").fetchall()
    finally:
        db.drop()
    nodes = list(_nodes(plans[0]["Plan"]))
    # a bitmap's heap scan runs on top of its index scan
    looks = [node["Actual Loops"] for node in nodes
             if node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan")]
    assert (len(looks), sum(looks)) == (8, 50)
