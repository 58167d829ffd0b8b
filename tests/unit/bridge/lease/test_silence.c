#include "bridge/lease/silence.h"

#include "bridge/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct silence silence;
static int64_t now_ms;

static int set_up(void **state)
{
    (void)state;
    silence = (struct silence){ 0 };
    now_ms = 500;
    return 0;
}

/* That many milliseconds after the last look, which took reading_ms. */
static int64_t look(int64_t epoch, int64_t version, int64_t after_ms, int64_t reading_ms)
{
    const struct lease row = { .epoch = epoch, .version = version };
    int64_t began_ms = now_ms + after_ms;

    now_ms = began_ms + reading_ms;
    return silence_after(&silence, &row, began_ms, now_ms);
}

static void a_row_that_stays_is_silent_since_the_first_look(void **state)
{
    (void)state;
    assert_int_equal(look(1, 7, LEASE_RENEW_MS, 3), 0);
    assert_int_equal(look(1, 7, LEASE_RENEW_MS, 3), LEASE_RENEW_MS);
    assert_int_equal(look(1, 7, 100, 3), LEASE_RENEW_MS + 100); /* the bell rang */
}

static void a_row_that_is_written_is_not(void **state)
{
    (void)state;
    for (int64_t version = 100; version > 0; version--) { /* whichever way it changes */
        assert_int_equal(look(1, version, LEASE_RENEW_MS, 0), 0);
        if (version % 2 == 0)
            assert_int_equal(look(1, version, LEASE_RENEW_MS, 0), LEASE_RENEW_MS);
    }
    assert_int_equal(look(2, 1, LEASE_RENEW_MS, 0), 0); /* another database has the same version */
}

/* The holder may have written the row just before the first look was over, and need not have been
   silent while the second was on its way. */
static void the_time_of_the_looks_themselves_is_not_counted(void **state)
{
    (void)state;
    look(1, 7, 0, LEASE_EXPIRES_MS);
    assert_int_equal(look(1, 7, 10, LEASE_EXPIRES_MS), 10);
    assert_int_equal(look(1, 7, 10, 0), 20);
}

/* The database was away, or this process stood still; perhaps the holder did, too. */
static void a_look_that_comes_late_counts_like_one_in_time(void **state)
{
    (void)state;
    look(1, 7, 0, 0);
    assert_int_equal(look(1, 7, INT64_C(100) * LEASE_EXPIRES_MS, 0), LEASE_RENEW_MS);
    assert_int_equal(look(1, 8, INT64_C(100) * LEASE_EXPIRES_MS, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_row_that_stays_is_silent_since_the_first_look, set_up),
        cmocka_unit_test_setup(a_row_that_is_written_is_not, set_up),
        cmocka_unit_test_setup(the_time_of_the_looks_themselves_is_not_counted, set_up),
        cmocka_unit_test_setup(a_look_that_comes_late_counts_like_one_in_time, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
