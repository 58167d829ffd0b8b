#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOTTED_I "\xc4\xb0"

static void what_fits_is_whole(void **state)
{
    char text[10];

    (void)state;
    text_set(text, sizeof(text), "%s", "123456789");
    assert_string_equal(text, "123456789");
    text_set(text, sizeof(text), "%d", 7);
    text_append(text, sizeof(text), "%s", " of ");
    text_append(text, sizeof(text), "%d", 9999);
    assert_string_equal(text, "7 of 9999");
}

static void what_is_cut_says_so(void **state)
{
    char text[10] = "";

    (void)state;
    text_set(text, sizeof(text), "%s", "1234567890");
    assert_string_equal(text, "123456...");
    text_set(text, sizeof(text), "%s", "12345678");
    text_append(text, sizeof(text), "%s", "90");
    assert_string_equal(text, "123456...");
}

static void a_cut_is_between_characters(void **state)
{
    char text[10];

    (void)state;
    text_set(text, sizeof(text), "%s", "x" DOTTED_I DOTTED_I DOTTED_I DOTTED_I DOTTED_I);
    assert_string_equal(text, "x" DOTTED_I DOTTED_I "...");
    text_set(text, sizeof(text), "%s", "xx" DOTTED_I DOTTED_I DOTTED_I DOTTED_I DOTTED_I);
    assert_string_equal(text, "xx" DOTTED_I DOTTED_I "...");
}

static void nothing_follows_a_cut(void **state)
{
    char text[10];

    (void)state;
    text_set(text, sizeof(text), "%s", "x" DOTTED_I DOTTED_I DOTTED_I DOTTED_I DOTTED_I);
    text_append(text, sizeof(text), "%s", "y");
    assert_string_equal(text, "x" DOTTED_I DOTTED_I "...");
    text_set(text, sizeof(text), "%s", "a...");
    text_append(text, sizeof(text), "%s", "go");
    assert_string_equal(text, "a...go");
    text_set(text, sizeof(text), "%s", "wait");
    text_append(text, sizeof(text), "%s", "");
    assert_string_equal(text, "wait");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_whole),
        cmocka_unit_test(what_is_cut_says_so),
        cmocka_unit_test(a_cut_is_between_characters),
        cmocka_unit_test(nothing_follows_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
