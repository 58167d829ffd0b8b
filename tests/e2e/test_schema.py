"""The schema that the migrations make: the contract of the tables, and who may do what."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors
from support import database
from support.database import DAEMON, Database
from support.postgres import Postgres

pytestmark = pytest.mark.matrix

ROOTS = ["customers", "subscriptions"]
CHILDREN = ["contact_mediums", "subscription_characteristics", "engaged_parties"]
VIEW = "engaged_parties_without_customer"

INSTANT = "timestamp with time zone"
SIDECAR = [("extra", "jsonb"), ("payload_hash", "bytea"), ("source_time", INSTANT),
           ("created_at", INSTANT), ("updated_at", INSTANT)]

# The contract of the tables, written by hand: others script against these names and types.
COLUMNS = {
    "customers": [("customer_id", "text"), ("status", "text"), ("name", "text"), *SIDECAR],
    "contact_mediums": [
        ("customer_id", "text"), ("position", "integer"), ("medium_type", "text"),
        ("preferred", "boolean"),
        ("contact_type", "text"), ("city", "text"), ("state_or_province", "text"),
        ("country", "text"),
        ("post_code", "text"), ("street1", "text"), ("street2", "text"), ("phone_number", "text"),
        ("fax_number", "text"), ("email_address", "text"), ("social_network_id", "text"),
        ("valid_from", INSTANT),
        ("valid_to", INSTANT), ("valid_from_date", "date"), ("valid_to_date", "date"),
        ("extra", "jsonb")],
    "subscriptions": [
        ("subscription_id", "text"), ("agreement_type", "text"), ("document_number", "text"),
        ("name", "text"),
        ("status", "text"), ("completion_start", INSTANT), ("completion_end", INSTANT),
        ("completion_start_date", "date"), ("completion_end_date", "date"), *SIDECAR],
    "subscription_characteristics": [
        ("subscription_id", "text"), ("bag", "text"), ("name", "text"), ("occurrence", "integer"),
        ("value_type", "text"), ("value", "text"), ("value_numeric", "numeric"),
        ("value_date", "date"),
        ("value_timestamp", INSTANT), ("value_boolean", "boolean"), ("extra", "jsonb")],
    "engaged_parties": [
        ("subscription_id", "text"), ("customer_id", "text"), ("occurrence", "integer"),
        ("name", "text"),
        ("role", "text"), ("referred_type", "text"), ("extra", "jsonb")],
    "dead_letters": [
        ("dead_letter_id", "bigint"), ("queue", "text"), ("entity", "text"), ("entity_id", "text"),
        ("reason", "text"),
        ("detail", "text"), ("sqlstate", "text"), ("body", "bytea"), ("body_sha256", "bytea"),
        ("content_type", "text"), ("message_id", "text"), ("properties", "jsonb"),
        ("redelivered", "boolean"),
        ("occurrences", "bigint"), ("first_seen_at", INSTANT), ("last_seen_at", INSTANT),
        ("status", "text"),
        ("resolved_at", INSTANT), ("resolved_by", "text")],
    "queues": [
        ("queue", "text"), ("entity", "text"), ("root_table", "text"), ("entity_since", INSTANT),
        ("epoch", "bigint"), ("holder", "text"), ("instance", "text"), ("state", "text"),
        ("renewed_at", INSTANT),
        ("last_message_at", INSTANT), ("last_commit_at", INSTANT), ("returns", "bigint"),
        ("mapping_doubt", "text")],
    "schema_version": [
        ("version", "integer"), ("name", "text"), ("min_kopru_version", "text"),
        ("applied_at", INSTANT)],
}
INDEXES = {
    "customers_pkey": "(customer_id)",
    "contact_mediums_pkey": '(customer_id, "position")',
    "subscriptions_pkey": "(subscription_id)",
    "subscription_characteristics_pkey": "(subscription_id, bag, name, occurrence)",
    "engaged_parties_pkey": "(subscription_id, customer_id, occurrence)",
    "engaged_parties_customer_id_idx": "(customer_id)",
    "dead_letters_pkey": "(dead_letter_id)",
    "dead_letters_open_body_key": "(queue, body_sha256) WHERE (status = 'open'::text)",
    "queues_pkey": "(queue)",
    "schema_version_pkey": "(version)",
}

ANALYST = "analyst"  # in kopru_reader_pii
VIEWER = "viewer"  # in kopru_reader
NOBODY = "nobody"  # in no role


@pytest.fixture(scope="module")
def shared(postgres_server: Postgres) -> Iterator[Database]:
    """One installed database for all tests here: they only look, or roll back what they did."""
    made = database.create_installed(postgres_server)
    with made.admin() as connection:
        for login, role in ((ANALYST, "IN ROLE kopru_reader_pii"), (VIEWER, "IN ROLE kopru_reader"),
                            (NOBODY, "")):
            connection.execute(f"CREATE ROLE {login} LOGIN {role}")
            connection.execute(f"GRANT CONNECT ON DATABASE {made.name} TO {login}")
        connection.execute("CREATE SCHEMA billing CREATE TABLE invoices (id integer)")
    yield made
    made.drop()
    with postgres_server.admin() as connection:
        connection.execute(f"DROP ROLE {ANALYST}, {VIEWER}, {NOBODY}")


@pytest.fixture
def admin(shared: Database) -> Iterator[psycopg.Connection]:
    """A superuser's connection whose work is rolled back."""
    with psycopg.connect(shared.admin_dsn) as connection:
        yield connection
        connection.rollback()


def allowed(shared: Database, user: str, statement: str) -> bool:
    """Whether the user may run the statement; rolled back."""
    with psycopg.connect(shared.server.dsn(shared.name, user)) as connection:
        try:
            connection.execute(statement)
        except errors.InsufficientPrivilege:
            return False
        finally:
            connection.rollback()
    return True


def test_columns_are_those_of_the_contract(shared: Database):
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, data_type in shared.query("""
            SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
            FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relnamespace = 'kopru'::regnamespace AND c.relkind IN ('r', 'p')
              AND NOT c.relispartition
            ORDER BY c.relname, a.attnum"""):
        found.setdefault(table, []).append((column, data_type))
    assert found == COLUMNS


def test_indexes_are_the_documented_ones_and_no_more(shared: Database):
    """An index on a column that changes would cost every update its HOT path."""
    found = dict(shared.query("SELECT indexname, regexp_replace(indexdef, '^.* USING btree ', '') "
                              "FROM pg_indexes JOIN pg_class ON relname = tablename "
                              "AND relnamespace = 'kopru'::regnamespace "
                              "WHERE schemaname = 'kopru' AND NOT relispartition"))
    assert found == INDEXES


def test_every_table_has_a_primary_key_and_one_owner(shared: Database):
    assert shared.query("""
        SELECT relname FROM pg_class AS c
        WHERE relnamespace = 'kopru'::regnamespace AND relkind IN ('r', 'p')
          AND NOT EXISTS (
              SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p')""") == []
    assert shared.query("SELECT DISTINCT relowner::regrole::text FROM pg_class "
                        "WHERE relnamespace = 'kopru'::regnamespace") == [("kopru_owner",)]
    owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'kopru'"
    assert shared.value(owner) == "kopru_owner"


def test_everything_has_a_comment(shared: Database):
    assert shared.query("SELECT obj_description('kopru'::regnamespace, 'pg_namespace') "
                        "IS NOT NULL") == [(True,)]
    assert shared.query("""
        SELECT c.relname, a.attname
        FROM pg_class AS c
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'kopru'::regnamespace AND c.relkind IN ('r', 'p', 'v')
          AND NOT c.relispartition
          AND (coalesce(obj_description(c.oid, 'pg_class'), '') = ''
               OR coalesce(col_description(c.oid, a.attnum), '') = '')""") == []


@pytest.mark.parametrize("table, column", [
    ("contact_mediums", "valid_from"), ("contact_mediums", "valid_to"),
    ("subscriptions", "completion_start"),
    ("subscriptions", "completion_end"), ("subscription_characteristics", "value_timestamp")])
def test_comments_say_what_a_bare_date_becomes(shared: Database, table: str, column: str):
    [(comment,)] = shared.query(f"SELECT col_description(attrelid, attnum) FROM pg_attribute "
                                f"WHERE attrelid = 'kopru.{table}'::regclass AND attname = "
                                f"'{column}'")
    assert "bare date" in comment and "midnight in the ERP's time zone" in comment


def test_children_go_with_their_root_and_need_it(admin: psycopg.Connection):
    admin.execute("INSERT INTO kopru.customers (customer_id) VALUES ('c')")
    admin.execute("INSERT INTO kopru.contact_mediums (customer_id, position) VALUES ('c', "
                  "1), ('c', 2)")
    admin.execute("INSERT INTO kopru.subscriptions (subscription_id) VALUES ('s')")
    admin.execute("INSERT INTO kopru.subscription_characteristics (subscription_id, bag, name, "
                  "occurrence) "
                  "VALUES ('s', 'characteristic', 'STAGE', 1), ('s', 'properties', 'STAGE', 1)")
    admin.execute("INSERT INTO kopru.engaged_parties (subscription_id, customer_id, occurrence) "
                  "VALUES ('s', 'c', 1)")
    admin.execute("DELETE FROM kopru.customers")
    admin.execute("DELETE FROM kopru.subscriptions WHERE subscription_id <> 's'")
    assert [admin.execute(f"SELECT count(*) FROM kopru.{table}").fetchone()[0]
            for table in CHILDREN] == [0, 2, 1]
    admin.execute("DELETE FROM kopru.subscriptions")
    assert [admin.execute(f"SELECT count(*) FROM kopru.{table}").fetchone()[0]
            for table in CHILDREN] == [0, 0, 0]
    with pytest.raises(errors.ForeignKeyViolation):
        admin.execute("INSERT INTO kopru.contact_mediums (customer_id, position) VALUES ('c', 1)")


def test_the_view_lists_parties_until_their_customer_comes(admin: psycopg.Connection):
    admin.execute("INSERT INTO kopru.subscriptions (subscription_id) VALUES ('s')")
    admin.execute("INSERT INTO kopru.engaged_parties (subscription_id, customer_id, occurrence) "
                  "VALUES ('s', 'here', 1), ('s', 'missing', 1), ('s', 'missing', 2)")
    admin.execute("INSERT INTO kopru.customers (customer_id) VALUES ('here')")
    view = f"SELECT * FROM kopru.{VIEW} ORDER BY customer_id, occurrence"
    assert admin.execute(view).fetchall() == [("s", "missing", 1), ("s", "missing", 2)]
    admin.execute("INSERT INTO kopru.customers (customer_id) VALUES ('missing')")
    assert admin.execute(view).fetchall() == []


def test_a_dead_letter_is_counted_while_open_and_new_once_resolved(admin: psycopg.Connection):
    arrive = """
        INSERT INTO kopru.dead_letters (queue, entity, reason, body, body_sha256, redelivered)
        VALUES (%s, 'customer', 'a reason of a newer kopru', %s, sha256(%s), false)
        ON CONFLICT (queue, body_sha256) WHERE status = 'open'
        DO UPDATE SET occurrences = dead_letters.occurrences + excluded.occurrences"""
    body = b"\x00\xff not text"
    for queue in ("q1", "q1", "q2"):
        admin.execute(arrive, (queue, body, body))
    dead_letters = ("SELECT queue, occurrences, status FROM kopru.dead_letters "
                    "ORDER BY dead_letter_id")
    assert admin.execute(dead_letters).fetchall() == [("q1", 2, "open"), ("q2", 1, "open")]
    admin.execute("UPDATE kopru.dead_letters SET status = 'discarded', resolved_at = now() WHERE "
                  "queue = 'q1'")
    admin.execute(arrive, ("q1", body, body))
    assert sorted(admin.execute(dead_letters).fetchall()) == [
        ("q1", 1, "open"), ("q1", 2, "discarded"), ("q2", 1, "open")]
    with pytest.raises(errors.CheckViolation):
        admin.execute("UPDATE kopru.dead_letters SET status = 'lost'")


def test_the_daemon_writes_rows_of_the_five_tables_and_deletes_those_of_children(shared: Database):
    with psycopg.connect(shared.daemon_dsn) as connection:
        for table, values in [
                ("customers (customer_id)", "('c')"),
                ("contact_mediums (customer_id, position)", "('c', 1)"),
                ("subscriptions (subscription_id)", "('s')"),
                ("subscription_characteristics (subscription_id, bag, name, occurrence)",
                 "('s', 'properties', 'n', 1)"),
                ("engaged_parties (subscription_id, customer_id, occurrence)", "('s', 'c', 1)")]:
            connection.execute(f"INSERT INTO kopru.{table} VALUES {values}")
        for table in [*CHILDREN, *ROOTS]:
            changed = connection.execute(f"UPDATE kopru.{table} SET extra = '{{\"k\": 1}}' "
                                         "RETURNING extra").fetchall()
            assert changed == [({"k": 1},)], table
        for table in CHILDREN:
            deleted = connection.execute(f"DELETE FROM kopru.{table} RETURNING extra").fetchall()
            assert deleted == [({"k": 1},)], table
        connection.rollback()


def test_the_daemon_keeps_dead_letters_and_queues(shared: Database):
    with psycopg.connect(shared.daemon_dsn) as connection:
        connection.execute("INSERT INTO kopru.dead_letters (queue, entity, reason, body, "
                           "body_sha256, redelivered) "
                           "VALUES ('q', 'customer', 'not_json', '', sha256(''), false)")
        connection.execute("UPDATE kopru.dead_letters SET status = 'replayed', resolved_at = now()")
        connection.execute("INSERT INTO kopru.queues (queue, entity) VALUES ('q', 'customer')")
        (before,), = connection.execute("SELECT epoch FROM kopru.queues")
        connection.execute("UPDATE kopru.queues SET epoch = epoch + 1, renewed_at = now()")
        assert connection.execute("SELECT epoch - %s FROM kopru.queues FOR KEY SHARE",
                                  (before,)).fetchall() == [(1,)]
        connection.rollback()
    assert allowed(shared, DAEMON, "SELECT version FROM kopru.schema_version")


@pytest.mark.parametrize("forbidden", [
    "CREATE TABLE kopru.more (id integer)",
    "CREATE SCHEMA more",
    "CREATE INDEX ON kopru.customers (status)",
    "CREATE TRIGGER t BEFORE INSERT ON kopru.customers EXECUTE FUNCTION "
    "suppress_redundant_updates_trigger()",
    "ALTER TABLE kopru.customers ADD COLUMN more text",
    "ALTER TABLE kopru.customers OWNER TO CURRENT_USER",
    "COMMENT ON TABLE kopru.customers IS 'mine'",
    "DROP TABLE kopru.contact_mediums",
    "DROP SCHEMA kopru CASCADE",
    *(f"TRUNCATE kopru.{table} CASCADE" for table in COLUMNS),
    *(f"DELETE FROM kopru.{table} WHERE false"
      for table in (*ROOTS, "dead_letters", "queues")),
    "INSERT INTO kopru.schema_version (version, name, min_kopru_version) VALUES (99, 'x', '0.1.0')",
    "UPDATE kopru.schema_version SET min_kopru_version = '0.0.0'",
    "DELETE FROM kopru.schema_version",
    "SELECT * FROM billing.invoices",
    "SET ROLE kopru_owner",
])
def test_the_daemon_may_not(shared: Database, forbidden: str):
    assert not allowed(shared, DAEMON, forbidden)


def test_the_daemon_cannot_pass_on_its_rights(shared: Database):
    with psycopg.connect(shared.daemon_dsn) as connection:
        connection.execute("GRANT SELECT ON kopru.customers TO PUBLIC")  # PostgreSQL only warns
        may_select = "SELECT has_table_privilege('public', 'kopru.customers', 'SELECT')"
        assert connection.execute(may_select).fetchone() == (False,)
        connection.rollback()


READABLE = [*ROOTS, *CHILDREN, VIEW, "queues", "schema_version"]


def test_reader_pii_reads_all_but_the_dead_letters(shared: Database):
    assert {table for table in [*COLUMNS, VIEW]
            if allowed(shared, ANALYST, f"SELECT * FROM kopru.{table}")} == \
        set(READABLE)
    for table, columns in COLUMNS.items():
        first = columns[0][0]
        for statement in (f"INSERT INTO kopru.{table} DEFAULT VALUES",
                          f"UPDATE kopru.{table} SET {first} = DEFAULT",
                          f"DELETE FROM kopru.{table}", f"TRUNCATE kopru.{table} CASCADE"):
            assert not allowed(shared, ANALYST, statement), statement


@pytest.mark.parametrize("user", [VIEWER, NOBODY])
def test_others_read_nothing(shared: Database, user: str):
    for table in [*COLUMNS, VIEW]:
        assert not allowed(shared, user, f"SELECT FROM kopru.{table}"), table


def test_public_has_nothing(shared: Database):
    assert shared.query("""
        SELECT what, privilege_type FROM (
            SELECT nspname::text, coalesce(nspacl, acldefault('n', nspowner))
            FROM pg_namespace WHERE nspname = 'kopru'
            UNION ALL
            SELECT relname, coalesce(relacl, acldefault(
                CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
            FROM pg_class WHERE relnamespace = 'kopru'::regnamespace AND relkind IN ('r', 'v', 'S')
            UNION ALL
            SELECT attname, attacl FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid AND relnamespace = 'kopru'::regnamespace
            UNION ALL
            SELECT proname, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
            WHERE pronamespace = 'kopru'::regnamespace
        ) AS object (what, acl) CROSS JOIN aclexplode(acl) WHERE grantee = 0""") == []


def test_public_may_not_execute_functions_that_come_later(admin: psycopg.Connection):
    admin.execute("SET ROLE kopru_owner")
    admin.execute("CREATE FUNCTION kopru.later() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    may_execute = "SELECT has_function_privilege('public', 'kopru.later()', 'EXECUTE')"
    assert admin.execute(may_execute).fetchone() == (False,)
