#include "bridge/lease/handover.h"

#include "bridge/lease/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { HEARTBEAT_S = 20, DROPPED_MS = 60000 };

static void nothing_is_not_waited_for(void **state)
{
    (void)state;
    assert_true(handover_is_over(HANDOVER_NONE, 5, 0, HEARTBEAT_S));
}

static void what_is_counted_is_gone_with_the_consumer(void **state)
{
    (void)state;
    assert_true(handover_is_over(HANDOVER_COUNTED, 0, 0, HEARTBEAT_S));
    assert_false(handover_is_over(HANDOVER_COUNTED, 1, DROPPED_MS - 1, HEARTBEAT_S));
    assert_true(handover_is_over(HANDOVER_COUNTED, 1, DROPPED_MS, HEARTBEAT_S));
}

static void a_closed_socket_is_given_a_moment(void **state)
{
    (void)state;
    assert_false(handover_is_over(HANDOVER_CLOSED, 0, 1999, HEARTBEAT_S));
    assert_true(handover_is_over(HANDOVER_CLOSED, 0, 2000, HEARTBEAT_S));
    assert_false(handover_is_over(HANDOVER_CLOSED, 1, 2000, HEARTBEAT_S));
}

static void no_count_is_evidence_of_what_is_not_counted(void **state)
{
    (void)state;
    assert_false(handover_is_over(HANDOVER_UNCOUNTED, 0, DROPPED_MS - 1, HEARTBEAT_S));
    assert_true(handover_is_over(HANDOVER_UNCOUNTED, 0, DROPPED_MS, HEARTBEAT_S));
}

static enum handover left_by(const char *name, const char *instance, enum lease_state lease_state)
{
    struct lease lease = { .state = lease_state };

    snprintf(lease.holder.name, sizeof(lease.holder.name), "%s", name);
    snprintf(lease.holder.instance, sizeof(lease.holder.instance), "%s", instance);
    return handover_from(&lease);
}

static void the_row_tells_what_is_left(void **state)
{
    static const char elsewhere[] = "db2 00000000-0000-0000-0000-000000000000/4026531836 1 1";
    struct lease_holder dead;

    (void)state;
    assert_int_equal(left_by("", "", LEASE_STATE_HELD), HANDOVER_NONE);
    assert_int_equal(left_by("db2 1", elsewhere, LEASE_STATE_CONSUMING), HANDOVER_COUNTED);
    assert_int_equal(left_by("db2 1", elsewhere, LEASE_STATE_DISCONNECTED), HANDOVER_UNCOUNTED);
    assert_int_equal(left_by("db2 1", elsewhere, LEASE_STATE_HELD), HANDOVER_UNCOUNTED);
    process_identify(&dead);
    snprintf(strrchr(dead.instance, ' '), 4, " 1"); /* this process id, of a process before it */
    assert_int_equal(left_by(dead.name, dead.instance, LEASE_STATE_HELD), HANDOVER_CLOSED);
    assert_int_equal(left_by(dead.name, dead.instance, LEASE_STATE_CONSUMING), HANDOVER_COUNTED);
    /* That it died says nothing about a connection that it had lost before. */
    assert_int_equal(left_by(dead.name, dead.instance, LEASE_STATE_DISCONNECTED),
                     HANDOVER_UNCOUNTED);
}

static void a_state_that_is_not_known_promises_least(void **state)
{
    (void)state;
    for (int known = 0; known < LEASE_STATE_COUNT; known++)
        assert_int_equal(lease_state_of(lease_state_name((enum lease_state)known)), known);
    assert_int_equal(lease_state_of("edited by hand"), LEASE_STATE_HELD);
    assert_int_equal(lease_state_of(""), LEASE_STATE_HELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_not_waited_for),
        cmocka_unit_test(what_is_counted_is_gone_with_the_consumer),
        cmocka_unit_test(a_closed_socket_is_given_a_moment),
        cmocka_unit_test(no_count_is_evidence_of_what_is_not_counted),
        cmocka_unit_test(the_row_tells_what_is_left),
        cmocka_unit_test(a_state_that_is_not_known_promises_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
