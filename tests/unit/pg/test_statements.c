#include "pg/statements.h"

#include "pg/binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct column ROOT_COLUMNS[] = { { "id", VALUE_TEXT },
                                              { "price", VALUE_NUMERIC },
                                              { "extra", VALUE_JSONB } };
static const struct column CHILD_COLUMNS[] = {
    { "id", VALUE_TEXT }, { "n", VALUE_INTEGER }, { "day", VALUE_DATE }, { "extra", VALUE_JSONB }
};
static const struct child_set SET = { "list" };
static const struct child CHILD = { .table = { "parts", CHILD_COLUMNS, 4, 2, 3 },
                                    .sets = &SET,
                                    .set_count = 1 };
static const struct entity ENTITY = { .name = "thing",
                                      .root = { "things", ROOT_COLUMNS, 3, 1, 2 },
                                      .children = &CHILD,
                                      .child_count = 1,
                                      .set_count = 1 };

static struct pg_statements statements;

static int set_up(void **state)
{
    (void)state;
    return pg_statements_init(&statements, &ENTITY);
}

static int tear_down(void **state)
{
    (void)state;
    pg_statements_release(&statements);
    return 0;
}

static void new_roots_make_way_for_stored_ones(void **state)
{
    (void)state;
    assert_string_equal(statements.insert.name, "kopru_insert_things");
    assert_string_equal(
        statements.insert.sql,
        "INSERT INTO kopru.things (id, price, extra, payload_hash, source_time, created_at, "
        "updated_at)\n"
        "SELECT i.id, i.price, i.extra, i.payload_hash, i.source_time, now(), now()\n"
        "FROM unnest($1::text[], $2::numeric[], $3::jsonb[], $4::bytea[], $5::timestamptz[])\n"
        "  AS i(id, price, extra, payload_hash, source_time)\n"
        "ON CONFLICT (id) DO NOTHING\n"
        "RETURNING id");
    assert_int_equal(statements.insert.param_count, 3 + ROOT_INSERT_MORE);
}

static void stored_roots_are_written_by_their_key(void **state)
{
    (void)state;
    assert_string_equal(statements.write.name, "kopru_write_things");
    assert_string_equal(
        statements.write.sql,
        "INSERT INTO kopru.things (id, price, extra, payload_hash, source_time, created_at, "
        "updated_at)\n"
        "SELECT i.id, i.price, i.extra, i.payload_hash, i.source_time, now(),"
        " CASE WHEN i.touched THEN greatest(now(), i.updated_at) ELSE i.updated_at END\n"
        "FROM unnest($1::text[], $2::numeric[], $3::jsonb[], $4::bytea[], $5::timestamptz[], "
        "$6::timestamptz[],"
        " $7::boolean[])\n"
        "  AS i(id, price, extra, payload_hash, source_time, updated_at, touched)\n"
        "ON CONFLICT (id) DO UPDATE SET price = excluded.price, extra = excluded.extra,"
        " payload_hash = excluded.payload_hash, source_time = excluded.source_time,"
        " updated_at = excluded.updated_at\n"
        "RETURNING id");
    assert_int_equal(statements.write.param_count, 3 + ROOT_WRITE_MORE);
    assert_int_equal(statements.write.param_types[1], 1231);
}

static void roots_are_locked_in_the_order_of_batches(void **state)
{
    (void)state;
    assert_string_equal(
        statements.load.sql,
        "SELECT t.id, t.price::text, t.extra::text, t.payload_hash, t.source_time, t.updated_at\n"
        "FROM kopru.things AS t\nWHERE t.id = ANY ($1::text[])\n"
        "ORDER BY t.id COLLATE \"C\" FOR NO KEY UPDATE OF t");
    assert_string_equal(statements.load_partitioned.name, "kopru_load_partitioned_things");
    assert_string_equal(
        statements.load_partitioned.sql,
        "SELECT t.id, t.price::text, t.extra::text, t.payload_hash, t.source_time, t.updated_at\n"
        "FROM unnest($1::text[]) AS i(id)\nJOIN kopru.things AS t ON t.id = i.id\n"
        "ORDER BY t.id COLLATE \"C\" FOR NO KEY UPDATE OF t");
    assert_int_equal(statements.load.param_count, 1);
}

static void children_are_written_and_removed_by_their_whole_key(void **state)
{
    const struct pg_child_statements *child = &statements.children[0];

    (void)state;
    assert_string_equal(
        child->write.sql,
        "INSERT INTO kopru.parts (id, n, day, extra)\nSELECT i.id, i.n, i.day, i.extra\n"
        "FROM unnest($1::text[], $2::integer[], $3::date[], $4::jsonb[])\n"
        "  AS i(id, n, day, extra)\n"
        "ON CONFLICT (id, n) DO UPDATE SET day = excluded.day, extra = excluded.extra\n"
        "RETURNING id, n");
    assert_string_equal(
        child->remove.sql,
        "DELETE FROM kopru.parts AS t\nUSING unnest($1::text[], $2::integer[])\n  AS i(id, n)\n"
        "WHERE (t.id, t.n) = (i.id, i.n)\n"
        "RETURNING 1");
    assert_string_equal(child->seek.sql,
                        "SELECT count(*)\nFROM unnest($1::text[], $2::integer[])\n  AS i(id, n)\n"
                        "JOIN kopru.parts AS t ON (t.id, t.n) = (i.id, i.n)");
    assert_string_equal(child->load.sql,
                        "SELECT t.id, t.n, t.day, t.extra::text\nFROM kopru.parts AS t\n"
                        "WHERE t.id = ANY ($1::text[])");
    assert_string_equal(child->load_partitioned.sql,
                        "SELECT t.id, t.n, t.day, t.extra::text\n"
                        "FROM unnest($1::text[]) AS i(id)\nJOIN kopru.parts AS t ON t.id = i.id");
    assert_string_equal(child->copy.sql,
                        "COPY kopru.parts (id, n, day, extra) FROM STDIN (FORMAT binary)");
}

static void a_root_is_found_by_the_one_before_it(void **state)
{
    (void)state;
#define NEXT(table)                                                                                \
    "SELECT id\nFROM kopru." table "\nWHERE id > $1::text AND octet_length(id) <= 255"             \
    " AND NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid IN"                              \
    " (SELECT 'kopru." table "'::regclass UNION ALL SELECT relid"                                  \
    " FROM pg_partition_tree('kopru." table "'::regclass))"                                        \
    " AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 16 <> 0"                        \
    " AND pg_get_triggerdef(g.oid) ~ '[( ]old[.]')\nORDER BY id LIMIT 1"
    assert_string_equal(statements.next.sql, NEXT("things"));
    assert_string_equal(statements.children[0].next.sql, NEXT("parts"));
    assert_int_equal(statements.next.param_count, 1);
    assert_int_equal(statements.next.param_types[0], TEXT_OID);
}

static void triggers_of_all_tables_are_asked_for(void **state)
{
    (void)state;
    assert_string_equal(
        statements.foreign.sql,
        "SELECT c.relkind = 'p', true\n"
        "FROM pg_class AS c WHERE c.oid IN ('kopru.things'::regclass, 'kopru.parts'::regclass)"
        " AND (c.relkind <> 'r' OR c.relhasrules OR c.relrowsecurity"
        " OR EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal"
        " AND t.tgenabled <> 'D'))");
    assert_string_equal(
        statements.foreign_partitioned.sql,
        "SELECT c.relkind = 'p', c.relkind NOT IN ('r', 'p') OR c.relhasrules OR c.relrowsecurity"
        " OR EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal"
        " AND t.tgenabled <> 'D') OR c.relkind = 'p' AND EXISTS (SELECT FROM pg_inherits AS h"
        " JOIN pg_class AS p ON p.oid = h.inhrelid WHERE h.inhparent = c.oid AND (p.relkind <> 'r'"
        " OR EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = p.oid AND NOT t.tgisinternal"
        " AND t.tgenabled <> 'D')))\n"
        "FROM pg_class AS c WHERE c.oid IN ('kopru.things'::regclass, 'kopru.parts'::regclass)"
        " AND (c.relkind <> 'r' OR c.relhasrules OR c.relrowsecurity"
        " OR EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal"
        " AND t.tgenabled <> 'D'))");
    assert_int_equal(statements.foreign.param_count, 0);
}

static void what_writes_names_its_table(void **state)
{
    const struct pg_child_statements *child = &statements.children[0];

    (void)state;
    assert_string_equal(statements.insert.writes, "things");
    assert_string_equal(statements.write.writes, "things");
    assert_string_equal(child->write.writes, "parts");
    assert_string_equal(child->remove.writes, "parts");
    assert_string_equal(child->copy.writes, "parts");
    assert_null(statements.find.writes);
    assert_null(statements.load.writes);
    assert_null(child->load.writes);
    assert_null(child->seek.writes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_roots_make_way_for_stored_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stored_roots_are_written_by_their_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(roots_are_locked_in_the_order_of_batches, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(children_are_written_and_removed_by_their_whole_key, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_root_is_found_by_the_one_before_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(triggers_of_all_tables_are_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_writes_names_its_table, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
