/* The consumer thread with its writers; the lease is held by the test. */
#include "bridge/consume/consumer.h"

#include "base/clock.h"
#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EPOCH = 1 };

static const struct consume_settings SETTINGS = { .prefetch = 10,
                                                  .max_unacknowledged_bytes = 1 << 20 };

static struct fake_queue fake;
static struct consumer consumer;
static bool running; /* its threads and the writers' */

static int set_up(void **state)
{
    (void)state;
    fake_queue_init(&fake, &(struct write_settings){ .writers = 2,
                                                     .max_batch_messages = 10,
                                                     .max_batch_bytes = 1 << 20 });
    fake.fakes.epoch = EPOCH;
    consumer_init(&consumer, &fake.queue, &fake.writers, &SETTINGS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (running) /* a test has failed, and nobody knows whether its threads would end */
        exit(EXIT_FAILURE);
    fake_queue_release(&fake);
    return 0;
}

static void acquire(int64_t epoch)
{
    queue_lease_acquired(&fake.queue.lease, epoch, clock_boot_ms(), HANDOVER_NONE);
}

static void start(void)
{
    struct error err;

    assert_int_equal(writers_start(&fake.writers, &err), 0);
    assert_int_equal(consumer_start(&consumer, &err), 0);
    running = true;
}

static void join(void)
{
    consumer_join(&consumer);
    writers_end(&fake.writers);
    running = false;
}

static void wait_for(bool (*condition)(const struct fakes *), const char *what)
{
    pthread_mutex_lock(&fake.fakes.lock);
    fakes_wait(&fake.fakes, condition, what);
    pthread_mutex_unlock(&fake.fakes.lock);
}

static bool has_acked_both(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 1002;
}

static void stop_after_both(void)
{
    wait_for(has_acked_both, "the acknowledgement of both");
    queue_stop(&fake.queue);
    join();
}

/* From the lease to the broker and back, without a keeper: the claim was never written, so nothing
   has to be retracted. */
static void it_consumes_once_the_lease_is_held(void **state)
{
    (void)state;
    fakes_deliver(&fake.fakes, "a", false);
    fakes_deliver(&fake.fakes, "b", false);
    start();
    acquire(EPOCH);
    stop_after_both();
    assert_true(consumer_acknowledged_all(&consumer));
    assert_true(fake.fakes.cancelled);
    assert_int_equal(fake.fakes.connections, 1);
    assert_int_equal(queue_lease_view(&fake.queue.lease).handover, HANDOVER_NONE);
}

static void without_a_lease_it_does_not_even_connect(void **state)
{
    (void)state;
    start();
    queue_stop(&fake.queue);
    join();
    assert_int_equal(fake.fakes.connections, 0);
    assert_true(consumer_acknowledged_all(&consumer));
}

static void without_a_database_it_does_not_connect(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    acquire(EPOCH);
    queue_lease_set_database_ok(&fake.queue.lease, false);
    start();
    queue_stop(&fake.queue);
    join();
    counters_status(&fake.queue.counters, &status);
    assert_int_equal(fake.fakes.connections, 0);
    assert_int_equal(status.stage, STAGE_STOPPED);
}

static bool is_writing(const struct fakes *now)
{
    return now->waiting > 0;
}

static bool is_disconnected(const struct fakes *now)
{
    return now->open == 0;
}

static bool is_written(const struct fakes *now)
{
    return now->transaction_count == 1;
}

static bool is_connected_again(const struct fakes *now)
{
    return now->connections >= 2;
}

/* The lease goes while a transaction is under way: what it commits is not acknowledged, because the
   connection goes first, and comes back to whoever consumes next. */
static void a_lease_lost_during_a_commit_ends_the_subscription(void **state)
{
    (void)state;
    fake.fakes.blocked = true;
    fakes_deliver(&fake.fakes, "a", false);
    start();
    acquire(EPOCH);
    wait_for(is_writing, "a transaction");
    queue_lease_lost(&fake.queue.lease, EPOCH);
    wait_for(is_disconnected, "the end of the connection");
    fakes_let_go(&fake.fakes);
    wait_for(is_written, "the commit");
    fake.fakes.epoch = EPOCH + 1;
    acquire(EPOCH + 1);
    wait_for(is_connected_again, "the next subscription");
    queue_stop(&fake.queue);
    join();
    assert_int_equal(fake.fakes.ack_count, 0);
}

static bool is_cut_and_back(const struct fakes *now)
{
    return now->subscriptions == 2;
}

static void a_lost_connection_is_told_until_it_consumes_again(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    fakes_deliver(&fake.fakes, "a", false);
    fakes_deliver(&fake.fakes, "b", false);
    start();
    acquire(EPOCH);
    wait_for(has_acked_both, "the acknowledgement of both");
    pthread_mutex_lock(&fake.fakes.lock);
    fake.fakes.cut = true;
    pthread_mutex_unlock(&fake.fakes.lock);
    wait_for(is_cut_and_back, "the second subscription");
    queue_stop(&fake.queue);
    join();
    counters_status(&fake.queue.counters, &status);
    assert_string_equal(status.broker_error.event, "broker_unavailable");
    assert_false(status.broker_error.current);
    assert_int_equal(status.reconnects, 1);
}

static bool is_asked_twice(const struct fakes *now)
{
    return now->questions >= 2;
}

/* As if the broker paused between two redelivered messages. */
static void deliver_one_of_two(void)
{
    fake.fakes.held_back = 1;
    fakes_deliver(&fake.fakes, "a1", true);
    start();
    acquire(EPOCH);
    wait_for(is_asked_twice, "two questions");
}

static void deliver_the_other(void)
{
    pthread_mutex_lock(&fake.fakes.lock);
    assert_int_equal(fake.fakes.transaction_count, 0);
    assert_false(fake.fakes.cancelled);
    fake.fakes.held_back = 0;
    pthread_mutex_unlock(&fake.fakes.lock);
    fakes_deliver(&fake.fakes, "a2", true);
    stop_after_both();
    assert_int_equal(fake.fakes.transaction_count, 1);
    assert_string_equal(fake.fakes.transactions[0], "a1 a2");
    assert_true(consumer_acknowledged_all(&consumer));
}

static void a_pause_does_not_part_the_redelivered_messages(void **state)
{
    (void)state;
    deliver_one_of_two();
    deliver_the_other();
}

static int questions; /* when the stop began */

static bool is_asked_while_it_stops(const struct fakes *now)
{
    return now->questions >= questions + 2;
}

/* However long the pause. */
static void a_stop_does_not_part_them_either(void **state)
{
    (void)state;
    deliver_one_of_two();
    pthread_mutex_lock(&fake.fakes.lock);
    questions = fake.fakes.questions;
    pthread_mutex_unlock(&fake.fakes.lock);
    queue_stop(&fake.queue);
    wait_for(is_asked_while_it_stops, "two more questions");
    deliver_the_other();
}

/* One of them may have gone behind the others when its connection was lost. */
static void taken_one_at_a_time_they_may_be_late(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    consumer.history.returns.acked = true;
    queue_lease_set_returns(&fake.queue.lease, RETURNS_LAST);
    fakes_deliver(&fake.fakes, "a1", true);
    fakes_deliver(&fake.fakes, "a2", true);
    start();
    acquire(EPOCH);
    stop_after_both();
    counters_status(&fake.queue.counters, &status);
    assert_int_equal(fake.fakes.prefetch, 1);
    assert_int_equal(status.late, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_consumes_once_the_lease_is_held),
        TEST(without_a_lease_it_does_not_even_connect),
        TEST(without_a_database_it_does_not_connect),
        TEST(a_lease_lost_during_a_commit_ends_the_subscription),
        TEST(a_lost_connection_is_told_until_it_consumes_again),
        TEST(a_pause_does_not_part_the_redelivered_messages),
        TEST(a_stop_does_not_part_them_either),
        TEST(taken_one_at_a_time_they_may_be_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
