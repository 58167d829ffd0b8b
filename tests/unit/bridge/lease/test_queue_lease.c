#include "bridge/lease/queue_lease.h"

#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { EPOCH = 7 };

static struct doorbell consumer;
static struct doorbell keeper;
static struct counters counters;
static struct queue_lease lease;

static int set_up(void **state)
{
    struct error err;

    (void)state;
    assert_int_equal(doorbell_init(&consumer, &err), 0);
    assert_int_equal(doorbell_init(&keeper, &err), 0);
    counters_init(&counters);
    queue_lease_init(&lease, "q", "e", &counters, &consumer, &keeper);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    queue_lease_release(&lease);
    counters_release(&counters);
    doorbell_release(&keeper);
    doorbell_release(&consumer);
    return 0;
}

/* Written by hand from what the phases mean, and not from the table of the program. */
static void each_event_leads_where_it_should(void **state)
{
    static const enum lease_phase expected[LEASE_PHASE_COUNT][LEASE_EVENT_COUNT] = {
        /* ACQUIRED, LOST, SUBSCRIBED, RETRACT, WRITE_CLAIM, CLAIM_CLEARED */
        { LEASE_PHASE_HELD, LEASE_PHASE_NOT_HELD, LEASE_PHASE_NOT_HELD, LEASE_PHASE_NOT_HELD,
          LEASE_PHASE_NOT_HELD, LEASE_PHASE_NOT_HELD },
        { LEASE_PHASE_HELD, LEASE_PHASE_NOT_HELD, LEASE_PHASE_ANNOUNCING, LEASE_PHASE_HELD,
          LEASE_PHASE_HELD, LEASE_PHASE_HELD },
        { LEASE_PHASE_ANNOUNCING, LEASE_PHASE_NOT_HELD, LEASE_PHASE_ANNOUNCING, LEASE_PHASE_HELD,
          LEASE_PHASE_ANNOUNCED, LEASE_PHASE_ANNOUNCING },
        { LEASE_PHASE_ANNOUNCED, LEASE_PHASE_NOT_HELD, LEASE_PHASE_ANNOUNCED,
          LEASE_PHASE_RETRACTING, LEASE_PHASE_ANNOUNCED, LEASE_PHASE_ANNOUNCING },
        { LEASE_PHASE_RETRACTING, LEASE_PHASE_NOT_HELD, LEASE_PHASE_ANNOUNCED,
          LEASE_PHASE_RETRACTING, LEASE_PHASE_RETRACTING, LEASE_PHASE_HELD },
    };

    (void)state;
    for (int phase = 0; phase < LEASE_PHASE_COUNT; phase++) {
        for (int event = 0; event < LEASE_EVENT_COUNT; event++)
            assert_int_equal(lease_phase_after((enum lease_phase)phase, (enum lease_event)event),
                             expected[phase][event]);
    }
}

static void acquire(void)
{
    queue_lease_acquired(&lease, EPOCH, 1000, HANDOVER_NONE);
    doorbell_clear(&consumer);
    doorbell_clear(&keeper);
}

static void an_acquired_lease_wakes_the_consumer(void **state)
{
    struct lease_view view;

    (void)state;
    assert_false(queue_lease_view(&lease).held);
    queue_lease_acquired(&lease, EPOCH, 1000, HANDOVER_CLOSED);
    view = queue_lease_view(&lease);
    assert_true(view.held && view.database_ok);
    assert_int_equal(view.epoch, EPOCH);
    assert_int_equal(view.renewed_at_ms, 1000);
    assert_int_equal(view.handover, HANDOVER_CLOSED);
    assert_true(doorbell_wait(&consumer, 0));
}

/* A subscription that is established is announced by the next renewal, and the keeper is asked for
   one. */
static void a_subscription_is_announced(void **state)
{
    (void)state;
    acquire();
    assert_int_equal(queue_lease_claim(&lease), LEASE_STATE_HELD);
    queue_lease_subscribed(&lease, EPOCH);
    assert_true(doorbell_wait(&keeper, 0));
    assert_int_equal(queue_lease_view(&lease).handover, HANDOVER_COUNTED);
    assert_int_equal(queue_lease_claim(&lease), LEASE_STATE_CONSUMING);
}

/* A claim that may stand in the row is retracted only when the row was written without it. */
static void a_claim_is_retracted_by_writing_the_row(void **state)
{
    (void)state;
    acquire();
    assert_true(queue_lease_retract(&lease)); /* nothing was claimed yet */
    queue_lease_subscribed(&lease, EPOCH);
    assert_int_equal(queue_lease_claim(&lease), LEASE_STATE_CONSUMING);
    doorbell_clear(&keeper);
    assert_false(
        queue_lease_retract(&lease)); /* the answer may be lost: it may have been written */
    assert_true(doorbell_wait(&keeper, 0));
    queue_lease_renewed(&lease, 2000, LEASE_STATE_CONSUMING); /* this one was on its way */
    assert_false(queue_lease_retract(&lease));
    assert_int_equal(queue_lease_claim(&lease), LEASE_STATE_HELD);
    queue_lease_renewed(&lease, 3000, LEASE_STATE_HELD);
    assert_true(doorbell_wait(&consumer, 0));
    assert_true(queue_lease_retract(&lease));
    assert_int_equal(queue_lease_view(&lease).renewed_at_ms, 3000);
}

static void a_lost_lease_retracts_nothing_and_claims_nothing(void **state)
{
    (void)state;
    acquire();
    queue_lease_subscribed(&lease, EPOCH);
    queue_lease_lost(&lease, EPOCH);
    assert_true(doorbell_wait(&consumer, 0));
    assert_false(queue_lease_view(&lease).held);
    assert_false(queue_lease_retract(&lease));
    assert_int_equal(queue_lease_claim(&lease), LEASE_STATE_HELD);
}

/* What a writer says of an epoch that was acquired anew meanwhile means nothing. */
static void an_old_epoch_changes_nothing(void **state)
{
    (void)state;
    acquire();
    queue_lease_leave_behind(&lease, HANDOVER_UNCOUNTED);
    queue_lease_lost(&lease, EPOCH - 1);
    queue_lease_subscribed(&lease, EPOCH - 1);
    queue_lease_clear_handover(&lease, EPOCH - 1);
    assert_true(queue_lease_view(&lease).held);
    assert_int_equal(queue_lease_view(&lease).handover, HANDOVER_UNCOUNTED);
    assert_int_equal(queue_lease_claim(&lease), LEASE_STATE_HELD);
}

static void the_longest_handover_counts_until_it_is_cleared(void **state)
{
    (void)state;
    acquire();
    queue_lease_leave_behind(&lease, HANDOVER_UNCOUNTED);
    queue_lease_leave_behind(&lease, HANDOVER_CLOSED);
    assert_int_equal(queue_lease_view(&lease).handover, HANDOVER_UNCOUNTED);
    queue_lease_clear_handover(&lease, EPOCH);
    assert_int_equal(queue_lease_view(&lease).handover, HANDOVER_NONE);
}

/* The lease keeper reports each second, and the consumer is not woken for that. */
static void only_a_change_of_the_database_wakes_the_consumer(void **state)
{
    (void)state;
    acquire();
    queue_lease_set_database_ok(&lease, true);
    assert_false(doorbell_wait(&consumer, 0));
    queue_lease_set_database_ok(&lease, false);
    assert_true(doorbell_wait(&consumer, 0));
    assert_true(queue_lease_view(&lease).held);
}

static void the_other_holder_shows_until_the_lease_is_acquired(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    queue_lease_held_by(&lease, "db2 4711");
    queue_lease_status(&lease, &status);
    assert_string_equal(status.holder, "db2 4711");
    assert_false(status.lease_held);
    acquire();
    queue_lease_status(&lease, &status);
    assert_string_equal(status.holder, "");
    assert_true(status.lease_held);
    assert_int_equal(status.epoch, EPOCH);
}

/* By then its messages are the other holder's concern. */
static void without_the_lease_nothing_came_back(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    acquire();
    queue_lease_set_returns(&lease, 18);
    queue_lease_status(&lease, &status);
    assert_int_equal(status.returns, 18);
    queue_lease_lost(&lease, EPOCH);
    queue_lease_status(&lease, &status);
    assert_int_equal(status.returns, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_event_leads_where_it_should),
        TEST(an_acquired_lease_wakes_the_consumer),
        TEST(a_subscription_is_announced),
        TEST(a_claim_is_retracted_by_writing_the_row),
        TEST(a_lost_lease_retracts_nothing_and_claims_nothing),
        TEST(an_old_epoch_changes_nothing),
        TEST(the_longest_handover_counts_until_it_is_cleared),
        TEST(only_a_change_of_the_database_wakes_the_consumer),
        TEST(the_other_holder_shows_until_the_lease_is_acquired),
        TEST(without_the_lease_nothing_came_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
