#include "model/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void names_are_found_by_their_bytes(void **state)
{
    struct slice names[] = { SLICE_LITERAL("contactMedium"), SLICE_LITERAL("id"),
                             SLICE_LITERAL("status") };
    const struct change change = { .names = names, .name_count = 3 };

    (void)state;
    assert_true(change_names(&change, SLICE_LITERAL("contactMedium")));
    assert_true(change_names(&change, SLICE_LITERAL("id")));
    assert_true(change_names(&change, SLICE_LITERAL("status")));
    assert_false(change_names(&change, SLICE_LITERAL("Status")));
    assert_false(change_names(&change, SLICE_LITERAL("i")));
    assert_false(change_names(&change, SLICE_LITERAL("")));
}

/* SELECT '{"bb":1,"a":1,"ab":1}'::jsonb prints {"a": 1, "ab": 1, "bb": 1}. */
static void shorter_names_come_first(void **state)
{
    (void)state;
    assert_true(json_name_compare(SLICE_LITERAL("z"), SLICE_LITERAL("aa")) < 0);
    assert_true(json_name_compare(SLICE_LITERAL("ab"), SLICE_LITERAL("bb")) < 0);
    assert_int_equal(json_name_compare(SLICE_LITERAL("ab"), SLICE_LITERAL("ab")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_by_their_bytes),
        cmocka_unit_test(shorter_names_come_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
