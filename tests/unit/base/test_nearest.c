#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void nearest_names(void **state)
{
    static const char *const names[] = { "heartbeat", "ca_file", "uri", NULL };

    (void)state;
    assert_string_equal(nearest_name("heart_beat", names), "heartbeat");
    assert_string_equal(nearest_name("haertbeat", names), "heartbeat");
    assert_string_equal(nearest_name("cafile", names), "ca_file");
    assert_string_equal(nearest_name("url", names), "uri");
    assert_null(nearest_name("zzz", names));
    assert_null(nearest_name("", names));
    assert_null(nearest_name("a_name_of_more_than_forty_letters_in_a_row_that_is_nothing", names));
}

static void a_longer_name_may_differ_more(void **state)
{
    static const char *const names[] = { "tax_number", "tax_office", "name", NULL };

    (void)state;
    assert_string_equal(nearest_name("tax_nmuber", names), "tax_number");
    assert_string_equal(nearest_name("TaxNumber", names), "tax_number");
    assert_null(nearest_name("risk_group", names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(a_longer_name_may_differ_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
