#include "model/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A small entity: root t(id, name, extra) with child c(id, bag, key, value, extra) fed by the
   arrays "one" and "two". */
static const struct column ROOT_COLUMNS[] = { { "id", VALUE_TEXT },
                                              { "name", VALUE_TEXT },
                                              { "extra", VALUE_JSONB } };
static const struct column CHILD_COLUMNS[] = {
    { "id", VALUE_TEXT },    { "bag", VALUE_TEXT },    { "key", VALUE_INTEGER },
    { "value", VALUE_TEXT }, { "extra", VALUE_JSONB },
};
static const struct child_set SETS[] = { { "one" }, { "two" } };
static const struct child CHILDREN[] = {
    { .table = { "c", CHILD_COLUMNS, 5, 3, 4 },
      .sets = SETS,
      .set_count = 2,
      .has_set_column = true },
};
static const struct entity ENTITY = { .name = "e",
                                      .root = { "t", ROOT_COLUMNS, 3, 1, 2 },
                                      .children = CHILDREN,
                                      .child_count = 1,
                                      .set_count = 2 };

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct value text(const char *content)
{
    return value_of_text(slice_of(content));
}

/* A message that says nothing; the number makes its hash differ from others. */
static struct change *message(uint8_t hash)
{
    struct change *change = arena_alloc(&arena, sizeof(*change));

    change->id = SLICE_LITERAL("1");
    change->hash[0] = hash;
    change->names = arena_alloc_array(&arena, 8, sizeof(struct slice));
    change->root_set = arena_alloc_array(&arena, 3, sizeof(bool));
    change->root = arena_alloc_array(&arena, 3, sizeof(struct value));
    change->leftovers = arena_alloc_array(&arena, 8, sizeof(struct json_pair));
    change->set_present = arena_alloc_array(&arena, 2, sizeof(bool));
    change->sets = arena_alloc_array(&arena, 2, sizeof(struct row_set));
    return change;
}

static void says_name(struct change *change, const char *name)
{
    change->names[change->name_count++] = SLICE_LITERAL("name");
    change->root_set[1] = true;
    change->root[1] = name != NULL ? text(name) : (struct value){ 0 };
}

static void says_extra(struct change *change, const char *name, const char *json)
{
    change->names[change->name_count++] = slice_of(name);
    change->leftovers[change->leftover_count++] =
        (struct json_pair){ slice_of(name), slice_of(json) };
}

static struct value *row(const char *bag, int64_t key, const char *value)
{
    struct value *values = arena_alloc_array(&arena, 5, sizeof(*values));

    values[0] = text("1");
    values[1] = text(bag);
    values[2] = value_of_number(key);
    values[3] = text(value);
    values[4] = text("{}");
    return values;
}

static void says_rows(struct change *change, size_t set, struct value *first, struct value *second)
{
    change->set_present[set] = true;
    change->sets[set].rows = arena_alloc_array(&arena, 2, sizeof(struct value *));
    if (first != NULL)
        change->sets[set].rows[change->sets[set].count++] = first;
    if (second != NULL)
        change->sets[set].rows[change->sets[set].count++] = second;
}

static struct fold_state empty(void)
{
    struct fold_state state;

    assert_int_equal(fold_start(&state, &ENTITY, SLICE_LITERAL("1"), &arena), 0);
    return state;
}

static void absent_keeps_null_clears_present_replaces(void **state)
{
    struct fold_state folded = empty();
    struct change *silent = message(2);
    struct change *sets = message(1);
    struct change *clears = message(3);

    (void)state;
    says_name(sets, "a");
    says_name(clears, NULL);
    assert_int_equal(fold_apply(&folded, sets, &arena), FOLD_APPLIED);
    assert_true(folded.exists);
    assert_int_equal(fold_apply(&folded, silent, &arena), FOLD_APPLIED);
    assert_true(slice_is(value_text(&folded.root[1]), "a"));
    assert_int_equal(fold_apply(&folded, clears, &arena), FOLD_APPLIED);
    assert_false(folded.root[1].present);
}

static void extra_is_merged_by_name(void **state)
{
    struct fold_state folded = empty();
    struct change *change = message(1);

    (void)state;
    folded.root[2] = text("{\"a\": 1, \"b\": {\"x\": 1.10}, \"\xc3\xbc\": [1, 2]}");
    folded.extra_read = false;
    says_extra(change, "b", "2");
    says_extra(change, "cc", "\"new\"");
    says_extra(change, "d", "null");
    change->leftover_count = 2; /* d is spoken about and leaves nothing */
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    assert_int_equal(fold_end(&folded, &arena), 0);
    assert_true(slice_is(value_text(&folded.root[2]),
                         "{\"a\": 1, \"b\": 2, \"cc\": \"new\", \"\xc3\xbc\": [1, 2]}"));
}

/* Somebody else wrote it: it is neither overwritten nor mistaken for a lack of memory. */
static void an_unreadable_extra_is_told_apart(void **state)
{
    static const char *const stored[] = { "[1]", "7", "", "{\"a\": 1" };

    (void)state;
    for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++) {
        struct fold_state folded = empty();

        folded.root[2] = text(stored[i]);
        folded.extra_read = false;
        assert_int_equal(fold_apply(&folded, message(1), &arena), FOLD_UNREADABLE);
    }
}

static void a_clearing_entity_replaces_all_of_extra(void **state)
{
    struct fold_state folded = empty();
    struct change *change = message(1);

    (void)state;
    folded.root[2] = text("{\"a\": 1}");
    folded.extra_read = false;
    change->replaces_extra = true;
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    assert_int_equal(fold_end(&folded, &arena), 0);
    assert_true(slice_is(value_text(&folded.root[2]), "{}"));
}

static void the_same_payload_again_is_identical(void **state)
{
    struct fold_state folded = empty();
    struct change *change = message(1);
    struct change *later = message(1);

    (void)state;
    says_name(change, "a");
    says_name(later, "a");
    later->has_time = true;
    later->source_time_pg_us = 5;
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_IDENTICAL);
    assert_false(folded.has_time);
    assert_int_equal(fold_apply(&folded, later, &arena), FOLD_IDENTICAL);
    assert_true(folded.has_time);
    assert_int_equal(folded.source_time_pg_us, 5);
}

/* smaller is stale, equal and absent are applied */
static void only_late_messages_are_compared_by_time(void **state)
{
    struct fold_state folded = empty();
    struct change *change = message(1);

    (void)state;
    folded.exists = folded.has_time = true;
    folded.source_time_pg_us = 10;
    says_name(change, "a");
    change->has_time = true;
    change->source_time_pg_us = 9;
    change->may_be_late = true;
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_STALE);
    assert_false(folded.root[1].present);
    change->source_time_pg_us = 10;
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    change->hash[0] = 2;
    change->has_time = false;
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    assert_false(folded.has_time); /* that of the last message applied, none if it had none */
    folded.has_time = true;
    folded.source_time_pg_us = 10;
    change->hash[0] = 3;
    change->has_time = true;
    change->source_time_pg_us = 9;
    change->may_be_late = false;
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    assert_int_equal(folded.source_time_pg_us, 9);
}

static void only_the_difference_is_written(void **state)
{
    struct fold_state stored = empty();
    struct fold_state folded;
    struct fold_difference difference;
    struct change *change = message(1);

    (void)state;
    stored.exists = true;
    stored.sets[0].rows =
        (struct value *[]){ row("one", 3, "old"), row("one", 1, "same"), row("one", 2, "gone") };
    stored.sets[0].count = 3;
    stored.sets[1].rows = (struct value *[]){ row("two", 1, "untouched") };
    stored.sets[1].count = 1;
    folded = stored;
    says_rows(change, 0, row("one", 1, "same"), row("one", 3, "new"));
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    assert_int_equal(fold_compare(&stored, &folded, &arena, &difference), 0);
    assert_int_equal(difference.delete_count, 1);
    assert_int_equal(difference.deletes[0].values[2].number, 2);
    assert_int_equal(difference.write_count, 1);
    assert_int_equal(difference.writes[0].values[2].number, 3);
    assert_true(difference.touched);
}

static void an_emptied_set_is_deleted_and_a_new_entity_is_written_whole(void **state)
{
    struct fold_state stored = empty();
    struct fold_state folded = stored;
    struct fold_difference difference;
    struct change *fills = message(1);
    struct change *empties = message(2);

    (void)state;
    says_rows(fills, 1, row("two", 1, "a"), row("two", 2, "b"));
    says_rows(empties, 1, NULL, NULL);
    assert_int_equal(fold_apply(&folded, fills, &arena), FOLD_APPLIED);
    assert_int_equal(fold_compare(&stored, &folded, &arena, &difference), 0);
    assert_int_equal(difference.write_count, 2);
    assert_true(difference.root && difference.touched);
    stored = folded;
    assert_int_equal(fold_apply(&folded, empties, &arena), FOLD_APPLIED);
    assert_int_equal(fold_compare(&stored, &folded, &arena, &difference), 0);
    assert_int_equal(difference.delete_count, 2);
    assert_int_equal(difference.write_count, 0);
}

/* The same content in another spelling has another hash: the row is written, and updated_at
   stays. */
static void only_metadata_moves_for_equal_content(void **state)
{
    struct fold_state stored = empty();
    struct fold_state folded;
    struct fold_difference difference;
    struct change *change = message(1);
    struct change *respelt = message(2);

    (void)state;
    says_name(change, "a");
    says_name(respelt, "a");
    assert_int_equal(fold_apply(&stored, change, &arena), FOLD_APPLIED);
    folded = stored;
    assert_int_equal(fold_apply(&folded, respelt, &arena), FOLD_APPLIED);
    assert_int_equal(fold_compare(&stored, &folded, &arena, &difference), 0);
    assert_true(difference.root);
    assert_false(difference.touched);
}

static void a_full_arena_is_reported(void **state)
{
    struct fold_state folded = empty();
    struct change *change = message(1);
    struct arena small;

    (void)state;
    arena_init(&small, 16);
    assert_int_equal(fold_apply(&folded, change, &small), FOLD_NO_MEMORY);
    arena_release(&small);
}

/* A name that PostgreSQL prints with escapes, and values that hold what ends a value elsewhere. */
static void members_are_found_whatever_their_texts_hold(void **state)
{
    static const char stored[] =
        "{\"a\": \"}, \\\"b\\\": 1\", \"c\": {\"x\": [1, \"]\"]}, \"d\": [], "
        "\"q\\\"\": -1.5}";
    struct fold_state folded = empty();
    struct change *change = message(1);

    (void)state;
    folded.root[2] = text(stored);
    folded.extra_read = false;
    says_extra(change, "d", "2");
    says_extra(change, "q\"", "null");
    assert_int_equal(fold_apply(&folded, change, &arena), FOLD_APPLIED);
    assert_int_equal(fold_end(&folded, &arena), 0);
    assert_true(slice_is(value_text(&folded.root[2]),
                         "{\"a\": \"}, \\\"b\\\": 1\", \"c\": {\"x\": [1, \"]\"]}, \"d\": 2, "
                         "\"q\\\"\": null}"));
    assert_int_equal(folded.extra_bytes, sizeof(stored) - 1 - strlen("[]-1.5") + strlen("2null"));
}

static void what_would_make_extra_too_large_changes_nothing(void **state)
{
    struct fold_state folded = empty();
    struct change *fits = message(1);
    struct change *grows = message(2);
    struct change *as_large = message(3);
    struct change *shrinks = message(4);

    (void)state;
    folded.max_extra_bytes = strlen("{\"aa\": \"12345\"}");
    says_extra(fits, "aa", "\"12345\"");
    assert_int_equal(fold_apply(&folded, fits, &arena), FOLD_APPLIED);
    says_name(grows, "not applied");
    says_extra(grows, "b", "1");
    says_rows(grows, 0, row("one", 1, "x"), NULL);
    assert_int_equal(fold_apply(&folded, grows, &arena), FOLD_TOO_LARGE);
    assert_false(folded.root[1].present);
    assert_int_equal(folded.sets[0].count, 0);
    assert_int_equal(folded.hash[0], 1);
    says_name(as_large, "applied");
    says_extra(as_large, "aa", "\"67890\"");
    assert_int_equal(fold_apply(&folded, as_large, &arena), FOLD_APPLIED);
    says_extra(shrinks, "aa", "0");
    assert_int_equal(fold_apply(&folded, shrinks, &arena), FOLD_APPLIED);
    assert_int_equal(fold_end(&folded, &arena), 0);
    assert_true(slice_is(value_text(&folded.root[1]), "applied"));
    assert_true(slice_is(value_text(&folded.root[2]), "{\"aa\": 0}"));
}

/* By somebody else, or from the time of a larger limit. */
static void what_is_too_large_already_may_become_smaller(void **state)
{
    static const char stored[] = "{\"a\": \"1234567890\", \"b\": 1}";

    (void)state;
    for (int clears = 0; clears <= 1; clears++) {
        struct fold_state folded = empty();
        struct change *names = message(1);
        struct change *adds = message(2);
        struct change *replaces = message(3);

        folded.root[2] = text(stored);
        folded.extra_read = false;
        folded.max_extra_bytes = 8;
        says_name(names, "applied");
        if (clears == 0)
            assert_int_equal(fold_apply(&folded, names, &arena), FOLD_APPLIED);
        says_extra(adds, "c", clears != 0 ? "\"1234567890123456789\"" : "1");
        adds->replaces_extra = clears != 0;
        assert_int_equal(fold_apply(&folded, adds, &arena), FOLD_TOO_LARGE);
        says_extra(replaces, "a", "\"123456789\"");
        replaces->replaces_extra = clears != 0;
        assert_int_equal(fold_apply(&folded, replaces, &arena), FOLD_APPLIED);
        assert_int_equal(fold_end(&folded, &arena), 0);
        assert_true(
            slice_is(value_text(&folded.root[2]),
                     clears != 0 ? "{\"a\": \"123456789\"}" : "{\"a\": \"123456789\", \"b\": 1}"));
    }
}

static void numbers_count_as_postgresql_writes_them_out(void **state)
{
    struct fold_state folded = empty();
    struct change *first = message(1);
    struct change *second = message(2);

    (void)state;
    folded.max_extra_bytes = 1500;
    says_extra(first, "a", "1e900");
    first->written_out_bytes = 900;
    says_extra(second, "b", "1e900");
    second->written_out_bytes = 900;
    assert_int_equal(fold_apply(&folded, first, &arena), FOLD_APPLIED);
    assert_int_equal(fold_apply(&folded, second, &arena), FOLD_TOO_LARGE);
}

/* Each adds a name: what they take together depends on what `extra` becomes, and not on their
   number times that. */
static void many_messages_about_one_extra_take_little(void **state)
{
    enum { MESSAGES = 2000 };
    struct fold_state folded = empty();
    struct arena messages = arena;
    char names[MESSAGES][16];

    (void)state;
    arena_init(&messages, 16 << 20);
    for (int i = 0; i < MESSAGES; i++) {
        struct change *change = message((uint8_t)i);

        snprintf(names[i], sizeof(names[i]), "name%d", i);
        says_extra(change, names[i], "\"0123456789\"");
        change->hash[1] = (uint8_t)(i >> 8);
        assert_int_equal(fold_apply(&folded, change, &messages), FOLD_APPLIED);
        arena_clear(&arena);
    }
    assert_int_equal(fold_end(&folded, &messages), 0);
    assert_int_equal(folded.extra_count, MESSAGES);
    assert_true(messages.used_bytes < (size_t)MESSAGES * 400);
    arena_release(&messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(absent_keeps_null_clears_present_replaces, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(extra_is_merged_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unreadable_extra_is_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clearing_entity_replaces_all_of_extra, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_payload_again_is_identical, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_late_messages_are_compared_by_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_difference_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_emptied_set_is_deleted_and_a_new_entity_is_written_whole,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_metadata_moves_for_equal_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_arena_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(members_are_found_whatever_their_texts_hold, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_would_make_extra_too_large_changes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_large_already_may_become_smaller, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(numbers_count_as_postgresql_writes_them_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_messages_about_one_extra_take_little, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
