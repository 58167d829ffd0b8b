#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fields_are_kept_apart(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_set(&err, ERROR_CONFIG, "cannot read", "a.cfg:3", "%s of %d", "line", 7),
                     -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.what, "cannot read");
    assert_string_equal(err.subject, "a.cfg:3");
    assert_string_equal(err.why, "line of 7");
    assert_string_equal(err.hint, "");
    assert_int_equal(error_hint(&err, "look at %s", "it"), -1);
    assert_string_equal(err.hint, "look at it");
    error_set(&err, ERROR_DATA, "again", NULL, "%s", "");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.subject, "");
}

static void text_leaves_out_what_is_empty(void **state)
{
    struct error err;
    char text[256];

    (void)state;
    error_set(&err, ERROR_CONFIG, "what", "subject", "why");
    error_hint(&err, "hint");
    assert_string_equal(error_text(&err, text, sizeof(text)), "what \"subject\": why (hint: hint)");
    error_set(&err, ERROR_CONFIG, "what", NULL, "%s", "");
    assert_string_equal(error_text(&err, text, sizeof(text)), "what");
    error_set(&err, ERROR_CONFIG, "what", NULL, "why");
    assert_string_equal(error_text(&err, text, sizeof(text)), "what: why");
}

static void a_text_that_is_cut_says_so(void **state)
{
    struct error err;
    char text[10];
    char large[1000];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    error_set(&err, ERROR_DATA, large, large, "%s", large);
    error_hint(&err, "%s", large);
    assert_int_equal(strlen(err.what), sizeof(err.what) - 1);
    assert_string_equal(err.what + sizeof(err.what) - 5, "x...");
    assert_string_equal(err.subject + sizeof(err.subject) - 5, "x...");
    assert_string_equal(err.why + sizeof(err.why) - 5, "x...");
    assert_string_equal(err.hint + sizeof(err.hint) - 5, "x...");
    assert_string_equal(error_text(&err, text, sizeof(text)), "xxxxxx...");
}

static void the_kinds_are_the_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(ERROR_NONE, 0);
    assert_int_equal(ERROR_PROBLEMS, 1);
    assert_int_equal(ERROR_USAGE, 64);
    assert_int_equal(ERROR_DATA, 65);
    assert_int_equal(ERROR_NO_INPUT, 66);
    assert_int_equal(ERROR_UNAVAILABLE, 69);
    assert_int_equal(ERROR_INTERNAL, 70);
    assert_int_equal(ERROR_PERMISSION, 77);
    assert_int_equal(ERROR_CONFIG, 78);
}

static void a_list_keeps_all_in_order(void **state)
{
    struct error_list list;
    struct error err;

    (void)state;
    error_list_init(&list);
    for (int i = 0; i < 100; i++) {
        error_set(&err, ERROR_CONFIG, "what", NULL, "%d", i);
        assert_int_equal(error_list_add(&list, &err), 0);
    }
    assert_int_equal(list.count, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(atoi(list.items[i].why), i);
    error_list_release(&list);
    assert_int_equal(list.count, 0);
    error_list_release(&list);
}

static void no_memory_has_one_text(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(error_no_memory(&err), -1);
    assert_int_equal(err.kind, ERROR_INTERNAL);
    assert_string_equal(err.what, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_kept_apart),
        cmocka_unit_test(text_leaves_out_what_is_empty),
        cmocka_unit_test(a_text_that_is_cut_says_so),
        cmocka_unit_test(the_kinds_are_the_exit_codes),
        cmocka_unit_test(a_list_keeps_all_in_order),
        cmocka_unit_test(no_memory_has_one_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
