#include "mapping/letter_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool same(const char *a, const char *b)
{
    bool result = letter_case_same(slice_of(a), slice_of(b));

    assert_int_equal(letter_case_same(slice_of(b), slice_of(a)), result);
    return result;
}

static void the_case_of_letters_does_not_count(void **state)
{
    (void)state;
    assert_true(same("validFor", "VALIDFOR"));
    assert_true(same("validFor", "validFor"));
    assert_true(same("", ""));
    assert_false(same("validFor", "validFo"));
    assert_false(same("validFor", ""));
    assert_false(same("a[", "a{")); /* they differ by the same bit as letters do */
}

static void each_i_of_turkish_is_an_i(void **state)
{
    (void)state;
    assert_true(same("Integer", "\xC4\xB0NTEGER"));
    assert_true(same("Integer", "\xC4\xB1nteger"));
    assert_true(same("Integer", "i\xCC\x87nteger"));
    assert_true(same("mediumType", "MED\xC4\xB0UMTYPE"));
    assert_false(same("Integer", "\xC4nteger"));
    assert_false(same("Integer", "i\xCCnteger"));
    assert_false(same("name", "n\xCC\x87"
                              "ame"));
    assert_false(same("med", "med\xC4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_case_of_letters_does_not_count),
        cmocka_unit_test(each_i_of_turkish_is_an_i),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
