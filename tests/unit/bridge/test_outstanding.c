#include "bridge/outstanding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { HEARTBEAT_S = 20, DROPPED_MS = 60000 };

static void nothing_is_not_waited_for(void **state)
{
    (void)state;
    assert_true(outstanding_gone(OUTSTANDING_NONE, 5, 0, HEARTBEAT_S));
}

static void what_is_counted_is_gone_with_the_consumer(void **state)
{
    (void)state;
    assert_true(outstanding_gone(OUTSTANDING_COUNTED, 0, 0, HEARTBEAT_S));
    assert_false(outstanding_gone(OUTSTANDING_COUNTED, 1, DROPPED_MS - 1, HEARTBEAT_S));
    assert_true(outstanding_gone(OUTSTANDING_COUNTED, 1, DROPPED_MS, HEARTBEAT_S));
}

static void a_closed_socket_is_given_a_moment(void **state)
{
    (void)state;
    assert_false(outstanding_gone(OUTSTANDING_CLOSED, 0, 1999, HEARTBEAT_S));
    assert_true(outstanding_gone(OUTSTANDING_CLOSED, 0, 2000, HEARTBEAT_S));
    assert_false(outstanding_gone(OUTSTANDING_CLOSED, 1, 2000, HEARTBEAT_S));
}

static void no_count_is_evidence_of_what_is_not_counted(void **state)
{
    (void)state;
    assert_false(outstanding_gone(OUTSTANDING_UNCOUNTED, 0, DROPPED_MS - 1, HEARTBEAT_S));
    assert_true(outstanding_gone(OUTSTANDING_UNCOUNTED, 0, DROPPED_MS, HEARTBEAT_S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_not_waited_for),
        cmocka_unit_test(what_is_counted_is_gone_with_the_consumer),
        cmocka_unit_test(a_closed_socket_is_given_a_moment),
        cmocka_unit_test(no_count_is_evidence_of_what_is_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
