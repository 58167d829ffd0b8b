/* The whole bridge with its threads, between scripted ends. */
#include "bridge/bridge.h"

#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct fakes fakes;
static struct bridge *bridge;
static bool keeps_lease; /* at the end of the test */
static size_t max_unacknowledged_bytes;
static size_t max_batch_messages;
static int writers;
static struct breaker_settings breaker;

static int set_up(void **state)
{
    (void)state;
    fakes_init(&fakes);
    keeps_lease = false;
    max_unacknowledged_bytes = 1 << 20;
    max_batch_messages = 1;
    writers = 2;
    breaker = (struct breaker_settings){ 0 };
    return 0;
}

static void start(void)
{
    const struct lease_port lease = fakes_lease(&fakes);
    const struct bridge_queue queue = {
        .name = "q",
        .entity = "e",
        .consume = { .prefetch = 10, .max_unacknowledged_bytes = max_unacknowledged_bytes },
        .write = { .writers = writers,
                   .max_batch_messages = max_batch_messages,
                   .max_batch_bytes = 1 << 20,
                   .breaker = breaker },
        .ports = fakes_ports(&fakes),
    };
    struct error err;

    assert_int_equal(bridge_start(&bridge, &queue, 1, &lease, &err), 0);
}

static bool nothing_open(const struct fakes *now)
{
    return now->open == 0 && now->released == (keeps_lease ? 0 : 1);
}

static int tear_down(void **state)
{
    (void)state;
    fakes_let_go(&fakes);
    bridge_stop(bridge);
    pthread_mutex_lock(&fakes.lock);
    fakes_wait(&fakes, nothing_open, "the bridge to end");
    pthread_mutex_unlock(&fakes.lock);
    bridge_free(bridge);
    fakes_release(&fakes);
    return 0;
}

static void block(bool blocked)
{
    pthread_mutex_lock(&fakes.lock);
    fakes.blocked = blocked;
    pthread_cond_broadcast(&fakes.changed);
    pthread_mutex_unlock(&fakes.lock);
}

static void wait_for(bool (*condition)(const struct fakes *), const char *what)
{
    pthread_mutex_lock(&fakes.lock);
    fakes_wait(&fakes, condition, what);
    pthread_mutex_unlock(&fakes.lock);
}

static bool two_delivered(const struct fakes *now)
{
    return now->delivered == 2;
}

static bool second_acked(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 1002;
}

/* Whoever acknowledges on delivery, or when a write begins, has done so by then: the consumer went
   round twice since. */
static bool writing_and_gone_round(const struct fakes *now)
{
    return now->delivered == 2 && now->waiting > 0 && now->idle_waits >= 2;
}

static void nothing_is_acknowledged_before_it_is_committed(void **state)
{
    size_t early_acks;

    (void)state;
    block(true);
    start();
    fakes_deliver(&fakes, "a", false);
    fakes_deliver(&fakes, "b", false);
    wait_for(writing_and_gone_round, "both deliveries, a write that waits, and an idle consumer");
    pthread_mutex_lock(&fakes.lock);
    early_acks = fakes.ack_count;
    pthread_mutex_unlock(&fakes.lock);
    block(false); /* before anything can fail: who leaves with writes waiting hangs */
    assert_int_equal(early_acks, 0);
    wait_for(second_acked, "the acknowledgement of both");
}

static bool is_claimed(const struct fakes *now)
{
    return now->claimed;
}

static bool is_cancelled(const struct fakes *now)
{
    return now->cancelled;
}

/* Between the two a successor would see no consumer, and take what is unacknowledged here for
   nobody's. */
static void the_claim_is_retracted_before_the_subscription_is_cancelled(void **state)
{
    (void)state;
    start();
    fakes_deliver(&fakes, "a", false);
    wait_for(is_claimed, "the row to say that the broker counts this instance");
    bridge_stop(bridge);
    wait_for(is_cancelled, "the end of the subscription");
    assert_false(fakes.cancelled_while_claimed);
}

static bool third_acked(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 1003;
}

/* max_batch_messages is 1: only redelivered messages go together. */
static void redelivered_messages_are_one_transaction(void **state)
{
    (void)state;
    fakes_deliver(&fakes, "a1", true);
    fakes_deliver(&fakes, "a2", true);
    fakes_deliver(&fakes, "a3", false);
    start();
    wait_for(third_acked, "the acknowledgement of all");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.transaction_count, 2);
    assert_string_equal(fakes.transactions[0], "a1 a2");
    assert_string_equal(fakes.transactions[1], "a3");
    pthread_mutex_unlock(&fakes.lock);
}

static void silence_ends_the_redelivered_messages(void **state)
{
    (void)state;
    fakes_deliver(&fakes, "a1", true);
    fakes_deliver(&fakes, "a2", true);
    start();
    wait_for(second_acked, "the acknowledgement of both");
    pthread_mutex_lock(&fakes.lock);
    assert_string_equal(fakes.transactions[0], "a1 a2");
    pthread_mutex_unlock(&fakes.lock);
}

static bool three_delivered(const struct fakes *now)
{
    return now->delivered == 3;
}

static void a_batch_has_its_limit(void **state)
{
    (void)state;
    block(true);
    start();
    fakes_deliver(&fakes, "a1", false);
    fakes_deliver(&fakes, "a2", false);
    fakes_deliver(&fakes, "a3", false);
    wait_for(three_delivered, "all deliveries");
    block(false);
    wait_for(third_acked, "the acknowledgement of all");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.transaction_count, 3);
    for (size_t i = 0; i < fakes.transaction_count; i++)
        assert_int_equal(strlen(fakes.transactions[i]), 2);
    pthread_mutex_unlock(&fakes.lock);
}

static bool first_is_written(const struct fakes *now)
{
    return now->waiting == 1;
}

static int idle_waits; /* when all was delivered */

static bool five_delivered(const struct fakes *now)
{
    idle_waits = now->idle_waits;
    return now->delivered == 5;
}

/* What was delivered is in the writers' hands when the next one is asked for. */
static bool next_is_asked_for(const struct fakes *now)
{
    return now->idle_waits > idle_waits;
}

static bool fifth_acked(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 1005;
}

/* Two writers that lock rows in one order never wait for each other in a circle; of one key,
   messages keep their order. */
static void a_batch_is_sorted_by_key(void **state)
{
    (void)state;
    writers = 1;
    max_batch_messages = 10;
    block(true);
    start();
    fakes_deliver(&fakes, "x", false);
    wait_for(first_is_written, "a write that waits, while the rest gathers");
    fakes_deliver(&fakes, "c", false);
    fakes_deliver(&fakes, "b1", false);
    fakes_deliver(&fakes, "a", false);
    fakes_deliver(&fakes, "b2", false);
    wait_for(five_delivered, "all deliveries");
    wait_for(next_is_asked_for, "the last to be in the writer's hands");
    block(false);
    wait_for(fifth_acked, "the acknowledgement of all");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.transaction_count, 2);
    assert_string_equal(fakes.transactions[1], "a b1 b2 c");
    pthread_mutex_unlock(&fakes.lock);
}

static bool took_all_or_paused(const struct fakes *now)
{
    return now->delivered == 2 || now->pauses >= 2;
}

static void nothing_is_taken_beyond_max_unacknowledged_bytes(void **state)
{
    size_t delivered;

    (void)state;
    max_unacknowledged_bytes = 1;
    block(true);
    fakes_deliver(&fakes, "a", false);
    fakes_deliver(&fakes, "b", false);
    start();
    wait_for(took_all_or_paused, "a consumer that takes no more");
    pthread_mutex_lock(&fakes.lock);
    delivered = fakes.delivered;
    pthread_mutex_unlock(&fakes.lock);
    block(false); /* before anything can fail: who leaves with writes waiting hangs */
    assert_int_equal(delivered, 1);
    wait_for(second_acked, "the acknowledgement of both");
}

static bool second_was_tried(const struct fakes *now)
{
    return now->delivered == 2 &&
           now->attempts >= 4; /* two refusals, the dead letter between them, a try */
}

/* Behind an open breaker no room becomes free, so what is still under way is not waited for. */
static void stopping_does_not_wait_for_room_behind_an_open_breaker(void **state)
{
    (void)state;
    keeps_lease = true;
    max_unacknowledged_bytes = 1;
    breaker = (struct breaker_settings){ .window = 2, .share_ppm = 500000, .probe_ms = 5 };
    start();
    fakes_deliver(&fakes, "a!", false);
    fakes_deliver(&fakes, "b!", false);
    fakes_deliver(&fakes, "c!", false);
    wait_for(second_was_tried, "a try of the second");
    bridge_stop(bridge);
    wait_for(nothing_open, "the bridge to end");
    assert_false(bridge_acknowledged_all(bridge));
}

static bool reconnected_and_acked(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 2001;
}

/* Tags of the lost connection are never sent on the next one. */
static void a_lost_connection_forgets_its_tags(void **state)
{
    (void)state;
    block(true);
    start();
    fakes_deliver(&fakes, "a", false);
    fakes_deliver(&fakes, "b", false);
    wait_for(two_delivered, "both deliveries");
    pthread_mutex_lock(&fakes.lock);
    fakes.cut = true;
    pthread_mutex_unlock(&fakes.lock);
    block(false);
    fakes_deliver(&fakes, "c", false);
    wait_for(reconnected_and_acked, "the acknowledgement on the second connection");
    pthread_mutex_lock(&fakes.lock);
    for (size_t i = 0; i < fakes.ack_count; i++)
        assert_true(fakes.acks[i] == 1001 || fakes.acks[i] == 1002 || fakes.acks[i] == 2001);
    pthread_mutex_unlock(&fakes.lock);
}

static bool second_connection(const struct fakes *now)
{
    return now->connections == 2;
}

/* Another instance raised the epoch: what is unacknowledged is dropped, and this one begins
   again when it may. */
static void a_lost_lease_begins_a_new_subscription(void **state)
{
    (void)state;
    fakes.outcomes[0] = WRITE_LEASE_LOST;
    fakes.outcome_count = 1;
    start();
    fakes_deliver(&fakes, "a", false);
    wait_for(second_connection, "the second connection");
    fakes_deliver(&fakes, "b", true);
    wait_for(reconnected_and_acked, "the acknowledgement on the second connection");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.connections, 2);
    assert_int_equal(fakes.ack_count, 1);
    assert_int_equal(fakes.epoch, 2);
    pthread_mutex_unlock(&fakes.lock);
}

static void stopping_finishes_what_was_delivered(void **state)
{
    (void)state;
    block(true);
    start();
    fakes_deliver(&fakes, "a", false);
    fakes_deliver(&fakes, "b", false);
    wait_for(two_delivered, "both deliveries");
    bridge_stop(bridge);
    assert_false(bridge_finished(bridge));
    block(false);
    wait_for(nothing_open, "the bridge to end");
    pthread_mutex_lock(&fakes.lock);
    assert_true(fakes.cancelled);
    assert_int_equal(fakes.acks[fakes.ack_count - 1], 1002);
    pthread_mutex_unlock(&fakes.lock);
    assert_true(bridge_acknowledged_all(bridge));
}

static bool looked_twice(const struct fakes *now)
{
    return now->inspections >= 2;
}

static bool connected(const struct fakes *now)
{
    return now->connections == 1;
}

static bool first_acked(const struct fakes *now)
{
    return now->ack_count == 1;
}

/* A silent predecessor may still hold deliveries: nothing is taken while the broker still has its
   consumer. */
static void a_taken_over_queue_is_consumed_when_alone(void **state)
{
    (void)state;
    fakes.expired_holder = true;
    fakes.other_consumers = 1;
    fakes_deliver(&fakes, "a", false);
    start();
    wait_for(looked_twice, "two looks at who else consumes");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.delivered, 0);
    fakes.other_consumers = 0;
    pthread_mutex_unlock(&fakes.lock);
    wait_for(first_acked, "the acknowledgement");
}

/* What is newer must not be taken while the predecessor may still hold what is older, not even to
   finish; and whoever comes next has to wait as well, which the lease that was not released tells
   it. */
static void stopping_ends_the_wait_for_the_predecessor(void **state)
{
    (void)state;
    keeps_lease = true;
    fakes.expired_holder = true;
    fakes.other_consumers = 1;
    start();
    wait_for(looked_twice, "two looks at who else consumes");
    bridge_stop(bridge);
    wait_for(nothing_open, "the bridge to end");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.subscriptions, 0);
    pthread_mutex_unlock(&fakes.lock);
}

static bool looked_thrice(const struct fakes *now)
{
    return now->inspections >= 3;
}

/* The broker may not have noticed that a connection is lost, and still hold deliveries for it. */
static void a_lost_connection_is_waited_for(void **state)
{
    (void)state;
    start();
    fakes_deliver(&fakes, "a", false);
    wait_for(first_acked, "the acknowledgement");
    pthread_mutex_lock(&fakes.lock);
    fakes.other_consumers = 1;
    fakes.cut = true;
    pthread_mutex_unlock(&fakes.lock);
    fakes_deliver(&fakes, "b", false);
    wait_for(looked_thrice, "two looks at who else consumes");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.subscriptions, 1);
    fakes.other_consumers = 0;
    pthread_mutex_unlock(&fakes.lock);
    wait_for(reconnected_and_acked, "the acknowledgement on the second connection");
}

static bool given_up_once(const struct fakes *now)
{
    return now->looks >= 2;
}

/* No other consumer is seen, and yet one may be there: it froze before its subscription, or after
   its cancellation. */
static void a_predecessor_that_is_not_counted_is_waited_for(void **state)
{
    (void)state;
    fakes.expired_holder = true;
    fakes.uncounted_holder = true;
    fakes_deliver(&fakes, "a", false);
    start();
    wait_for(looked_thrice, "three looks at who else consumes");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.subscriptions, 0);
    pthread_mutex_unlock(&fakes.lock);
    wait_for(first_acked, "the acknowledgement, after three heartbeats");
}

/* Its lease is fresh and it runs on another machine: this instance only stands by. */
static void a_held_queue_is_left_alone(void **state)
{
    (void)state;
    fakes.fresh_holder = true;
    start();
    wait_for(given_up_once, "two looks at the lease");
    pthread_mutex_lock(&fakes.lock);
    assert_int_equal(fakes.connections, 0);
    assert_int_equal(fakes.epoch, 0);
    fakes.fresh_holder = false;
    pthread_mutex_unlock(&fakes.lock);
    wait_for(connected, "the connection once nobody holds the queue");
}

static bool interrupted_and_connected_again(const struct fakes *now)
{
    return now->interruptions == 1 && now->subscriptions == 2;
}

static bool acked_on_the_second(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 2001;
}

static void a_call_that_does_not_return_is_interrupted(void **state)
{
    (void)state;
    pthread_mutex_lock(&fakes.lock);
    fakes.stuck = true;
    pthread_mutex_unlock(&fakes.lock);
    start();
    fakes_deliver(&fakes, "a", false);
    wait_for(interrupted_and_connected_again, "the watchdog, and a new subscription");
    fakes_deliver(&fakes, "a", true);
    wait_for(acked_on_the_second, "the acknowledgement on the second connection");
}

static bool asked_and_begun_again(const struct fakes *now)
{
    return now->questions >= 2 && now->subscriptions == 2;
}

static void a_stalled_subscription_is_replaced(void **state)
{
    (void)state;
    pthread_mutex_lock(&fakes.lock);
    fakes.held_back = 3;
    pthread_mutex_unlock(&fakes.lock);
    start();
    wait_for(asked_and_begun_again, "two questions, and another subscription");
    fakes_deliver(&fakes, "a", false);
    wait_for(acked_on_the_second, "the acknowledgement on the second connection");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_acknowledged_before_it_is_committed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_claim_is_retracted_before_the_subscription_is_cancelled,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(redelivered_messages_are_one_transaction, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_ends_the_redelivered_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_has_its_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_is_sorted_by_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_taken_beyond_max_unacknowledged_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(stopping_does_not_wait_for_room_behind_an_open_breaker,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_connection_forgets_its_tags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_lease_begins_a_new_subscription, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_finishes_what_was_delivered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_predecessor_that_is_not_counted_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_taken_over_queue_is_consumed_when_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(stopping_ends_the_wait_for_the_predecessor, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_held_queue_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_that_does_not_return_is_interrupted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stalled_subscription_is_replaced, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
