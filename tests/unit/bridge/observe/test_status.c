/* What the whole bridge says of itself, between scripted ends. */
#include "bridge/observe/status.h"

#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { DEADLINE_MS = 20000, LOOK_MS = 5 };

static struct fakes fakes;
static struct bridge *bridge;
static struct bridge_status status;

static int set_up(void **state)
{
    (void)state;
    fakes_init(&fakes);
    return 0;
}

static void start(void)
{
    const struct lease_port lease = fakes_lease(&fakes);
    const struct bridge_queue queue = {
        .name = "q",
        .entity = "e",
        .consume = { .prefetch = 10, .max_unacknowledged_bytes = 1 << 20 },
        .write = { .writers = 2, .max_batch_messages = 10, .max_batch_bytes = 1 << 20 },
        .ports = fakes_ports(&fakes),
    };
    struct error err;

    assert_int_equal(bridge_start(&bridge, &queue, 1, &lease, &err), 0);
}

static int tear_down(void **state)
{
    (void)state;
    bridge_status_release(&status);
    fakes_let_go(&fakes);
    bridge_stop(bridge);
    bridge_free(bridge);
    fakes_release(&fakes);
    return 0;
}

/* Looks again and again until the condition holds of the status. */
static const struct queue_status *wait_until(bool (*condition)(const struct queue_status *),
                                             const char *what)
{
    int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

    for (;;) {
        bridge_status_release(&status);
        assert_int_equal(bridge_status_take(bridge, &status), 0);
        assert_int_equal(status.queue_count, 1);
        if (condition(&status.queues[0]))
            return &status.queues[0];
        if (clock_left_ms(deadline) == 0)
            fail_msg("waited in vain for: %s", what);
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
    }
}

static bool is_consuming(const struct queue_status *queue)
{
    return queue->stage == STAGE_CONSUMING;
}

static bool four_committed(const struct queue_status *queue)
{
    return queue->committed == 4 && queue->unacknowledged_messages == 0 && queue->writers_busy == 0;
}

static void what_was_done_is_counted(void **state)
{
    const struct queue_status *queue;

    (void)state;
    fakes_deliver(&fakes, "a", false);
    fakes_deliver(&fakes, "?", false);
    fakes_deliver(&fakes, "b!", false);
    fakes_deliver(&fakes, "a", true);
    start();
    queue = wait_until(four_committed, "four messages to be committed");
    assert_int_equal(queue->delivered, 4);
    assert_int_equal(queue->dead_letters[REFUSAL_NOT_JSON], 1);
    assert_int_equal(queue->dead_letters[REFUSAL_REJECTED_BY_DATABASE], 1);
    assert_int_equal(queue->dead_letters[REFUSAL_TOO_LARGE], 0);
    assert_true(queue->refusals >= 1);
    assert_true(queue->transactions >= 1);
    assert_int_equal(queue->retries, 0);
    assert_int_equal(queue->late, 1);
    assert_int_equal(queue->unacknowledged_bytes, 0);
    assert_int_equal(queue->oldest_age_ms, 0);
    assert_in_range(queue->last_message_us / 1000000, clock_wall_s() - 60, clock_wall_s());
    assert_in_range(queue->last_commit_us / 1000000, clock_wall_s() - 60, clock_wall_s());
    assert_true(status.database_ok && queue->lease_held && !status.stopping);
    assert_int_equal(queue->epoch, 1);
    assert_int_equal(queue->reconnects, 0);
    assert_int_equal(status.database_reconnects, 0);
}

static bool one_unacknowledged(const struct queue_status *queue)
{
    return queue->unacknowledged_messages == 1 && queue->writers_busy == 1 &&
           queue->oldest_age_ms > 0;
}

static bool nothing_unacknowledged(const struct queue_status *queue)
{
    return queue->unacknowledged_messages == 0 && queue->writers_busy == 0;
}

static void set_blocked(bool blocked)
{
    pthread_mutex_lock(&fakes.lock);
    fakes.blocked = blocked;
    pthread_cond_broadcast(&fakes.changed);
    pthread_mutex_unlock(&fakes.lock);
}

static void what_is_unacknowledged_shows(void **state)
{
    const struct queue_status *queue;

    (void)state;
    set_blocked(true);
    fakes_deliver(&fakes, "a", false);
    start();
    queue = wait_until(one_unacknowledged, "an unacknowledged message that grows old");
    assert_true(queue->unacknowledged_bytes > sizeof(struct message));
    assert_int_equal(queue->committed, 0);
    set_blocked(false);
    queue = wait_until(nothing_unacknowledged, "nothing unacknowledged");
    assert_int_equal(queue->committed, 1);
}

static bool is_paused(const struct queue_status *queue)
{
    return queue->paused && queue->retries == 2;
}

static void a_writer_that_fails_shows_until_it_commits(void **state)
{
    const struct queue_status *queue;

    (void)state;
    fakes.outcomes[0] = WRITE_RETRY;
    fakes.outcomes[1] = WRITE_PAUSE;
    fakes.outcome_count = 2;
    fakes_deliver(&fakes, "a", false);
    start();
    queue = wait_until(is_paused, "the pause");
    assert_int_equal(queue->writers_failing, 1);
    assert_true(queue->database_error.current);
    assert_string_equal(queue->database_error.event, "paused");
    assert_string_equal(queue->database_error.sqlstate, "57P01");
    queue = wait_until(nothing_unacknowledged, "the commit");
    assert_false(queue->paused);
    assert_int_equal(queue->writers_failing, 0);
    assert_int_equal(queue->database_error.count, 2);
}

static bool has_reconnected(const struct queue_status *queue)
{
    return queue->reconnects == 1 && queue->stage == STAGE_CONSUMING;
}

static void a_lost_connection_shows(void **state)
{
    const struct queue_status *queue;

    (void)state;
    start();
    queue = wait_until(is_consuming, "consuming");
    assert_int_equal(queue->broker_error.count, 0);
    pthread_mutex_lock(&fakes.lock);
    fakes.cut = true;
    pthread_mutex_unlock(&fakes.lock);
    queue = wait_until(has_reconnected, "the second subscription");
    assert_int_equal(queue->broker_error.count, 1);
    assert_string_equal(queue->broker_error.event, "broker_unavailable");
    assert_string_equal(queue->broker_error.error.what, "the broker is gone");
    assert_false(queue->broker_error.current);
}

static bool knows_the_holder(const struct queue_status *queue)
{
    return queue->holder[0] != '\0';
}

static void the_other_holder_shows(void **state)
{
    const struct queue_status *queue;

    (void)state;
    fakes.fresh_holder = true;
    start();
    queue = wait_until(knows_the_holder, "the holder");
    assert_string_equal(queue->holder, "elsewhere 1");
    assert_false(queue->lease_held);
    assert_int_equal(queue->stage, STAGE_WAITING);
    pthread_mutex_lock(&fakes.lock);
    fakes.fresh_holder = false;
    pthread_mutex_unlock(&fakes.lock);
    queue = wait_until(is_consuming, "taking over");
    assert_string_equal(queue->holder, "");
}

static bool has_left(const struct queue_status *queue)
{
    return queue->stage == STAGE_WAITING && queue->broker_error.current;
}

/* No writer finds out about the lost lease, because there is nothing to write; and it does not wait
   until the lease expires. */
static void an_idle_consumer_leaves_with_a_lost_lease_and_says_why(void **state)
{
    const struct queue_status *queue;

    (void)state;
    start();
    wait_until(is_consuming, "consuming");
    pthread_mutex_lock(&fakes.lock);
    fakes.epoch++;
    fakes.fresh_holder = true;
    pthread_mutex_unlock(&fakes.lock);
    queue = wait_until(has_left, "the end of the subscription");
    assert_string_equal(queue->broker_error.error.why, "another instance holds the lease");
}

static bool is_stopped(const struct queue_status *queue)
{
    return queue->stage == STAGE_STOPPED;
}

static void threads_give_signs_of_life(void **state)
{
    const struct queue_status *queue;

    (void)state;
    start();
    queue = wait_until(is_consuming, "consuming");
    assert_true(queue->consumer_silent_ms < DEADLINE_MS);
    assert_int_equal(queue->writer_silent_ms, 0); /* they rest */
    bridge_stop(bridge);
    queue = wait_until(is_stopped, "the end");
    assert_true(status.stopping);
    assert_int_equal(queue->consumer_silent_ms, 0);
}

static void a_thread_that_does_not_come_round_falls_silent(void **state)
{
    struct liveness liveness = { 0 };

    (void)state;
    start();
    assert_true(liveness_rests(&liveness));
    assert_int_equal(liveness_silent_ms(&liveness), 0);
    liveness_beat(&liveness);
    assert_false(liveness_rests(&liveness));
    atomic_store(&liveness.beat_ms, clock_monotonic_ms() - 5000);
    assert_true(liveness_silent_ms(&liveness) >= 5000);
    liveness_rest(&liveness);
    assert_int_equal(liveness_silent_ms(&liveness), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_done_is_counted),
        TEST(what_is_unacknowledged_shows),
        TEST(a_writer_that_fails_shows_until_it_commits),
        TEST(a_lost_connection_shows),
        TEST(the_other_holder_shows),
        TEST(an_idle_consumer_leaves_with_a_lost_lease_and_says_why),
        TEST(threads_give_signs_of_life),
        TEST(a_thread_that_does_not_come_round_falls_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
