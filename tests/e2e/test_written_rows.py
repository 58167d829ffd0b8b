"""What was written is counted: triggers and rules of the site that swallow, change or merge rows.
None of them raises an error, so nothing but the rows themselves tells.
"""

import json
from dataclasses import dataclass

import pytest
from support.batch import held_back
from support.endpoint import Endpoint
from support.marks import on_partitions_too
from support.tables import read_dead_letters

pytestmark = [pytest.mark.matrix, on_partitions_too]

_KEEP = {"attempts": 1000, "minutes": 10}  # tried often, and never at fault
# As its owner, because the daemon may not delete a root.
_FUNCTION = ("CREATE FUNCTION public.site_rule() RETURNS trigger LANGUAGE plpgsql "
             "SECURITY DEFINER AS $$ {} $$;")
_TRIGGER = ("CREATE {kind} site_rule {when} FOR EACH ROW WHEN ({row}.customer_id = 'bad') "
            "EXECUTE FUNCTION public.site_rule();")
_DROP = "DROP FUNCTION public.site_rule() CASCADE"
_MEDIUMS = "SELECT position, city FROM kopru.contact_mediums WHERE customer_id = %s ORDER BY 1"
_COPIED = 250  # child rows: more than it takes for COPY


def _customer(entity_id, *cities, **properties):
    mediums = {"contactMedium": [{"city": city} for city in cities]} if cities else {}
    return json.dumps({"id": entity_id, **mediums, **properties}).encode()


def _site_rule(when, body, kind="TRIGGER"):
    """The trigger fires for the rows of customer `bad` alone."""
    row = "OLD" if "DELETE" in when else "NEW"
    return _FUNCTION.format(f"BEGIN {body} END") + _TRIGGER.format(kind=kind, when=when, row=row)


@dataclass(frozen=True)
class _Case:
    """The trigger; what customer `bad` is first, and becomes; the table that is named."""

    name: str
    trigger: str
    table: str
    before: bytes | None
    after: bytes
    cities: tuple[str, ...] = ()
    sqlstate: str = ""
    crosses: bool = False  # from one partition to another, where there are any


_CHILD = "kopru.contact_mediums"
_ROOT = "kopru.customers"
_CASES = [
    _Case("insert of a child", _site_rule(f"BEFORE INSERT ON {_CHILD}", "RETURN NULL;"),
          "contact_mediums", None, _customer("bad", "A", "B"), ("A", "B")),
    _Case("one of two children",
          _site_rule(f"BEFORE INSERT ON {_CHILD}",
                     "IF NEW.position = 2 THEN RETURN NULL; END IF; RETURN NEW;"),
          "contact_mediums", _customer("bad", "A"), _customer("bad", "B", "C"), ("B", "C")),
    _Case("update of a child", _site_rule(f"BEFORE UPDATE ON {_CHILD}", "RETURN NULL;"),
          "contact_mediums", _customer("bad", "A"), _customer("bad", "B"), ("B",)),
    _Case("delete of a child", _site_rule(f"BEFORE DELETE ON {_CHILD}", "RETURN NULL;"),
          "contact_mediums", _customer("bad", "A", "B"), _customer("bad", "A"), ("A",)),
    _Case("insert of a root", _site_rule(f"BEFORE INSERT ON {_ROOT}", "RETURN NULL;"),
          "customers", None, _customer("bad")),
    _Case("insert of a root with children",
          _site_rule(f"BEFORE INSERT ON {_ROOT}", "RETURN NULL;"),
          "customers", None, _customer("bad", "A"), ("A",)),
    _Case("update of a root", _site_rule(f"BEFORE UPDATE ON {_ROOT}", "RETURN NULL;"),
          "customers", _customer("bad", "A"), _customer("bad", "B", status="New"), ("B",)),
    _Case("update of a root that stays as it was",
          _site_rule(f"BEFORE UPDATE ON {_ROOT}", "RETURN OLD;"),
          "customers", _customer("bad", "A"), _customer("bad", "B", status="New"), ("B",)),
    _Case("key of a root",
          _site_rule(f"BEFORE INSERT ON {_ROOT}", "NEW.customer_id := 'other'; RETURN NEW;"),
          "customers", None, _customer("bad"), crosses=True),
    _Case("key of a root that is there",
          _site_rule(f"BEFORE INSERT ON {_ROOT}", "NEW.customer_id := 'first'; RETURN NEW;"),
          "customers", None, _customer("bad"), crosses=True),
    _Case("key of a root that is known",
          _site_rule(f"BEFORE INSERT ON {_ROOT}", "NEW.customer_id := 'other'; RETURN NEW;"),
          "customers", _customer("bad", "A"), _customer("bad", "B", status="New"), ("B",),
          crosses=True),
    _Case("key of a child",
          _site_rule(f"BEFORE INSERT ON {_CHILD}", "NEW.position := 7; RETURN NEW;"),
          "contact_mediums", None, _customer("bad", "A"), ("A",)),
    _Case("key of a child, and it is that of another",
          _site_rule(f"BEFORE INSERT ON {_CHILD}",
                     "IF NEW.position = 2 THEN NEW.position := 1; END IF; RETURN NEW;"),
          "contact_mediums", _customer("bad", "A", "B"), _customer("bad", "A", "C"), ("A", "C")),
    _Case("children that become one",
          _site_rule(f"BEFORE INSERT ON {_CHILD}", "NEW.position := 1; RETURN NEW;"),
          "contact_mediums", None, _customer("bad", "A", "B"), ("A", "B"), "21000"),
    _Case("child that is deleted afterwards",
          _site_rule(f"AFTER INSERT ON {_CHILD}",
                     f"DELETE FROM {_CHILD} WHERE customer_id = NEW.customer_id; RETURN NULL;"),
          "contact_mediums", None, _customer("bad", "A"), ("A",)),
    _Case("root that is deleted at the end",
          _site_rule(f"AFTER INSERT ON {_ROOT} DEFERRABLE INITIALLY DEFERRED",
                     f"DELETE FROM {_ROOT} WHERE customer_id = NEW.customer_id; RETURN NULL;",
                     "CONSTRAINT TRIGGER"),
          "customers", None, _customer("bad", "A"), ("A",)),
]


def _is_partitioned(db):
    return db.value("SELECT relkind FROM pg_class WHERE oid = 'kopru.customers'::regclass") == "p"


@pytest.fixture
def endpoint():
    return Endpoint()


@pytest.fixture
def daemon(queues, kopru, endpoint):
    return kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                 quarantine=_KEEP, http=endpoint.settings)


def _ids(db):
    return {entity_id for (entity_id,) in db.query("SELECT customer_id FROM kopru.customers")}


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_what_the_site_swallows_waits_alone(rabbitmq_server, db, queues, daemon, endpoint, case):
    rabbitmq_server.publish(queues.customer, _customer("first", "F"))
    if case.before is not None:
        rabbitmq_server.publish(queues.customer, case.before)
    rabbitmq_server.wait_until_empty(queues.customer)
    stored = db.query(_MEDIUMS, "bad"), db.query(_MEDIUMS, "first")
    db.query(case.trigger)
    good = [_customer(f"n{n}", "N", "M") for n in range(40)]
    rabbitmq_server.publish_many(queues.customer, [*good[:20], case.after, *good[20:]])
    (line, *_) = daemon.wait_for_event("quarantined")
    assert line["entity_id"] == "bad"
    if case.crosses and _is_partitioned(db):  # PostgreSQL itself refuses it
        assert line["sqlstate"] == "0A000"
        # of a statement that is refused, only a stored root shows that stored ones get through
        rabbitmq_server.publish(queues.customer, _customer("first", "F", status="New"))
    else:
        assert (line.get("table"), line.get("sqlstate", "")) == (case.table, case.sqlstate)
        assert "trigger site_rule" in line["hint"]
    table = "" if line.get("table") is None else f", table {case.table}"
    # the neighbours commit, and are acknowledged
    everybody = {f"n{n}" for n in range(40)}
    daemon.wait_until(lambda: everybody <= _ids(db), 60, "the neighbours to commit")
    assert db.value("SELECT count(*) FROM kopru.contact_mediums "
                    "WHERE customer_id LIKE 'n%%'") == 80
    endpoint.wait_until_readyz(daemon, 200, "1 entity fails alone and waits: bad (",
                               f"{table}, attempt ")
    # nothing of it is stored, and nothing of it is acknowledged
    assert (db.query(_MEDIUMS, "bad"), db.query(_MEDIUMS, "first")) == stored
    assert db.query("SELECT status FROM kopru.customers WHERE customer_id IN ('bad', 'other')") == (
        [] if case.before is None else [(None,)])
    assert rabbitmq_server.depth(queues.customer).unacked >= 1
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert tuple(city for _, city in db.query(_MEDIUMS, "bad")) == case.cities
    assert _ids(db) == everybody | {"first", "bad"}
    assert daemon.events("quarantine_ended")
    assert read_dead_letters(db) == []
    assert daemon.terminate() == 0


def test_what_is_swallowed_is_nobodys_fault(rabbitmq_server, db, queues, kopru):
    """It waits for ever, where a message that fails so often would be a dead letter."""
    daemon = kopru(queues=[{"name": queues.customer, "entity": "customer", "writers": 1}],
                   quarantine={"attempts": 3, "minutes": 0.01})
    db.query(_site_rule(f"BEFORE INSERT ON {_CHILD}", "RETURN NULL;"))
    rabbitmq_server.publish(queues.customer, _customer("bad", "A"))
    published = []

    def tried():
        published.append(f"n{len(published)}")
        rabbitmq_server.publish(queues.customer, _customer(published[-1], "N"))
        return [line for line in daemon.events("quarantined") if line["attempts"] > 8]

    daemon.wait_until(tried, 60, "more attempts than are allowed")
    assert read_dead_letters(db) == []
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert _ids(db) == {"bad", *published}
    assert read_dead_letters(db) == [] and daemon.events("quarantine_rejected") == []


def test_a_table_that_was_made_anew_is_looked_at_as_well(rabbitmq_server, db, queues, daemon):
    """The daemon's prepared question must not ask about the table that is gone."""
    rabbitmq_server.publish(queues.customer, _customer("first", "F"))
    rabbitmq_server.wait_until_empty(queues.customer)
    db.query("CREATE TABLE public.anew (LIKE kopru.contact_mediums INCLUDING ALL);"
             "DROP TABLE kopru.contact_mediums; ALTER TABLE public.anew SET SCHEMA kopru;"
             "ALTER TABLE kopru.anew RENAME TO contact_mediums;"
             "GRANT SELECT, INSERT, UPDATE, DELETE ON kopru.contact_mediums TO kopru_writer;"
             + _site_rule(f"BEFORE INSERT ON {_CHILD}", "NEW.position := 7; RETURN NEW;"))
    rabbitmq_server.publish(queues.customer, _customer("bad", "A"))
    (line, *_) = daemon.wait_for_event("quarantined")
    assert (line["entity_id"], line["table"]) == ("bad", "contact_mediums")
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(_MEDIUMS, "bad") == [(1, "A")]


def test_a_writer_that_gets_nothing_through_says_so_and_waits(rabbitmq_server, db, queues, daemon,
                                                              endpoint):
    db.query(_FUNCTION.format("BEGIN RETURN NULL; END")
             + f"CREATE TRIGGER site_rule BEFORE INSERT ON {_CHILD} FOR EACH ROW "
               "EXECUTE FUNCTION public.site_rule();")
    bodies = [_customer(f"c{n}", "A") for n in range(300)]
    rabbitmq_server.publish_many(queues.customer, bodies)
    (line, *_) = daemon.wait_for_event("rows_not_written")
    assert line["subject"] == _CHILD
    assert "trigger site_rule" in line["hint"]
    endpoint.wait_until_readyz(daemon, 503, _CHILD, "site_rule")
    assert _ids(db) == set()
    assert rabbitmq_server.depth(queues.customer).unacked == 300
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.value("SELECT count(*) FROM kopru.contact_mediums") == 300
    assert read_dead_letters(db) == []


@pytest.mark.parametrize("body", ["RETURN NULL;", "NEW.name := NEW.name || 'x'; RETURN NEW;"],
                         ids=["swallowed", "under another key"])
def test_rows_that_copy_writes_are_counted(rabbitmq_server, db, queues, kopru, endpoint, body):
    daemon = kopru(queues=[{"name": queues.subscription, "entity": "subscription", "writers": 1}],
                   quarantine=_KEEP, http=endpoint.settings)
    db.query(_FUNCTION.format(f"BEGIN {body} END")
             + "CREATE TRIGGER site_rule BEFORE INSERT ON kopru.subscription_characteristics "
               "FOR EACH ROW WHEN (NEW.name = 'odd') EXECUTE FUNCTION public.site_rule();")
    bodies = [json.dumps({"id": entity_id,
                          "characteristic": [{"name": f"v{n}", "value": "x"}
                                             for n in range(_COPIED)] + [{"name": last}]}).encode()
              for entity_id, last in (("a", "even"), ("b", "odd"), ("c", "even"))]
    with held_back(rabbitmq_server, db, daemon, queues.subscription, len(bodies),
                   table="subscriptions"):
        rabbitmq_server.publish_many(queues.subscription, bodies)
    (line, *_) = daemon.wait_for_event("quarantined")
    assert (line["entity_id"], line["table"]) == ("b", "subscription_characteristics")
    counted = ("SELECT subscription_id, count(*) FROM kopru.subscription_characteristics "
               "GROUP BY 1 ORDER BY 1")
    daemon.wait_until(lambda: db.query(counted) == [("a", _COPIED + 1), ("c", _COPIED + 1)], 60,
                      "the neighbours to commit")
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.subscription)
    assert db.query(counted) == [(entity_id, _COPIED + 1) for entity_id in "abc"]


def test_a_site_may_change_values(rabbitmq_server, db, queues, daemon):
    """A town in capitals is a town that was written, however often the same payload comes."""
    db.query(_FUNCTION.format("BEGIN NEW.city := upper(NEW.city); RETURN NEW; END")
             + f"CREATE TRIGGER site_rule BEFORE INSERT OR UPDATE ON {_CHILD} FOR EACH ROW "
               "EXECUTE FUNCTION public.site_rule();")
    for status in ("One", "Two", "Three"):
        rabbitmq_server.publish(queues.customer, _customer("a", "Ankara", status=status))
        rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(_MEDIUMS, "a") == [(1, "ANKARA")]
    assert daemon.events("rows_not_written") == [] and daemon.events("quarantined") == []


def test_a_rule_that_deletes_otherwise_loses_nothing(rabbitmq_server, db, queues, daemon):
    """It answers for the rows that it touched, as if they had been deleted."""
    rabbitmq_server.publish(queues.customer, _customer("bad", "A", "B"))
    rabbitmq_server.wait_until_empty(queues.customer)
    db.query(f"CREATE RULE site_rule AS ON DELETE TO {_CHILD} DO INSTEAD "
             f"UPDATE {_CHILD} SET fax_number = '0' WHERE customer_id = OLD.customer_id "
             "AND position = OLD.position RETURNING OLD.*")
    rabbitmq_server.publish(queues.customer, _customer("bad", "A"))
    (line, *_) = daemon.wait_for_event("quarantined")
    assert (line["entity_id"], line["table"]) == ("bad", "contact_mediums")
    assert "rule site_rule" in line["hint"]
    db.query(f"DROP RULE site_rule ON {_CHILD}")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(_MEDIUMS, "bad") == [(1, "A")]


def test_a_row_that_another_hand_has_deleted_is_no_reason_to_wait(rabbitmq_server, db, queues,
                                                                  daemon):
    """The row goes between the daemon's look and its own delete: it looks again."""
    rabbitmq_server.publish(queues.customer, _customer("a", "A", "B"))
    rabbitmq_server.wait_until_empty(queues.customer)
    with db.admin() as connection, connection.transaction():
        connection.execute(f"DELETE FROM {_CHILD} WHERE position = 2")
        rabbitmq_server.publish(queues.customer, _customer("a", "A"))
        daemon.wait_until(lambda: db.value("SELECT count(*) FROM pg_stat_activity "
                                           "WHERE usename = 'kopru_daemon' "
                                           "AND wait_event_type = 'Lock'"),
                          30, "the daemon to wait for the row")
    rabbitmq_server.wait_until_empty(queues.customer)
    assert db.query(_MEDIUMS, "a") == [(1, "A")]
    assert daemon.events("quarantined") == []
    assert len(daemon.events("rows_not_written")) == 1


def test_a_swallowed_dead_letter_is_not_acknowledged(rabbitmq_server, db, queues, daemon,
                                                     endpoint):
    db.query(_FUNCTION.format("BEGIN RETURN NULL; END")
             + "CREATE TRIGGER site_rule BEFORE INSERT ON kopru.dead_letters FOR EACH ROW "
               "EXECUTE FUNCTION public.site_rule();")
    rabbitmq_server.publish_many(queues.customer, [b"not JSON", _customer("a", "A")])
    (line, *_) = daemon.wait_for_event("paused")
    assert (line["subject"], line["level"]) == ("kopru.dead_letters", "error")
    assert "trigger site_rule" in line["hint"]
    endpoint.wait_until_readyz(daemon, 503, "kopru.dead_letters", "site_rule")
    assert rabbitmq_server.depth(queues.customer).unacked >= 1
    db.query(_DROP)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert [row["body"] for row in read_dead_letters(db)] == [b"not JSON"]
    assert _ids(db) == {"a"}


def test_a_swallowed_renewal_is_no_lost_lease(rabbitmq_server, db, queues, daemon, endpoint):
    db.query(_FUNCTION.format("BEGIN RETURN NULL; END")
             + "CREATE TRIGGER site_rule BEFORE UPDATE ON kopru.queues FOR EACH ROW "
               "EXECUTE FUNCTION public.site_rule();")
    (line, *_) = daemon.wait_for_event("paused")
    assert (line["subject"], line["level"]) == ("kopru.queues", "error")
    assert "trigger site_rule" in line["hint"]
    endpoint.wait_until_readyz(daemon, 503, "kopru.queues", "site_rule")
    assert daemon.events("lease_lost") == []
    db.query(_DROP)
    rabbitmq_server.publish(queues.customer, _customer("a", "A"))
    rabbitmq_server.wait_until_empty(queues.customer)
    endpoint.wait_until_readyz(daemon, 200)
    assert _ids(db) == {"a"}


@pytest.mark.parametrize("event", ["INSERT", "UPDATE"])
def test_a_lease_that_cannot_be_acquired_says_why(rabbitmq_server, db, queues, kopru, event):
    db.query(_FUNCTION.format("BEGIN RETURN OLD; END")  # for an INSERT that is null
             + f"CREATE TRIGGER site_rule BEFORE {event} ON kopru.queues FOR EACH ROW "
               "EXECUTE FUNCTION public.site_rule();")
    daemon = kopru(start=False, quarantine=_KEEP)
    daemon.launch()
    (line, *_) = daemon.wait_for_event("paused")
    assert line["subject"] == "kopru.queues" and "trigger site_rule" in line["hint"]
    assert daemon.events("lease_acquired") == []
    db.query(_DROP)
    daemon.wait_until_ready()
    rabbitmq_server.publish(queues.customer, _customer("a", "A"))
    rabbitmq_server.wait_until_empty(queues.customer)
