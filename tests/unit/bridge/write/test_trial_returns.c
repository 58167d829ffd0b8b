/* Quarantined messages that the broker would drop when they come back a few times more. */
#include "bridge/write/isolate.h"

#include "base/clock.h"
#include "model/returns.h"

#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { SPAN_MS = 60, TRIALS = 6 };

static struct fake_queue fake;

static int set_up(void **state)
{
    const struct write_settings settings = { .writers = 1,
                                             .quarantine_attempts = 2,
                                             .quarantine_span_ms = SPAN_MS };

    (void)state;
    fake_queue_init(&fake, &settings);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_queue_release(&fake);
    return 0;
}

static struct message *receive_one(const char *body, uint32_t returns)
{
    struct message *message = fake_queue_message(&fake, body);

    message->delivery->returns = returns;
    message->arrived_at_ms = clock_monotonic_ms();
    return message;
}

static struct message *write_one(const char *body, uint32_t returns)
{
    struct message *message = receive_one(body, returns);

    assert_true(isolate_write(fake.session, &(struct message *){ message }, 1));
    return message;
}

static void wait_for_next_millisecond(void)
{
    int64_t began_ms = clock_monotonic_ms();

    while (clock_monotonic_ms() == began_ms)
        nanosleep(&(struct timespec){ .tv_nsec = 200000L }, NULL);
}

/* Some more trials; between them a neighbour commits or does not. */
static void try_again(bool neighbours)
{
    for (int i = 0; i < TRIALS && fake.session->quarantine.count > 0; i++) {
        if (neighbours)
            write_one("d", 0);
        fake_queue_try_next(&fake);
    }
}

/* With an error that makes no dead letter otherwise: a privilege is missing. */
static void it_is_a_dead_letter_if_others_commit(void **state)
{
    struct message *message;

    (void)state;
    write_one("a", 0);
    message = write_one("b$", RETURNS_JUDGED);
    try_again(true);
    assert_true(atomic_load(&message->committed) && message->refused);
    assert_int_equal(message->refusal.reason, REFUSAL_REJECTED_BY_DATABASE);
    assert_int_equal(atomic_load(&fake.queue.counters.quarantine_rejected), 1);
    assert_true(clock_monotonic_ms() - message->arrived_at_ms >= SPAN_MS);
}

static void fewer_returns_leave_it_where_it_is(void **state)
{
    struct message *message;

    (void)state;
    write_one("a", 0);
    message = write_one("b$", RETURNS_JUDGED - 1);
    try_again(true);
    assert_false(atomic_load(&message->committed));
}

/* Nothing shows that it is no outage. */
static void without_a_commit_of_others_it_is_none(void **state)
{
    struct message *message;

    (void)state;
    write_one("a", 0);
    message = write_one("b$", RETURNS_JUDGED);
    try_again(false);
    assert_false(atomic_load(&message->committed));
}

/* While the message waited for its turn the outage had not begun yet. */
static void a_commit_before_it_failed_speaks_for_nothing(void **state)
{
    struct message *message = receive_one("b$", RETURNS_JUDGED);

    (void)state;
    wait_for_next_millisecond();
    write_one("a", 0);
    wait_for_next_millisecond();
    assert_true(isolate_write(fake.session, &message, 1));
    try_again(false);
    assert_false(atomic_load(&message->committed));
}

static void a_stored_row_speaks_for_the_others(void **state)
{
    struct message *message;

    (void)state;
    fake.fakes.witness = true;
    write_one("a", 0);
    message = write_one("b$", RETURNS_JUDGED);
    try_again(false);
    assert_true(atomic_load(&message->committed) && message->refused);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_a_dead_letter_if_others_commit),
        TEST(fewer_returns_leave_it_where_it_is),
        TEST(without_a_commit_of_others_it_is_none),
        TEST(a_commit_before_it_failed_speaks_for_nothing),
        TEST(a_stored_row_speaks_for_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
