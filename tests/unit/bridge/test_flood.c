/* One writer at the breaker, without its thread. */
#include "bridge/flood.h"

#include "bridge/isolate.h"

#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { WINDOW = 4 };

static struct fakes fakes;
static struct stream stream;
static struct message *messages[FAKE_MAX];
static size_t count;

static int set_up(void **state)
{
    const struct stream_settings settings = {
        .queue = "q",
        .entity = "e",
        .writers = 1,
        .prefetch = 10,
        .isolate_attempts = 3,
        .isolate_ms = 1000,
        .breaker = { .window = WINDOW, .share_ppm = 500000, .probe_ms = 5 }
    };
    struct stream_ports ports;
    struct error err;

    (void)state;
    count = 0;
    fakes_init(&fakes);
    ports = fakes_ports(&fakes);
    return stream_init(&stream, &settings, &ports, &err);
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++)
        message_free(messages[i]);
    stream_release(&stream);
    fakes_release(&fakes);
    return 0;
}

static bool write_bodies(const char *const *bodies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        messages[count + i] = fakes_message(bodies[i], count + i);
    }
    count += n;
    return isolate_write(&stream.writers[0], messages + count - n, n);
}

#define WRITE(...)                                                                                 \
    write_bodies((const char *const[]){ __VA_ARGS__ },                                             \
                 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* The person who drops the constraint, some tries after the breaker has opened. */
static void *mend(void *unused)
{
    pthread_mutex_lock(&fakes.lock);
    while (!breaker_is_open(&stream.breaker) || fakes.attempts < 20)
        pthread_cond_wait(&fakes.changed, &fakes.lock);
    fakes.mended = true;
    pthread_mutex_unlock(&fakes.lock);
    return unused;
}

static void what_was_held_is_judged_again(void **state)
{
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, mend, NULL), 0);
    assert_true(WRITE("a!", "b!", "c!", "d!", "e!", "f!"));
    pthread_join(thread, NULL);
    assert_false(breaker_is_open(&stream.breaker));
    assert_int_equal(atomic_load(&stream.dead_letters), 0);
    for (size_t i = 0; i < count; i++)
        assert_true(atomic_load(&messages[i]->done) && !messages[i]->refused);
    assert_int_equal(fakes.transaction_count, 2);
    assert_string_equal(fakes.transactions[0], "probe a!");
    assert_string_equal(fakes.transactions[1], "a! b! c! d! e! f!");
}

static void *give_up(void *unused)
{
    pthread_mutex_lock(&fakes.lock);
    while (!breaker_is_open(&stream.breaker) || fakes.attempts < 20)
        pthread_cond_wait(&fakes.changed, &fakes.lock);
    pthread_mutex_unlock(&fakes.lock);
    atomic_store(&stream.abandoned, true);
    breaker_wake(&stream.breaker);
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
    assert_true(breaker_is_open(&stream.breaker));
    assert_int_equal(fakes.transaction_count, 0);
    for (size_t i = 0; i < count; i++)
        assert_false(atomic_load(&messages[i]->done));
}

/* After many more tries than there are messages. */
static void *give_up_at_last(void *unused)
{
    pthread_mutex_lock(&fakes.lock);
    while (fakes.transaction_count < 2 && fakes.attempts < 200)
        pthread_cond_wait(&fakes.changed, &fakes.lock);
    pthread_mutex_unlock(&fakes.lock);
    atomic_store(&stream.abandoned, fakes.attempts >= 200);
    breaker_wake(&stream.breaker);
    return unused;
}

/* The first that was refused is at fault itself, and stays so. */
static void a_message_at_fault_does_not_keep_it_open(void **state)
{
    pthread_t mender;
    pthread_t watcher;

    (void)state;
    assert_int_equal(pthread_create(&mender, NULL, mend, NULL), 0);
    assert_int_equal(pthread_create(&watcher, NULL, give_up_at_last, NULL), 0);
    assert_true(WRITE("a!!", "b!", "c!", "d!", "e!", "f!"));
    pthread_join(mender, NULL);
    pthread_join(watcher, NULL);
    assert_false(breaker_is_open(&stream.breaker));
    assert_int_equal(atomic_load(&stream.dead_letters), 1);
    for (size_t i = 0; i < count; i++)
        assert_true(atomic_load(&messages[i]->done) && messages[i]->refused == (i == 0));
}

static void what_kopru_refuses_is_not_in_the_window(void **state)
{
    (void)state;
    assert_true(WRITE("?", "?", "?", "?", "?", "?"));
    assert_int_equal(stream.breaker.filled, 0);
    assert_true(WRITE("?", "a", "b!"));
    assert_int_equal(stream.breaker.filled, 2);
    assert_false(breaker_is_open(&stream.breaker));
}

/* Else a queue of nothing but broken payloads would stand still behind it. */
static void what_kopru_refuses_passes_an_open_breaker(void **state)
{
    const struct write_report report = { .sqlstate = "23514" };

    (void)state;
    stream.breaker.settings.probe_ms = 3600000;
    for (int i = 0; i < WINDOW; i++)
        breaker_note_refusal(&stream.breaker, &report);
    assert_true(breaker_is_open(&stream.breaker));
    assert_true(WRITE("?", "?"));
    assert_string_equal(fakes.transactions[0], "dead:? dead:?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_held_is_judged_again),
        TEST(the_end_of_the_subscription_ends_the_wait),
        TEST(a_message_at_fault_does_not_keep_it_open),
        TEST(what_kopru_refuses_is_not_in_the_window),
        TEST(what_kopru_refuses_passes_an_open_breaker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
