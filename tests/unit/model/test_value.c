#include "model/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct value text(const char *content)
{
    return value_of_text(slice_of(content));
}

static struct value number(int64_t content)
{
    return value_of_number(content);
}

static void null_comes_first_and_equals_null(void **state)
{
    struct value null = { 0 };
    struct value empty = text("");

    (void)state;
    assert_true(value_equal(VALUE_TEXT, &null, &null));
    assert_false(value_equal(VALUE_TEXT, &null, &empty));
    assert_true(value_compare(VALUE_TEXT, &null, &empty) < 0);
}

static void text_compares_by_bytes(void **state)
{
    struct value composed = text("\xc3\xbc");    /* u with diaeresis, one code point */
    struct value decomposed = text("u\xcc\x88"); /* the same letter in two */
    struct value prefix = text("a");
    struct value longer = text("ab");

    (void)state;
    assert_false(value_equal(VALUE_TEXT, &composed, &decomposed));
    assert_true(value_compare(VALUE_TEXT, &prefix, &longer) < 0);
    assert_true(value_compare(VALUE_NUMERIC, &longer, &prefix) > 0);
}

static void numbers_compare_as_numbers(void **state)
{
    struct value before = number(INT64_MIN);
    struct value after = number(INT64_MAX);

    (void)state;
    assert_true(value_compare(VALUE_TIMESTAMPTZ, &before, &after) < 0);
    assert_true(value_compare(VALUE_DATE, &after, &before) > 0);
    assert_true(value_equal(VALUE_BOOLEAN, &after, &after));
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    for (int type = VALUE_TEXT; type <= VALUE_INTEGER; type++)
        assert_string_not_equal(value_type_name((enum value_type)type), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_comes_first_and_equals_null),
        cmocka_unit_test(text_compares_by_bytes),
        cmocka_unit_test(numbers_compare_as_numbers),
        cmocka_unit_test(every_type_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
