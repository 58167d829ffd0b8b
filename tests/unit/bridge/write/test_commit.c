/* One transaction until it is decided, of one writer without its thread. */
#include "bridge/write/commit.h"

#include "base/thread.h"
#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct fake_queue fake;
static struct message **const messages = fake.messages;
static struct write_report report;

static int set_up(void **state)
{
    (void)state;
    fake_queue_init(&fake, &(struct write_settings){ .writers = 1 });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_queue_release(&fake);
    return 0;
}

static void add(const char *body)
{
    fake_queue_message(&fake, body);
}

static enum commit_result commit_all(bool probe, unsigned tries)
{
    const struct write_request request = { .messages = messages,
                                           .count = fake.message_count,
                                           .probe = probe };

    return commit_until_decided(fake.session, &request, tries, &report);
}

static bool is_committed(size_t number)
{
    return atomic_load(&messages[number]->committed);
}

static void script(const enum write_outcome *outcomes, size_t outcome_count)
{
    memcpy(fake.fakes.outcomes, outcomes, outcome_count * sizeof(*outcomes));
    fake.fakes.outcome_count = outcome_count;
}

static void committed_messages_are_marked_counted_and_told(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    add("?");
    add("a");
    add("b");
    assert_int_equal(commit_all(false, 1), COMMIT_DONE);
    assert_true(is_committed(0) && is_committed(1) && is_committed(2));
    assert_true(doorbell_wait(&fake.queue.consumer, 0));
    counters_status(&fake.queue.counters, &status);
    assert_int_equal(status.committed, 3);
    assert_int_equal(status.dead_letters[REFUSAL_NOT_JSON], 1);
    assert_int_equal(status.transactions, 1);
    assert_true(status.last_commit_us > 0);
}

static void a_probe_leaves_everything_as_it_was(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    add("a");
    assert_int_equal(commit_all(true, 1), COMMIT_DONE);
    assert_false(is_committed(0));
    assert_false(doorbell_wait(&fake.queue.consumer, 0));
    counters_status(&fake.queue.counters, &status);
    assert_int_equal(status.committed, 0);
    assert_int_equal(status.transactions, 0);
}

static void a_refusal_is_said_at_once(void **state)
{
    (void)state;
    add("a!");
    assert_int_equal(commit_all(false, 1), COMMIT_REFUSED);
    assert_string_equal(report.sqlstate, "23514");
    assert_false(is_committed(0));
    assert_int_equal(fake.fakes.attempts, 1);
}

static void an_outage_is_repeated_until_it_is_over(void **state)
{
    static const enum write_outcome outcomes[] = { WRITE_RETRY, WRITE_PAUSE, WRITE_RETRY };
    struct queue_status status = { 0 };

    (void)state;
    script(outcomes, 3);
    add("a");
    assert_int_equal(commit_all(false, 1), COMMIT_DONE);
    assert_int_equal(fake.fakes.attempts, 4);
    assert_true(is_committed(0));
    counters_status(&fake.queue.counters, &status);
    assert_int_equal(status.retries, 3);
}

static void an_error_without_a_rule_is_suspect_after_its_tries(void **state)
{
    (void)state;
    add("a*");
    assert_int_equal(commit_all(false, 2), COMMIT_SUSPECT);
    assert_int_equal(fake.fakes.attempts, 2);
    assert_string_equal(report.sqlstate, "ZZ001");
    assert_false(is_committed(0));
}

/* Only the losses in statements with rows count: the others are an outage, however many. */
static void a_connection_lost_with_rows_is_suspect_after_its_tries(void **state)
{
    static const enum write_outcome outcomes[] = { WRITE_RETRY, WRITE_RETRY, WRITE_RETRY };

    (void)state;
    script(outcomes, 3);
    add("a+");
    assert_int_equal(commit_all(false, 3), COMMIT_SUSPECT);
    assert_int_equal(fake.fakes.attempts, 3 + 3);
    assert_string_equal(report.sqlstate, "57P01");
    assert_false(is_committed(0));
}

/* Each wait is longer, whatever is asked for meanwhile, until something is committed. */
static void waits_grow_until_something_is_committed(void **state)
{
    static const enum write_outcome outcomes[] = { WRITE_RETRY, WRITE_RETRY };

    (void)state;
    script(outcomes, 2);
    add("a*");
    assert_int_equal(commit_all(false, 2), COMMIT_SUSPECT);
    assert_int_equal(commit_all(true, 2), COMMIT_SUSPECT);
    assert_int_equal(fake.session->retry.attempts, 4);
    fake.fakes.mended = true;
    assert_int_equal(commit_all(true, 1), COMMIT_DONE); /* a probe commits nothing */
    assert_int_equal(fake.session->retry.attempts, 4);
    assert_int_equal(commit_all(false, 1), COMMIT_DONE);
    assert_int_equal(fake.session->retry.attempts, 0);
}

/* After the wait the reason may have gone. */
static void a_verdict_is_not_kept_over_a_wait(void **state)
{
    static const enum write_outcome outcomes[] = { WRITE_RETRY };

    (void)state;
    script(outcomes, 1);
    add("a!");
    messages[0]->refused = true;
    messages[0]->refusal.reason = REFUSAL_REJECTED_BY_DATABASE;
    assert_int_equal(commit_all(false, 0), COMMIT_JUDGE_AGAIN);
    assert_int_equal(fake.fakes.attempts, 1);
    assert_false(is_committed(0));
}

/* No waiting mends it, so there is only one attempt. */
static void what_takes_too_much_is_suspect_at_once(void **state)
{
    (void)state;
    add("a#");
    assert_int_equal(commit_all(false, 3), COMMIT_SUSPECT);
    assert_int_equal(fake.fakes.attempts, 1);
}

/* A batch that is halved is no error at all. */
static void what_kopru_gave_up_is_not_the_databases_fault(void **state)
{
    struct write_report gave_up = { .gave_up = true, .divisible = true };
    struct queue_status status = { 0 };

    (void)state;
    counters_outcome(&fake.queue.counters, &fake.session->marks, WRITE_RETRY, &gave_up);
    counters_status(&fake.queue.counters, &status);
    assert_string_equal(status.database_error.event, "");
    gave_up.divisible = false;
    counters_outcome(&fake.queue.counters, &fake.session->marks, WRITE_RETRY, &gave_up);
    counters_status(&fake.queue.counters, &status);
    assert_string_equal(status.database_error.event, "too_much_memory");
    assert_string_equal(counters_failure(WRITE_PAUSE, &gave_up), "paused");
    assert_string_equal(counters_failure(WRITE_RETRY, &report), "database_unavailable");
}

static void a_lost_lease_abandons_and_is_told(void **state)
{
    static const enum write_outcome outcomes[] = { WRITE_LEASE_LOST };

    (void)state;
    queue_lease_acquired(&fake.queue.lease, 0, 0, HANDOVER_NONE);
    script(outcomes, 1);
    add("a");
    assert_int_equal(commit_all(false, 0), COMMIT_ABANDONED);
    assert_false(is_committed(0));
    assert_false(queue_lease_view(&fake.queue.lease).held);
}

static void *abandon(void *argument)
{
    pthread_mutex_lock(&fake.fakes.lock);
    while (fake.fakes.attempts < 2)
        pthread_cond_wait(&fake.fakes.changed, &fake.fakes.lock);
    pthread_mutex_unlock(&fake.fakes.lock);
    atomic_store(&fake.writers.shared.abandoned, true);
    session_wake(fake.session);
    return argument;
}

/* Without a limit of tries it would be repeated for ever. */
static void the_end_of_the_subscription_ends_the_repeating(void **state)
{
    pthread_t thread;
    struct error err;

    (void)state;
    add("a*");
    assert_int_equal(thread_start(&thread, "abandoner", abandon, NULL, &err), 0);
    assert_int_equal(commit_all(false, 0), COMMIT_ABANDONED);
    pthread_join(thread, NULL);
    assert_false(is_committed(0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(committed_messages_are_marked_counted_and_told),
        TEST(a_probe_leaves_everything_as_it_was),
        TEST(a_refusal_is_said_at_once),
        TEST(an_outage_is_repeated_until_it_is_over),
        TEST(an_error_without_a_rule_is_suspect_after_its_tries),
        TEST(a_connection_lost_with_rows_is_suspect_after_its_tries),
        TEST(waits_grow_until_something_is_committed),
        TEST(a_verdict_is_not_kept_over_a_wait),
        TEST(what_takes_too_much_is_suspect_at_once),
        TEST(what_kopru_gave_up_is_not_the_databases_fault),
        TEST(a_lost_lease_abandons_and_is_told),
        TEST(the_end_of_the_subscription_ends_the_repeating),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
