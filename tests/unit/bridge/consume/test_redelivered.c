/* The redelivered messages: what is held back, who gets it, and how it is written. */
#include "bridge/consume/redelivered.h"

#include "asked_broker.h"
#include "bridge/bridge.h"
#include "bridge/timing.h"
#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { WRITERS = 3, PREFETCH = 5, MAX_BYTES = 1 << 20, SILENCE_MS = REDELIVERED_SILENCE_MS };

static struct fake_queue fake;
static struct redelivered redelivered;
static struct bridge *bridge;

static int set_up(void **state)
{
    (void)state;
    fake_queue_init(&fake, &(struct write_settings){ .writers = WRITERS });
    redelivered =
        (struct redelivered){ .writers = &fake.writers, .queue = "q", .max_messages = PREFETCH };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_queue_release(&fake);
    return 0;
}

static void hold(const char *body, size_t unacknowledged)
{
    redelivered_hold(&redelivered, fake_queue_message(&fake, body), unacknowledged);
}

/* How many messages wait for all writers: those of one id for one writer, in order. */
static size_t waiting(void)
{
    size_t total = 0;

    for (size_t w = 0; w < WRITERS; w++) {
        const struct message *message = fake.writers.writers[w].first;

        for (; message != NULL; message = message->next) {
            assert_true(message->in_redelivered_batch);
            assert_true(message->next == NULL || message->next->position > message->position);
            total++;
        }
    }
    return total;
}

static size_t writers_with(char id)
{
    size_t total = 0;

    for (size_t w = 0; w < WRITERS; w++) {
        const struct message *message = fake.writers.writers[w].first;

        while (message != NULL && (message->refused || message->change->id.data[0] != id))
            message = message->next;
        total += message != NULL;
    }
    return total;
}

static void each_writer_gets_its_part_in_order(void **state)
{
    static const char *const bodies[] = { "a1", "b1", "?", "a2", "c1", "d1", "b2", "a3" };

    (void)state;
    redelivered.max_messages = 100;
    redelivered_begin(&redelivered, 100, true);
    for (size_t i = 0; i < 8; i++)
        hold(bodies[i], i + 1);
    assert_int_equal(redelivered.held, 8);
    assert_int_equal(waiting(), 0);
    redelivered_release(&redelivered, "test");
    assert_true(redelivered.open);
    assert_int_equal(redelivered.held, 0);
    assert_null(redelivered.first);
    assert_int_equal(waiting(), 8);
    for (const char *id = "abcd"; *id != '\0'; id++)
        assert_int_equal(writers_with(*id), 1);
    redelivered_end(&redelivered, "test");
    assert_false(redelivered.open);
}

static void a_full_prefetch_ends_it(void **state)
{
    (void)state;
    redelivered_begin(&redelivered, PREFETCH, true);
    for (size_t i = 0; i < PREFETCH; i++) {
        assert_true(redelivered.open);
        hold("a1", i + 1);
        if (i == 1) /* what was released counts */
            redelivered_release(&redelivered, "test");
    }
    assert_false(redelivered.open);
    assert_int_equal(redelivered.total, PREFETCH);
    assert_int_equal(waiting(), PREFETCH);
    assert_int_equal(writers_with('a'), 1);
}

/* What another consumer held may be more than this one may prefetch: it goes on, and none of it is
   late. */
static void a_smaller_prefetch_releases_a_part(void **state)
{
    (void)state;
    redelivered_begin(&redelivered, 2, true);
    for (size_t i = 0; i < 4; i++) {
        hold("a1", i % 2 + 1);
        assert_true(redelivered.open);
        assert_int_equal(redelivered.held, i % 2 == 0 ? 1 : 0);
    }
}

/* All that was unacknowledged before fits for certain, with some that was acknowledged in vain. */
static void it_has_more_room_than_what_follows(void **state)
{
    (void)state;
    redelivered_begin(&redelivered, PREFETCH, true);
    assert_int_equal(redelivered_room(&redelivered, MAX_BYTES), 1 << 20);
    redelivered_end(&redelivered, "test");
    assert_int_equal(redelivered_room(&redelivered, MAX_BYTES), 3 << 18);
}

/* A look after such a silence, and as long after the last answer. */
static int look_after(struct scripted *scripted, int64_t silent_ms)
{
    struct error err;

    redelivered.answered_at_ms -= silent_ms;
    return redelivered_ask(&redelivered, &port, scripted, silent_ms, &err);
}

static void a_silence_ends_them_when_the_broker_has_no_more(void **state)
{
    struct scripted scripted = { .consumers = 1 };

    (void)state;
    redelivered_begin(&redelivered, PREFETCH, true);
    hold("a1", 1);
    assert_int_equal(look_after(&scripted, SILENCE_MS / 2), 0);
    assert_int_equal(scripted.questions, 0);
    look_after(&scripted, SILENCE_MS);
    look_after(&scripted, SILENCE_MS);
    assert_int_equal(scripted.questions, 1); /* until it is answered */

    scripted.answers = true;
    look_after(&scripted, 0);
    assert_int_equal(scripted.questions, 2); /* what was on its way comes before that answer */
    assert_true(redelivered.open);
    hold("a2", 2);
    look_after(&scripted, 0);
    assert_false(redelivered.open);
    assert_int_equal(scripted.questions, 2);
    assert_int_equal(waiting(), 2);
}

static void no_silence_ends_them_while_messages_are_ready(void **state)
{
    struct scripted scripted = { .answers = true, .messages = 1, .consumers = 1 };

    (void)state;
    redelivered_begin(&redelivered, PREFETCH, true);
    hold("a1", 1);
    for (int answers = 0; answers < REDELIVERED_ANSWERS - 1; answers++) {
        look_after(&scripted, SILENCE_MS);
        look_after(&scripted, 0);
        assert_int_equal(scripted.questions, answers + 1); /* not at once again */
    }
    hold("a2", 2);
    for (int answers = 0; answers < REDELIVERED_ANSWERS - 1; answers++) {
        look_after(&scripted, SILENCE_MS);
        look_after(&scripted, 0);
    }
    assert_int_equal(redelivered.held, 2);
    look_after(&scripted, SILENCE_MS);
    look_after(&scripted, 0); /* one answer too many, with nothing delivered */
    assert_false(redelivered.open);
    assert_int_equal(waiting(), 2);
}

static void a_queue_that_counts_no_consumer_tells_nothing(void **state)
{
    struct scripted scripted = { .answers = true };

    (void)state;
    redelivered_begin(&redelivered, PREFETCH, true);
    hold("a1", 1);
    for (int look = 0; look < 4; look++)
        look_after(&scripted, SILENCE_MS);
    assert_true(redelivered.open);
}

static void what_has_ended_waits_for_no_answer(void **state)
{
    struct scripted scripted = { 0 };

    (void)state;
    redelivered_begin(&redelivered, PREFETCH, true);
    look_after(&scripted, SILENCE_MS);
    assert_true(redelivered.asked);
    redelivered_end(&redelivered, "test");
    assert_false(redelivered.asked);
    assert_int_equal(scripted.questions, 1);
}

static void a_broker_that_cannot_be_asked_is_gone(void **state)
{
    struct scripted scripted = { .broken = true };

    (void)state;
    redelivered_begin(&redelivered, PREFETCH, true);
    assert_int_equal(look_after(&scripted, SILENCE_MS), -1);
}

static bool all_acked(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 1004;
}

static bool nothing_open(const struct fakes *now)
{
    return now->open == 0 && now->released == 1;
}

/* No transaction takes more than one entity's messages here, and none takes fewer. */
static void what_is_too_large_is_divided_between_entities_only(void **state)
{
    const struct lease_port lease = fakes_lease(&fake.fakes);
    const struct bridge_queue queue = {
        .name = "q",
        .entity = "e",
        .consume = { .prefetch = PREFETCH, .max_unacknowledged_bytes = MAX_BYTES },
        .write = { .writers = 1, .max_batch_messages = 1, .max_batch_bytes = 1 },
        .ports = fakes_ports(&fake.fakes),
    };
    struct error err;

    (void)state;
    fakes_deliver(&fake.fakes, "b1", true);
    fakes_deliver(&fake.fakes, "a1", true);
    fakes_deliver(&fake.fakes, "b2", true);
    fakes_deliver(&fake.fakes, "a2", true);
    assert_int_equal(bridge_start(&bridge, &queue, 1, &lease, &err), 0);
    pthread_mutex_lock(&fake.fakes.lock);
    fakes_wait(&fake.fakes, all_acked, "the acknowledgement of all");
    pthread_mutex_unlock(&fake.fakes.lock);
    bridge_stop(bridge);
    pthread_mutex_lock(&fake.fakes.lock);
    fakes_wait(&fake.fakes, nothing_open, "the bridge to end");
    pthread_mutex_unlock(&fake.fakes.lock);
    bridge_free(bridge);
    assert_int_equal(fake.fakes.transaction_count, 2);
    assert_string_equal(fake.fakes.transactions[0], "a1 a2");
    assert_string_equal(fake.fakes.transactions[1], "b1 b2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_writer_gets_its_part_in_order),
        TEST(a_full_prefetch_ends_it),
        TEST(a_smaller_prefetch_releases_a_part),
        TEST(it_has_more_room_than_what_follows),
        TEST(a_silence_ends_them_when_the_broker_has_no_more),
        TEST(no_silence_ends_them_while_messages_are_ready),
        TEST(a_queue_that_counts_no_consumer_tells_nothing),
        TEST(what_has_ended_waits_for_no_answer),
        TEST(a_broker_that_cannot_be_asked_is_gone),
        TEST(what_is_too_large_is_divided_between_entities_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
