/*
 * A write set from its messages, through the rows that are stored, to what is to be written; and
 * what the writer is told about it.
 */
#include "pg/write_set.h"

#include "pg/statements.h"
#include "pg/store_report.h"
#include "pg/stored_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_BYTES = 1 << 16, ROOT_COLUMN_COUNT = 2, CHILD_COLUMN_COUNT = 4 };

static const struct column ROOT_COLUMNS[] = { { "id", VALUE_TEXT }, { "extra", VALUE_JSONB } };
static const struct column CHILD_COLUMNS[] = {
    { "id", VALUE_TEXT }, { "bag", VALUE_TEXT }, { "n", VALUE_INTEGER }, { "extra", VALUE_JSONB }
};
static const struct child_set SETS[] = { { "red" }, { "blue" } };
static const struct child CHILD = { .table = { "parts", CHILD_COLUMNS, CHILD_COLUMN_COUNT, 3, 3 },
                                    .sets = SETS,
                                    .set_count = 2,
                                    .has_set_column = true };
static const struct entity ENTITY = { .name = "thing",
                                      .root = { "things", ROOT_COLUMNS, ROOT_COLUMN_COUNT, 1, 1 },
                                      .children = &CHILD,
                                      .child_count = 1,
                                      .set_count = 2 };

/* What a message without any member but its id says. */
struct small_message {
    struct message message;
    struct change change;
    bool root_set[ROOT_COLUMN_COUNT];
    struct value root[ROOT_COLUMN_COUNT];
    bool set_present[2];
    struct row_set sets[2];
};

static struct message *say(struct small_message *small, const char *id, uint8_t hash)
{
    *small = (struct small_message){ .change = { .id = slice_of(id), .hash = { hash } } };
    small->root[0] = value_of_text(small->change.id);
    small->change.root_set = small->root_set;
    small->change.root = small->root;
    small->change.set_present = small->set_present;
    small->change.sets = small->sets;
    small->message.change = &small->change;
    return &small->message;
}

static PGresult *new_result(int columns)
{
    static char name[] = "column";
    PGresAttDesc attributes[8] = { 0 };
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    assert_non_null(result);
    for (int i = 0; i < columns; i++)
        attributes[i] = (PGresAttDesc){ .name = name, .format = 1 };
    assert_int_equal(PQsetResultAttrs(result, columns, attributes), 1);
    return result;
}

static void set_cell(PGresult *result, int row, int column, const char *bytes, int len)
{
    char copy[16];

    memcpy(copy, bytes, (size_t)len);
    assert_int_equal(PQsetvalue(result, row, column, copy, len), 1);
}

static void add_found(PGresult *result, int row, char ordinal, char identical)
{
    const char number[] = { 0, 0, 0, ordinal };

    set_cell(result, row, 0, number, sizeof(number));
    set_cell(result, row, 1, &identical, 1);
}

static void add_root(PGresult *result, int row, const char *id, char updated_at)
{
    const char number[] = { 0, 0, 0, 0, 0, 0, 0, updated_at };

    set_cell(result, row, 0, id, (int)strlen(id));
    set_cell(result, row, 1, "{}", 2);
    set_cell(result, row, ROOT_COLUMN_COUNT + ROOT_LOAD_UPDATED_AT, number, sizeof(number));
}

static void add_child(PGresult *result, int row, const char *id, const char *bag, char n)
{
    const char number[] = { 0, 0, 0, n };

    set_cell(result, row, 0, id, (int)strlen(id));
    set_cell(result, row, 1, bag, (int)strlen(bag));
    set_cell(result, row, 2, number, sizeof(number));
    set_cell(result, row, 3, "{}", 2);
}

/* "a" twice, a refused message, "b", another refused one. */
struct batch {
    struct small_message small[5];
    struct message *messages[5];
    struct write_request request;
    struct write_set set;
};

static int set_up(void **state)
{
    static struct batch batch;

    memset(&batch, 0, sizeof(batch));
    batch.messages[0] = say(&batch.small[0], "a", 1);
    batch.messages[1] = say(&batch.small[1], "a", 1);
    batch.messages[2] = say(&batch.small[2], "a", 2);
    batch.messages[2]->refused = true;
    batch.messages[3] = say(&batch.small[3], "b", 3);
    batch.messages[4] = say(&batch.small[4], "c", 4);
    batch.messages[4]->refused = true;
    batch.request = (struct write_request){ batch.messages, 5, false };
    *state = &batch;
    return write_set_init(&batch.set, &ENTITY, &batch.request, MAX_BYTES);
}

static int tear_down(void **state)
{
    struct batch *batch = *state;

    write_set_release(&batch->set);
    return 0;
}

static void messages_are_grouped_and_refused_ones_are_dead_letters(void **state)
{
    const struct batch *batch = *state;
    const struct write_set *set = &batch->set;

    assert_int_equal(set->count, 2);
    assert_int_equal(set->entities[0].count, 2);
    assert_ptr_equal(set->entities[0].messages[1], batch->messages[1]);
    assert_true(slice_is(set->entities[1].id, "b"));
    assert_int_equal(set->entities[1].count, 1);
    assert_int_equal(set->dead_letter_count, 2);
    assert_ptr_equal(set->dead_letters[0], batch->messages[2]);
    assert_ptr_equal(set->dead_letters[1], batch->messages[4]);
}

static void a_group_is_a_repetition_only_if_its_messages_are_alike(void **state)
{
    struct batch *batch = *state;
    const struct write_set_entity *entity = &batch->set.entities[0];

    assert_int_equal(write_set_entity_hash(entity)[0], 1);
    batch->small[1].change.hash[0] = 9;
    assert_null(write_set_entity_hash(entity));
}

static void the_newest_time_of_a_group_counts(void **state)
{
    struct batch *batch = *state;
    const struct write_set_entity *entity = &batch->set.entities[0];
    int64_t time;

    assert_false(write_set_entity_time(entity, &time));
    batch->small[0].change.has_time = true;
    batch->small[0].change.source_time_pg_us = -5;
    assert_true(write_set_entity_time(entity, &time));
    assert_int_equal(time, -5);
    batch->small[1].change.has_time = true;
    batch->small[1].change.source_time_pg_us = -7;
    assert_true(write_set_entity_time(entity, &time));
    assert_int_equal(time, -5);
}

static void what_is_found_is_marked_by_its_ordinal(void **state)
{
    struct batch *batch = *state;
    PGresult *found = new_result(2);

    add_found(found, 0, 2, 1);
    stored_rows_mark_found(&batch->set, found);
    PQclear(found);
    assert_false(batch->set.entities[0].stored);
    assert_true(batch->set.entities[1].stored);
    assert_true(batch->set.entities[1].identical);
}

static void rows_go_to_their_entity_in_any_order(void **state)
{
    struct batch *batch = *state;
    struct write_set *set = &batch->set;
    PGresult *roots = new_result(ROOT_COLUMN_COUNT + ROOT_LOAD_MORE);
    PGresult *children = new_result(CHILD_COLUMN_COUNT);

    add_root(roots, 0, "b", 6);
    add_root(roots, 1, "unknown", 7);
    add_child(children, 0, "b", "blue", 1);
    add_child(children, 1, "a", "red", 2); /* its root was not read */
    add_child(children, 2, "b", "green", 3);
    add_child(children, 3, "b", "blue", 4);
    add_child(children, 4, "unknown", "red", 5);
    add_child(children, 5, "b", "red", 6);
    add_child(children, 6, "b", "blue", 7);
    assert_int_equal(stored_rows_read_roots(set, roots), 0);
    assert_int_equal(stored_rows_read_children(set, 0, children), 0);
    PQclear(roots);
    PQclear(children);
    assert_false(set->entities[0].loaded);
    assert_true(set->entities[1].loaded);
    assert_int_equal(set->entities[1].updated_at_pg_us, 6);
    assert_int_equal(set->entities[1].before.sets[0].count, 1);
    assert_int_equal(set->entities[1].before.sets[1].count, 3);
    assert_int_equal(set->entities[1].before.sets[1].rows[2][2].number, 7);
}

static void new_roots_are_written_and_identical_ones_are_not(void **state)
{
    struct batch *batch = *state;
    struct write_set *set = &batch->set;

    set->entities[1].stored = true;
    set->entities[1].identical = true;
    assert_int_equal(write_set_fold(set), 0);
    assert_true(set->entities[0].difference.root);
    assert_false(set->entities[0].before.exists);
    assert_false(set->entities[1].difference.root);
    assert_int_equal(set->stale, 0);
}

/* The second of two messages of "a" and the only one of "b" add a name; the bound is two bytes. */
static void what_would_make_extra_too_large_is_a_dead_letter(void **state)
{
    struct batch *batch = *state;
    struct write_set *set = &batch->set;
    struct json_pair leftover = { SLICE_LITERAL("x"), SLICE_LITERAL("1") };
    struct write_set_entity *a = &set->entities[0];
    struct message *refused = a->messages[1];
    size_t dead_letters = set->dead_letter_count;

    refused->change->leftovers = &leftover;
    refused->change->leftover_count = 1;
    set->entities[1].messages[0]->change->leftovers = &leftover;
    set->entities[1].messages[0]->change->leftover_count = 1;
    set->max_extra_bytes = 2;
    refused->change->hash[0] = 9;
    assert_int_equal(write_set_fold(set), 0);
    assert_int_equal(set->too_large_count, 2);
    assert_int_equal(set->dead_letter_count, dead_letters + 2);
    assert_ptr_equal(set->dead_letters[dead_letters], refused);
    assert_true(refused->refused);
    assert_int_equal(refused->refusal.reason, REFUSAL_TOO_LARGE);
    assert_string_equal(refused->refusal.detail,
                        "with it, extra of its row in things would take more than 2 bytes (4 x "
                        "limits.max_message_bytes)");
    assert_true(a->difference.root);
    assert_int_equal(a->after.hash[0], a->messages[0]->change->hash[0]);
    assert_false(set->entities[1].difference.root);
    write_set_take_back(set);
    assert_false(refused->refused);
    assert_int_equal(set->dead_letter_count, dead_letters);
}

static void a_set_without_memory_fails(void **state)
{
    struct batch *batch = *state;
    struct write_set small;

    assert_int_equal(write_set_init(&small, &ENTITY, &batch->request, 16), -1);
    write_set_release(&small);
}

static struct write_report report_of(struct batch *batch, const struct pg_statements *statements,
                                     const struct pg_failure *failure)
{
    const struct pg_store_target target = { .statements = statements };
    struct store_transaction tx = { .target = &target, .set = batch->set, .failure = *failure };
    struct write_report report = { 0 };

    store_judge(&tx);
    store_fill_report(&report, &tx);
    return report;
}

static void a_report_says_what_failed_and_whether_it_was_too_much(void **state)
{
    struct pg_statements statements;
    struct write_report report;

    assert_int_equal(pg_statements_init(&statements, &ENTITY), 0);
    report = report_of(*state, &statements, &(struct pg_failure){ .sqlstate = "57014" });
    assert_true(report.too_much);
    assert_string_equal(report.sqlstate, "57014");
    report = report_of(*state, &statements, &(struct pg_failure){ .timed_out = true });
    assert_true(report.too_much);
    assert_false(report.gave_up);
    report = report_of(*state, &statements,
                       &(struct pg_failure){ .sqlstate = "XX000",
                                             .statement = statements.find.name,
                                             .session_lives = true });
    assert_false(report.too_much);
    assert_true(report.unclassified);
    assert_int_equal(report.statements, 1);
    report = report_of(*state, &statements,
                       &(struct pg_failure){ .sqlstate = "XX000",
                                             .statement = statements.find.name,
                                             .connection_lost = true });
    assert_false(report.unclassified);
    pg_statements_release(&statements);
}

static void each_class_has_its_outcome(void **state)
{
    (void)state;
    assert_int_equal(store_outcome(&(struct pg_failure){ .class = SQLSTATE_RETRY }), WRITE_RETRY);
    assert_int_equal(store_outcome(&(struct pg_failure){ .class = SQLSTATE_RECONNECT }),
                     WRITE_RETRY);
    assert_int_equal(store_outcome(&(struct pg_failure){ .class = SQLSTATE_PAUSE }), WRITE_PAUSE);
    assert_int_equal(store_outcome(&(struct pg_failure){ .class = SQLSTATE_REFUSE }),
                     WRITE_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_are_grouped_and_refused_ones_are_dead_letters),
        TEST(a_group_is_a_repetition_only_if_its_messages_are_alike),
        TEST(the_newest_time_of_a_group_counts),
        TEST(what_is_found_is_marked_by_its_ordinal),
        TEST(rows_go_to_their_entity_in_any_order),
        TEST(new_roots_are_written_and_identical_ones_are_not),
        TEST(what_would_make_extra_too_large_is_a_dead_letter),
        TEST(a_set_without_memory_fails),
        TEST(a_report_says_what_failed_and_whether_it_was_too_much),
        cmocka_unit_test(each_class_has_its_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
