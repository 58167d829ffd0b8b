#include "bridge/consume/subscription.h"

#include "base/clock.h"
#include "bridge/timing.h"
#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { EPOCH = 3, HEARTBEAT_MS = 1000 };

static const struct consume_settings SETTINGS = { .prefetch = 10,
                                                  .max_unacknowledged_bytes = 1 << 20 };

static struct fake_queue fake;
static struct consume_history history;
static struct subscription subscription;
static struct error err;

static int set_up(void **state)
{
    (void)state;
    fake_queue_init(&fake, &(struct write_settings){ .writers = 1 });
    history = (struct consume_history){ 0 };
    prefetch_init(&history.prefetch, SETTINGS.prefetch);
    queue_lease_acquired(&fake.queue.lease, EPOCH, clock_boot_ms(), HANDOVER_NONE);
    subscription_init(&subscription, &fake.queue, &fake.writers, &SETTINGS, &history);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    subscription_release(&subscription);
    fake_queue_release(&fake);
    return 0;
}

/* Written by hand from what the states mean: the events that lead on, all others lead nowhere. */
static void each_event_leads_where_it_should(void **state)
{
    enum { stay = -1 };
    static const int expected[SUBSCRIPTION_STATE_COUNT][SUBSCRIPTION_EVENT_COUNT] = {
        /* CONNECTED, ALONE, CONFIRMED, STOP, CANCEL, EXHAUSTED, ALL_ACKED, LEAVE */
        { SUBSCRIPTION_JOINING, stay, stay, stay, stay, stay, stay, stay },
        { stay, SUBSCRIPTION_SUBSCRIBING, stay, SUBSCRIPTION_FINISHED, stay, stay, stay, stay },
        { stay, stay, SUBSCRIPTION_CONSUMING, stay, stay, stay, stay, stay },
        { stay, stay, stay, SUBSCRIPTION_STOPPING, stay, stay, stay, stay },
        { stay, stay, stay, stay, SUBSCRIPTION_CANCELLED, stay, stay, SUBSCRIPTION_FINISHED },
        { stay, stay, stay, stay, stay, SUBSCRIPTION_DRAINED, stay, stay },
        { stay, stay, stay, stay, stay, stay, SUBSCRIPTION_FINISHED, stay },
        { stay, stay, stay, stay, stay, stay, stay, stay },
    };

    (void)state;
    for (int from = 0; from < SUBSCRIPTION_STATE_COUNT; from++) {
        for (int event = 0; event < SUBSCRIPTION_EVENT_COUNT; event++) {
            int to = expected[from][event];

            assert_int_equal(subscription_state_after((enum subscription_state)from,
                                                      (enum subscription_event)event),
                             to == stay ? from : to);
        }
    }
}

static void it_begins_under_the_lease_and_is_counted(void **state)
{
    (void)state;
    assert_int_equal(subscription_begin(&subscription, &err), 0);
    assert_int_equal(subscription.state, SUBSCRIPTION_CONSUMING);
    assert_int_equal(subscription.epoch, EPOCH);
    assert_int_equal(subscription.prefetch, 10);
    assert_int_equal(atomic_load(&fake.writers.shared.epoch), EPOCH);
    assert_int_equal(fake.fakes.subscriptions, 1);
    assert_int_equal(queue_lease_view(&fake.queue.lease).handover, HANDOVER_COUNTED);
    assert_int_equal(queue_lease_claim(&fake.queue.lease), LEASE_STATE_CONSUMING);
    assert_null(subscription_reason_to_leave(&subscription));
}

/* It never subscribed, so the broker never held anything for it. */
static void a_daemon_that_stops_does_not_subscribe(void **state)
{
    (void)state;
    queue_stop(&fake.queue);
    assert_int_equal(subscription_begin(&subscription, &err), 0);
    assert_int_equal(subscription.state, SUBSCRIPTION_FINISHED);
    assert_int_equal(fake.fakes.subscriptions, 0);
}

static void it_waits_until_the_predecessor_is_gone(void **state)
{
    int64_t began_ms = clock_monotonic_ms();

    (void)state;
    /* No keeper renews here, and the wait may take longer than the lease lasts. */
    queue_lease_renewed(&fake.queue.lease, clock_boot_ms() + 3600000, LEASE_STATE_HELD);
    queue_lease_leave_behind(&fake.queue.lease, HANDOVER_UNCOUNTED);
    assert_int_equal(subscription_begin(&subscription, &err), 0);
    assert_true(clock_monotonic_ms() - began_ms >= (int64_t)PREDECESSOR_HEARTBEATS * HEARTBEAT_MS);
    assert_true(fake.fakes.inspections > 1);
}

/* The row says how often messages came back to the holder before. */
static void it_waits_when_messages_came_back_often(void **state)
{
    int64_t began_ms = clock_monotonic_ms();

    (void)state;
    queue_lease_renewed(&fake.queue.lease, clock_boot_ms() + 3600000, LEASE_STATE_HELD);
    queue_lease_set_returns(&fake.queue.lease, RETURNS_NEAR);
    assert_int_equal(subscription_begin(&subscription, &err), 0);
    assert_true(clock_monotonic_ms() - began_ms >= returns_wait_ms(RETURNS_NEAR));
    assert_int_equal(fake.fakes.prefetch, SETTINGS.prefetch);
}

/* The subscription before acknowledged something, so there is no need to wait. */
static void it_takes_one_at_a_time_shortly_before_the_limit(void **state)
{
    (void)state;
    history.returns.acked = true;
    queue_lease_set_returns(&fake.queue.lease, RETURNS_LAST);
    assert_int_equal(subscription_begin(&subscription, &err), 0);
    assert_int_equal(fake.fakes.prefetch, 1);
    assert_true(subscription.takes_one);
}

static void it_takes_as_many_as_ever_beyond_the_limit(void **state)
{
    (void)state;
    queue_lease_set_returns(&fake.queue.lease, RETURNS_LIMIT + 1);
    assert_int_equal(subscription_begin(&subscription, &err), 0);
    assert_int_equal(fake.fakes.prefetch, SETTINGS.prefetch);
}

static void it_does_not_begin_without_the_lease(void **state)
{
    (void)state;
    queue_lease_lost(&fake.queue.lease, EPOCH);
    assert_int_equal(subscription_begin(&subscription, &err), -1);
    assert_string_equal(err.why, "another instance holds the lease");
    assert_int_equal(fake.fakes.subscriptions, 0);
}

static void begin(void)
{
    assert_int_equal(subscription_begin(&subscription, &err), 0);
}

static void another_epoch_is_another_lease(void **state)
{
    (void)state;
    begin();
    queue_lease_lost(&fake.queue.lease, EPOCH);
    queue_lease_acquired(&fake.queue.lease, EPOCH + 1, clock_boot_ms(), HANDOVER_NONE);
    assert_string_equal(subscription_reason_to_leave(&subscription),
                        "another instance holds the lease");
}

/* It leaves before a successor can be done with waiting for it. */
static void a_lease_that_was_not_renewed_ends_it(void **state)
{
    int64_t limit_ms = LEASE_EXPIRES_MS + PREDECESSOR_HEARTBEATS * HEARTBEAT_MS - FENCE_MARGIN_MS;
    int64_t began_ms;
    const char *why;

    (void)state;
    begin();
    do { /* again, if this thread did not run for a second in between */
        began_ms = clock_boot_ms();
        queue_lease_renewed(&fake.queue.lease, began_ms - limit_ms + 1000, LEASE_STATE_HELD);
        why = subscription_reason_to_leave(&subscription);
    } while (clock_boot_ms() - began_ms >= 1000);
    assert_null(why);
    queue_lease_renewed(&fake.queue.lease, clock_boot_ms() - limit_ms - 1, LEASE_STATE_HELD);
    assert_non_null(strstr(subscription_reason_to_leave(&subscription), "not renewed"));
}

static struct message *add(const char *body, int64_t age_ms)
{
    struct message *message = fakes_message(body, 0);

    message->arrived_at_ms = clock_monotonic_ms() - age_ms;
    unacked_add(&subscription.unacked, message);
    return message;
}

static void a_writer_that_failed_ends_it(void **state)
{
    (void)state;
    begin();
    atomic_store(&fake.writers.shared.failed, true);
    assert_string_equal(subscription_reason_to_leave(&subscription), "a writer could not go on");
}

static void messages_are_given_back_before_the_broker_takes_them(void **state)
{
    struct message *message;
    int64_t now_ms;
    const char *why;

    (void)state;
    begin();
    message = add("a", 0);
    do { /* as above */
        now_ms = clock_monotonic_ms();
        message->arrived_at_ms = now_ms - UNACKNOWLEDGED_LIMIT_MS + 1000;
        why = subscription_reason_to_leave(&subscription);
    } while (clock_monotonic_ms() - now_ms >= 1000);
    assert_null(why);
    message->arrived_at_ms -= 2000;
    assert_non_null(strstr(subscription_reason_to_leave(&subscription), "unacknowledged"));
}

static void stop_until_drained(void)
{
    subscription_apply(&subscription, SUBSCRIPTION_ON_STOP);
    subscription_apply(&subscription, SUBSCRIPTION_ON_CANCEL);
    subscription_apply(&subscription, SUBSCRIPTION_ON_EXHAUSTED);
}

/* The end does not wait for a quarantined message, once it had its last trial; for others it
   does. */
static void the_end_does_not_wait_for_what_is_stuck(void **state)
{
    struct quarantine *quarantine = &fake.writers.writers[0].session.quarantine;
    struct message *stuck;
    struct message *other;

    (void)state;
    begin();
    stuck = add("a", 0);
    other = add("b", 0);
    assert_true(quarantine_add(quarantine, &stuck, 1, "ZZ001"));
    atomic_store(&quarantine->tried_last, true);
    assert_null(subscription_reason_to_leave(&subscription)); /* the daemon does not stop */
    stop_until_drained();
    assert_null(subscription_reason_to_leave(&subscription)); /* the other one is being written */
    atomic_store(&other->committed, true);
    assert_non_null(strstr(subscription_reason_to_leave(&subscription), "quarantined"));
}

static void the_end_does_not_wait_at_an_open_breaker(void **state)
{
    (void)state;
    begin();
    add("a", 0);
    atomic_store(&fake.writers.shared.breaker.open, true);
    assert_null(subscription_reason_to_leave(&subscription));
    stop_until_drained();
    assert_non_null(strstr(subscription_reason_to_leave(&subscription), "breaker"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_event_leads_where_it_should),
        TEST(it_begins_under_the_lease_and_is_counted),
        TEST(a_daemon_that_stops_does_not_subscribe),
        TEST(it_waits_until_the_predecessor_is_gone),
        TEST(it_waits_when_messages_came_back_often),
        TEST(it_takes_one_at_a_time_shortly_before_the_limit),
        TEST(it_takes_as_many_as_ever_beyond_the_limit),
        TEST(it_does_not_begin_without_the_lease),
        TEST(another_epoch_is_another_lease),
        TEST(a_lease_that_was_not_renewed_ends_it),
        TEST(a_writer_that_failed_ends_it),
        TEST(messages_are_given_back_before_the_broker_takes_them),
        TEST(the_end_does_not_wait_for_what_is_stuck),
        TEST(the_end_does_not_wait_at_an_open_breaker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
