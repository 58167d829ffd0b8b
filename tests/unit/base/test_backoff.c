#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void delays_double_up_to_the_cap(void **state)
{
    static const int steps[] = { 100, 200, 400, 800, 1500, 1500, 1500 };
    struct backoff backoff;

    (void)state;
    backoff_init(&backoff, (struct backoff_policy){ 100, 1500 });
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int wait = backoff_next_ms(&backoff);

        assert_in_range(wait, (uintmax_t)steps[i] / 2, (uintmax_t)steps[i]);
        assert_int_equal(backoff.attempts, i + 1);
    }
}

static void a_success_starts_from_the_base(void **state)
{
    struct backoff backoff;

    (void)state;
    backoff_init(&backoff, (struct backoff_policy){ 100, 60000 });
    for (int i = 0; i < 10; i++)
        backoff_next_ms(&backoff);
    backoff_reset(&backoff);
    assert_int_equal(backoff.attempts, 0);
    assert_in_range(backoff_next_ms(&backoff), 50, 100);
}

static void delays_are_jittered(void **state)
{
    struct backoff backoff;
    int first;
    int different = 0;

    (void)state;
    backoff_init(&backoff, (struct backoff_policy){ 100000, 100000 });
    first = backoff_next_ms(&backoff);
    for (int i = 0; i < 20; i++)
        different += backoff_next_ms(&backoff) != first;
    assert_true(different > 0);
}

static void extreme_policies(void **state)
{
    struct backoff backoff;

    (void)state;
    backoff_init(&backoff, (struct backoff_policy){ 0, 0 });
    for (int i = 0; i < 40; i++)
        assert_int_equal(backoff_next_ms(&backoff), 0);
    backoff_init(&backoff, (struct backoff_policy){ 1, INT32_MAX });
    for (int i = 0; i < 40; i++)
        assert_true(backoff_next_ms(&backoff) >= 0);
    assert_true(backoff_next_ms(&backoff) >= INT32_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_the_cap),
        cmocka_unit_test(a_success_starts_from_the_base),
        cmocka_unit_test(delays_are_jittered),
        cmocka_unit_test(extreme_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
