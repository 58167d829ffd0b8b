#include "model/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* The contract's list, in the contract's order. */
static void reasons_are_those_of_the_contract(void **state)
{
    static const char *const names[] = {
        "too_large",  "invalid_unicode", "not_json",   "too_deep",          "contains_nul",
        "not_object", "missing_id",      "invalid_id", "invalid_structure", "rejected_by_database"
    };

    (void)state;
    assert_int_equal(REFUSAL_REASON_COUNT, sizeof(names) / sizeof(names[0]));
    for (int reason = 0; reason < REFUSAL_REASON_COUNT; reason++)
        assert_string_equal(refusal_reason_name((enum refusal_reason)reason), names[reason]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(reasons_are_those_of_the_contract) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
