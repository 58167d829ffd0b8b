#include "pg/diagnosis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* As libpq 17 when it cannot make a socket. */
static void an_error_without_words_is_not_the_servers(void **state)
{
    static const char *const silent[] = { "", "\n", "DETAIL:  a value" };
    struct pg_failure failure = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        pg_diagnose_loss(NULL, &failure, "cannot connect to the database", silent[i]);
        assert_string_equal(failure.error.why, "libpq gives no reason");
        assert_non_null(strstr(failure.error.hint, "ulimit -n"));
        assert_true(failure.connection_lost);
        assert_int_equal(failure.class, SQLSTATE_RECONNECT);
    }
}

static void without_a_descriptor_it_is_what_the_system_says(void **state)
{
    struct pg_failure failure = { 0 };
    struct rlimit before;
    struct rlimit none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    pg_diagnose_loss(NULL, &failure, "cannot connect to the database", "");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(failure.error.why, "cannot make a socket: Too many open files");
    assert_non_null(strstr(failure.error.hint, "ulimit -n"));
}

static void what_libpq_says_is_passed_on(void **state)
{
    struct pg_failure failure = { 0 };

    (void)state;
    pg_diagnose_loss(NULL, &failure, "cannot connect to the database",
                     "first host: refused\nsecond host: timeout\n");
    assert_string_equal(failure.error.why, "first host: refused; second host: timeout");
    assert_non_null(strstr(failure.error.hint, "check that the server runs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_without_words_is_not_the_servers),
        cmocka_unit_test(without_a_descriptor_it_is_what_the_system_says),
        cmocka_unit_test(what_libpq_says_is_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
