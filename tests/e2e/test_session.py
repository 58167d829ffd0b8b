"""What a site has set for its roles and databases does not change what kopru's transactions do."""

import json

import pytest
from support.database import DAEMON
from support.postgres import major_version
from support.tables import read_dead_letters

pytestmark = pytest.mark.matrix

# A trigger sees a transaction from the inside. It is the site's, so it may write into a table of
# its own.
_SEEN = """
CREATE TABLE public.seen (name text, value text);
GRANT INSERT ON public.seen TO PUBLIC;
CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.seen SELECT s.name, current_setting(s.name, true) FROM unnest(ARRAY[
        'synchronous_commit', 'TimeZone', 'DateStyle', 'statement_timeout', 'lock_timeout',
        'idle_in_transaction_session_timeout', 'transaction_timeout',
        'transaction_isolation']) AS s(name);
    RETURN NULL;
END $$;
CREATE TRIGGER see AFTER INSERT ON kopru.customers FOR EACH STATEMENT EXECUTE FUNCTION public.see();
"""

# Of a site that wants something else everywhere.
_SITE = {"TimeZone": "Asia/Tokyo", "DateStyle": "SQL, DMY", "statement_timeout": "1d",
         "lock_timeout": "1d",
         "idle_in_transaction_session_timeout": "1d",
         "default_transaction_isolation": "serializable",
         "enable_indexscan": "off", "enable_bitmapscan": "off"}
_KNOWS_TRANSACTION_TIMEOUT = major_version() >= 17
if _KNOWS_TRANSACTION_TIMEOUT:
    _SITE["transaction_timeout"] = "1d"


# Off would let an acknowledged message be lost; what is weaker or stronger otherwise is the site's
# decision.
@pytest.mark.parametrize(("set_by_site", "used"), [("off", "on"), ("on", "on"), ("local", "local"),
                                                   ("remote_apply", "remote_apply")])
def test_a_transaction_has_its_own_settings(rabbitmq_server, db, queues, kopru, set_by_site, used):
    db.query(_SEEN)
    for name, value in {**_SITE, "synchronous_commit": set_by_site}.items():
        db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET {name} = '{value}'")
    kopru(postgres={"statement_timeout": 7, "lock_timeout": 3})
    rabbitmq_server.publish(queues.customer, json.dumps({"id": "1"}).encode())
    rabbitmq_server.wait_until_empty(queues.customer)
    assert dict(db.query("SELECT name, value FROM public.seen")) == {
        "synchronous_commit": used, "TimeZone": "UTC", "DateStyle": "ISO, DMY",
        "statement_timeout": "7s", "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "7s",
        "transaction_timeout": "0" if _KNOWS_TRANSACTION_TIMEOUT else None,
        "transaction_isolation": "read committed"}


@pytest.mark.skipif(not _KNOWS_TRANSACTION_TIMEOUT, reason="transaction_timeout is new in 17")
def test_a_transaction_timeout_of_the_role_does_not_end_the_session(rabbitmq_server, db, queues,
                                                                    kopru):
    db.query("CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$")
    db.query("CREATE TRIGGER dawdle AFTER INSERT ON kopru.customers "
             "FOR EACH STATEMENT EXECUTE FUNCTION public.dawdle()")
    db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET transaction_timeout = '1500ms'")
    daemon = kopru()
    rabbitmq_server.publish(queues.customer, json.dumps({"id": "1"}).encode())
    rabbitmq_server.wait_until_empty(queues.customer)
    assert daemon.events("database_unavailable") == []


def test_one_refused_row_does_not_cost_the_session(rabbitmq_server, db, queues, kopru):
    """With exit_on_error each error ends the session, and looks as if the server had gone."""
    db.query(f"ALTER ROLE {DAEMON} IN DATABASE {db.name} SET exit_on_error = 'on'")
    db.query("ALTER TABLE kopru.customers ADD CHECK (status <> 'bad')")
    kopru()
    bodies = [json.dumps({"id": str(n), "status": "bad" if n == 20 else "good"}).encode()
              for n in range(40)]
    rabbitmq_server.publish_many(queues.customer, bodies)
    rabbitmq_server.wait_until_empty(queues.customer)
    assert [row["entity_id"] for row in read_dead_letters(db)] == ["20"]
    assert db.value("SELECT count(*) FROM kopru.customers") == 39
