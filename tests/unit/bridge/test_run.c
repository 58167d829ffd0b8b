/* The leading run: what is held, who gets it, and how it is written. */
#include "bridge/run.h"

#include "bridge/bridge.h"
#include "bridge/writer.h"
#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { WRITERS = 3, PREFETCH = 5 };

static struct fakes fakes;
static struct bridge *bridge;

static struct stream_settings settings_of(int writers, size_t max_batch_bytes)
{
    return (struct stream_settings){ .queue = "q",
                                     .entity = "e",
                                     .writers = writers,
                                     .prefetch = PREFETCH,
                                     .max_unacknowledged_bytes = 1 << 20,
                                     .max_batch_messages = 1,
                                     .max_batch_bytes = max_batch_bytes };
}

static int set_up(void **state)
{
    (void)state;
    fakes_init(&fakes);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fakes_release(&fakes);
    return 0;
}

static void init(struct stream *stream)
{
    const struct stream_settings settings = settings_of(WRITERS, 1 << 20);
    const struct stream_ports ports = fakes_ports(&fakes);
    struct error err;

    assert_int_equal(stream_init(stream, &settings, &ports, &err), 0);
}

static size_t waiting(const struct writer *writer)
{
    size_t count = 0;

    for (const struct message *message = writer->first; message != NULL; message = message->next) {
        assert_ptr_equal(writer_for(writer->stream, message), writer);
        assert_true(message->in_leading_run);
        assert_true(message->next == NULL || message->next->position > message->position);
        count++;
    }
    return count;
}

static void each_writer_gets_its_part_in_order(void **state)
{
    static const char *const bodies[] = { "a1", "b1", "?", "a2", "c1", "d1", "b2", "a3" };
    struct leading_run run = { 0 };
    struct message *messages[8];
    struct stream stream;

    (void)state;
    init(&stream);
    stream.settings.prefetch = 100;
    run_begin(&run, 100);
    for (size_t i = 0; i < 8; i++) {
        messages[i] = fakes_message(bodies[i], i);
        run_hold(&run, &stream, messages[i], i + 1);
    }
    assert_int_equal(run.held, 8);
    assert_int_equal(
        waiting(&stream.writers[0]) + waiting(&stream.writers[1]) + waiting(&stream.writers[2]), 0);
    run_release(&run, &stream, "test");
    assert_true(run.open);
    assert_int_equal(run.held, 0);
    assert_null(run.first);
    assert_int_equal(
        waiting(&stream.writers[0]) + waiting(&stream.writers[1]) + waiting(&stream.writers[2]), 8);
    run_end(&run, &stream, "test");
    assert_false(run.open);
    for (size_t i = 0; i < 8; i++)
        message_free(messages[i]);
    for (int w = 0; w < WRITERS; w++)
        stream.writers[w].first = stream.writers[w].last = NULL;
    stream_release(&stream);
}

static void a_full_window_ends_it(void **state)
{
    struct leading_run run = { 0 };
    struct message *messages[PREFETCH];
    struct stream stream;

    (void)state;
    init(&stream);
    run_begin(&run, PREFETCH);
    for (size_t i = 0; i < PREFETCH; i++) {
        assert_true(run.open);
        messages[i] = fakes_message("a1", i);
        run_hold(&run, &stream, messages[i], i + 1);
        if (i == 1) /* what was released counts */
            run_release(&run, &stream, "test");
    }
    assert_false(run.open);
    assert_int_equal(run.total, PREFETCH);
    assert_int_equal(waiting(writer_for(&stream, messages[0])), PREFETCH);
    for (size_t i = 0; i < PREFETCH; i++)
        message_free(messages[i]);
    for (int w = 0; w < WRITERS; w++)
        stream.writers[w].first = stream.writers[w].last = NULL;
    stream_release(&stream);
}

/* What another consumer held may be more than this one may have in hand: it goes on, and none of it
   is late. */
static void a_full_hand_releases_a_part(void **state)
{
    struct leading_run run = { 0 };
    struct message *messages[PREFETCH];
    struct stream stream;

    (void)state;
    init(&stream);
    run_begin(&run, 2);
    for (size_t i = 0; i < 4; i++) {
        messages[i] = fakes_message("a1", i);
        run_hold(&run, &stream, messages[i], i % 2 + 1);
        assert_true(run.open);
        assert_int_equal(run.held, i % 2 == 0 ? 1 : 0);
    }
    for (size_t i = 0; i < 4; i++)
        message_free(messages[i]);
    for (int w = 0; w < WRITERS; w++)
        stream.writers[w].first = stream.writers[w].last = NULL;
    stream_release(&stream);
}

/* All that was in hand before fits for certain, with some that was acknowledged in vain. */
static void it_has_more_room_than_what_follows(void **state)
{
    struct leading_run run = { 0 };
    struct stream stream;

    (void)state;
    init(&stream);
    run_begin(&run, PREFETCH);
    assert_int_equal(run_room(&run, &stream), 1 << 20);
    run_end(&run, &stream, "test");
    assert_int_equal(run_room(&run, &stream), 3 << 18);
    stream_release(&stream);
}

static bool all_acked(const struct fakes *now)
{
    return now->ack_count > 0 && now->acks[now->ack_count - 1] == 1004;
}

static bool nothing_open(const struct fakes *now)
{
    return now->open == 0 && now->given_back == 1;
}

/* No transaction takes more than one entity's messages here, and none takes fewer. */
static void a_large_run_is_divided_between_entities_only(void **state)
{
    const struct lease_port lease = fakes_lease(&fakes);
    const struct bridge_queue queue = { .settings = settings_of(1, 1),
                                        .ports = fakes_ports(&fakes) };
    struct error err;

    (void)state;
    fakes_deliver(&fakes, "b1", true);
    fakes_deliver(&fakes, "a1", true);
    fakes_deliver(&fakes, "b2", true);
    fakes_deliver(&fakes, "a2", true);
    assert_int_equal(bridge_start(&bridge, &queue, 1, &lease, &err), 0);
    pthread_mutex_lock(&fakes.lock);
    fakes_wait(&fakes, all_acked, "the acknowledgement of all");
    pthread_mutex_unlock(&fakes.lock);
    bridge_stop(bridge);
    pthread_mutex_lock(&fakes.lock);
    fakes_wait(&fakes, nothing_open, "the bridge to end");
    pthread_mutex_unlock(&fakes.lock);
    bridge_free(bridge);
    assert_int_equal(fakes.transaction_count, 2);
    assert_string_equal(fakes.transactions[0], "a1 a2");
    assert_string_equal(fakes.transactions[1], "b1 b2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_writer_gets_its_part_in_order),
        TEST(a_full_window_ends_it),
        TEST(a_full_hand_releases_a_part),
        TEST(it_has_more_room_than_what_follows),
        TEST(a_large_run_is_divided_between_entities_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
