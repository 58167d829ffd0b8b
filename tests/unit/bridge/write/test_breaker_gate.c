/* One writer at the breaker, without its thread. */
#include "bridge/write/breaker_gate.h"

#include "bridge/write/isolate.h"

#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { WINDOW = 4 };

static struct fake_queue fake;
static struct breaker *breaker;
static struct message **const messages = fake.messages;

static int set_up(void **state)
{
    const struct write_settings settings = {
        .writers = 1,
        .quarantine_attempts = 3,
        .quarantine_span_ms = 1000,
        .breaker = { .window = WINDOW, .share_ppm = 500000, .probe_ms = 5 }
    };

    (void)state;
    fake_queue_init(&fake, &settings);
    breaker = &fake.writers.shared.breaker;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_queue_release(&fake);
    return 0;
}

static bool write_bodies(const char *const *bodies, size_t n)
{
    struct message **batch = messages + fake.message_count;

    for (size_t i = 0; i < n; i++)
        fake_queue_message(&fake, bodies[i]);
    return isolate_write(fake.session, batch, n);
}

#define WRITE(...)                                                                                 \
    write_bodies((const char *const[]){ __VA_ARGS__ },                                             \
                 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* A person drops the constraint some tries after the breaker has opened, and when it is the first
   message's turn again. A thread that did that would come too late on a busy machine. */
enum { MENDED_AFTER = 20 };

static void what_was_held_is_judged_again(void **state)
{
    (void)state;
    fake.fakes.mended_after = MENDED_AFTER;
    assert_true(WRITE("a!", "b!", "c!", "d!", "e!", "f!"));
    assert_int_equal(breaker->status.openings, 1);
    assert_false(breaker_is_open(breaker));
    assert_int_equal(atomic_load(&fake.queue.counters.dead_letters[REFUSAL_REJECTED_BY_DATABASE]),
                     0);
    for (size_t i = 0; i < fake.message_count; i++)
        assert_true(atomic_load(&messages[i]->committed) && !messages[i]->refused);
    assert_int_equal(fake.fakes.transaction_count, 2);
    assert_string_equal(fake.fakes.transactions[0], "probe a!");
    assert_string_equal(fake.fakes.transactions[1], "a! b! c! d! e! f!");
}

/* A probe whose message kopru itself refuses, since its row has grown, never asks the database. */
static void a_message_that_is_too_large_by_now_proves_nothing(void **state)
{
    (void)state;
    fake.fakes.mended_after = MENDED_AFTER;
    fake.fakes.grown_until = MENDED_AFTER;
    assert_true(WRITE("a!", "b!", "c!", "d!", "e!", "f!"));
    assert_int_equal(breaker->status.openings, 1);
    assert_true(fake.fakes.attempts > MENDED_AFTER);
    for (size_t i = 0; i < fake.message_count; i++)
        assert_true(atomic_load(&messages[i]->committed) && !messages[i]->refused);
}

static void *give_up(void *unused)
{
    pthread_mutex_lock(&fake.fakes.lock);
    while (!breaker_is_open(breaker) || fake.fakes.attempts < 20)
        pthread_cond_wait(&fake.fakes.changed, &fake.fakes.lock);
    pthread_mutex_unlock(&fake.fakes.lock);
    atomic_store(&fake.writers.shared.abandoned, true);
    breaker_wake(breaker);
    return unused;
}

/* Nothing is written, and the breaker stays as it is. */
static void the_end_of_the_subscription_ends_the_wait(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, give_up, NULL), 0);
    assert_false(WRITE("a!", "b!", "c!", "d!", "e!"));
    pthread_join(thread, NULL);
    assert_true(breaker_is_open(breaker));
    assert_int_equal(fake.fakes.transaction_count, 0);
    for (size_t i = 0; i < fake.message_count; i++)
        assert_false(atomic_load(&messages[i]->committed));
}

/* After many more tries than there are messages. */
static void *give_up_at_last(void *unused)
{
    bool too_many;

    pthread_mutex_lock(&fake.fakes.lock);
    while (fake.fakes.transaction_count < 2 && fake.fakes.attempts < 200)
        pthread_cond_wait(&fake.fakes.changed, &fake.fakes.lock);
    too_many = fake.fakes.attempts >= 200;
    pthread_mutex_unlock(&fake.fakes.lock);
    atomic_store(&fake.writers.shared.abandoned, too_many);
    breaker_wake(breaker);
    return unused;
}

/* The first that was refused is at fault itself, and stays so. */
static void a_message_at_fault_does_not_keep_it_open(void **state)
{
    pthread_t watcher;

    (void)state;
    fake.fakes.mended_after = MENDED_AFTER;
    assert_int_equal(pthread_create(&watcher, NULL, give_up_at_last, NULL), 0);
    assert_true(WRITE("a!!", "b!", "c!", "d!", "e!", "f!"));
    pthread_join(watcher, NULL);
    assert_false(breaker_is_open(breaker));
    assert_int_equal(atomic_load(&fake.queue.counters.dead_letters[REFUSAL_REJECTED_BY_DATABASE]),
                     1);
    for (size_t i = 0; i < fake.message_count; i++)
        assert_true(atomic_load(&messages[i]->committed) && messages[i]->refused == (i == 0));
}

static void what_kopru_refuses_is_not_in_the_window(void **state)
{
    (void)state;
    assert_true(WRITE("?", "?", "?", "?", "?", "?"));
    assert_int_equal(breaker->filled, 0);
    assert_true(WRITE("?", "a", "b!"));
    assert_int_equal(breaker->filled, 2);
    assert_false(breaker_is_open(breaker));
}

/* Else a queue of nothing but broken payloads would stand still behind it. */
static void what_kopru_refuses_passes_an_open_breaker(void **state)
{
    const struct write_report report = { .sqlstate = "23514" };

    (void)state;
    breaker->settings.probe_ms = 3600000;
    for (int i = 0; i < WINDOW; i++)
        breaker_note_refusal(breaker, &report);
    assert_true(breaker_is_open(breaker));
    assert_true(WRITE("?", "?"));
    assert_string_equal(fake.fakes.transactions[0], "dead:? dead:?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_held_is_judged_again),
        TEST(a_message_that_is_too_large_by_now_proves_nothing),
        TEST(the_end_of_the_subscription_ends_the_wait),
        TEST(a_message_at_fault_does_not_keep_it_open),
        TEST(what_kopru_refuses_is_not_in_the_window),
        TEST(what_kopru_refuses_passes_an_open_breaker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
