/* Isolation and the quarantine, of one writer without its thread. */
#include "bridge/write/trial.h"

#include "base/clock.h"
#include "bridge/timing.h"
#include "bridge/write/isolate.h"
#include "config/option.h"

#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ATTEMPTS = 3, SPAN_MS = 60 };

static struct fake_queue fake;
static struct quarantine *quarantine;
static struct message **const messages = fake.messages;
static bool redelivered; /* whether what is written is flagged so */

static int set_up(void **state)
{
    const struct write_settings settings = { .writers = 1,
                                             .quarantine_attempts = ATTEMPTS,
                                             .quarantine_span_ms = SPAN_MS };

    (void)state;
    redelivered = false;
    fake_queue_init(&fake, &settings);
    quarantine = &fake.session->quarantine;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_queue_release(&fake);
    return 0;
}

/* As the writer does with what it takes: sorted by id here already. */
static bool write_bodies(const char *const *bodies, size_t n)
{
    struct message *batch[FAKE_MAX];

    for (size_t i = 0; i < n; i++) {
        batch[i] = fake_queue_message(&fake, bodies[i]);
        batch[i]->in_redelivered_batch = redelivered;
    }
    n = quarantine_divert(quarantine, batch, n);
    return n == 0 || isolate_write(fake.session, batch, n);
}

#define WRITE(...)                                                                                 \
    write_bodies((const char *const[]){ __VA_ARGS__ },                                             \
                 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static bool is_committed(size_t number)
{
    return atomic_load(&messages[number]->committed);
}

static bool was_written(const char *line)
{
    for (size_t i = 0; i < fake.fakes.transaction_count; i++)
        if (strcmp(fake.fakes.transactions[i], line) == 0)
            return true;
    return false;
}

static void retry(void)
{
    fake_queue_try_next(&fake);
}

/* More often and for longer than a message at fault may fail. */
static void retry_beyond_the_limits(void)
{
    int64_t begin_ms = clock_monotonic_ms();

    for (int i = 0; i < 2 * ATTEMPTS || clock_monotonic_ms() - begin_ms < INT64_C(3) * SPAN_MS;
         i++) {
        if (quarantine->count == 0)
            return;
        retry();
    }
}

static void its_neighbours_go_on_and_later_messages_of_it_wait(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*", "c"));
    assert_true(is_committed(0) && is_committed(2) && !is_committed(1));
    assert_int_equal(quarantine->count, 1);
    assert_true(WRITE("a2", "b2", "d"));
    assert_true(is_committed(3) && is_committed(5) && !is_committed(4));
    assert_int_equal(quarantine_messages(quarantine), 2);
    assert_false(was_written("b2"));
    fake.fakes.mended = true;
    retry();
    assert_true(was_written("b* b2"));
    assert_true(is_committed(1) && is_committed(4));
    assert_int_equal(quarantine->count, 0);
    assert_false(messages[1]->refused);
}

static void after_its_attempts_it_is_a_dead_letter_and_what_follows_commits(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    assert_true(WRITE("b2"));
    assert_true(WRITE("c")); /* the neighbour after its first failure */
    while (!is_committed(1)) {
        retry();
        assert_true(fake.fakes.attempts < FAKE_MAX);
        if (!is_committed(1))
            assert_true(WRITE("d"));
    }
    assert_true(was_written("dead:b* b2"));
    assert_true(is_committed(2));
    assert_true(messages[1]->failures >= ATTEMPTS);
    assert_true(clock_monotonic_ms() - messages[1]->failed_since_ms >= SPAN_MS);
    assert_int_equal(messages[1]->refusal.reason, REFUSAL_REJECTED_BY_DATABASE);
    assert_string_equal(messages[1]->refusal.sqlstate, "ZZ001");
    assert_false(messages[2]->refused);
    assert_int_equal(atomic_load(&fake.queue.counters.quarantine_rejected), 1);
    assert_int_equal(quarantine->count, 0);
    assert_int_equal(quarantine_messages(quarantine), 0);
}

static void without_a_neighbours_success_it_never_is(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*")); /* a commits, but before b has failed alone */
    retry_beyond_the_limits();
    assert_true(messages[1]->failures > ATTEMPTS);
    assert_false(is_committed(1));
    assert_int_equal(quarantine->count, 1);
    /* One later success is enough: its failures go on being counted. */
    assert_true(WRITE("c"));
    retry();
    assert_true(is_committed(1));
    assert_true(was_written("dead:b*"));
}

static void a_success_through_other_statements_proves_nothing(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b%"));
    retry();
    assert_true(WRITE("c"));
    retry_beyond_the_limits();
    assert_false(is_committed(1));
    assert_true(messages[1]->failures > ATTEMPTS);
}

/* However long it took. */
static void fewer_failures_are_no_proof(void **state)
{
    (void)state;
    fake.writers.shared.settings.quarantine_attempts = 1000;
    assert_true(WRITE("a", "b*"));
    retry();
    assert_true(WRITE("c"));
    retry_beyond_the_limits();
    assert_false(is_committed(1));
}

static void require_that_it_waits_until_mended(const char *body)
{
    assert_true(WRITE("a", body, "c"));
    for (int i = 0; i < 3; i++) {
        assert_true(WRITE("d"));
        retry_beyond_the_limits();
    }
    assert_false(is_committed(1));
    fake.fakes.mended = true;
    retry();
    assert_true(is_committed(1) && !messages[1]->refused);
}

/* Not even a neighbour's success makes a dead letter of it. */
static void what_a_person_must_mend_waits_for_ever(void **state)
{
    (void)state;
    require_that_it_waits_until_mended("b$");
}

/* Each time it may be the network, or a restart. */
static void what_ends_its_session_waits_for_ever(void **state)
{
    (void)state;
    require_that_it_waits_until_mended("b+");
}

/* On a quiet queue a stored row speaks for an outage, or against the messages. */
static void a_stored_row_judges_those_that_nobody_follows(void **state)
{
    (void)state;
    fake.fakes.witness = true;
    fake.fakes.disturbance = '&';
    assert_true(WRITE("b"));
    while (messages[0]->failures < 8)
        retry();
    assert_false(is_committed(0));
    fake.fakes.disturbance = '\0';
    retry();
    assert_true(is_committed(0) && !messages[0]->refused);
    assert_true(WRITE("c&"));
    assert_true(WRITE("d&"));
    while (quarantine->count > 0) {
        retry();
        assert_true(fake.fakes.attempts < FAKE_MAX);
    }
    assert_true(was_written("dead:c&") && was_written("dead:d&"));
}

/* The stored row goes through other statements. */
static void a_witness_of_other_statements_does_not_count(void **state)
{
    (void)state;
    fake.fakes.witness = true;
    assert_true(WRITE("b-"));
    while (!is_committed(0)) {
        retry();
        assert_true(fake.fakes.attempts < FAKE_MAX);
    }
    assert_true(messages[0]->failures > 2);
    assert_true(was_written("dead:b-"));
}

/* Neither that of the entity as a whole, nor that of the message that was tried last. */
static void the_error_is_that_of_the_message_that_waits(void **state)
{
    struct last_error last;

    (void)state;
    assert_true(WRITE("b!", "b&", "b*"));
    retry();
    assert_true(is_committed(0) && messages[0]->refused && !is_committed(1));
    last_error_read(&fake.queue.counters.database_error, &last);
    assert_string_equal(last.sqlstate, "P0001");
}

/* Where nothing is stored, nothing speaks for an outage. */
static void a_lone_message_that_a_trigger_refuses_is_a_dead_letter_in_the_end(void **state)
{
    (void)state;
    assert_true(WRITE("b&"));
    assert_false(is_committed(0));
    while (!is_committed(0)) {
        retry();
        assert_true(fake.fakes.attempts < FAKE_MAX);
    }
    assert_true(messages[0]->failures > 2);
    assert_true(was_written("dead:b&"));
    assert_int_equal(atomic_load(&fake.queue.counters.quarantine_rejected), 0);
}

/* The same entity again is no second one; another entity is. */
static void after_a_lone_message_the_same_entity_is_judged_as_well(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        assert_true(WRITE("b&"));
        while (!is_committed(n)) {
            retry();
            assert_true(fake.fakes.attempts < FAKE_MAX);
        }
    }
    writers_status(&fake.writers, &status);
    assert_false(status.paused);
    assert_true(WRITE("c&"));
    while (messages[2]->failures < 8)
        retry();
    assert_false(is_committed(2));
    writers_status(&fake.writers, &status);
    assert_true(status.paused);
}

static void another_that_fails_speaks_for_an_outage(void **state)
{
    (void)state;
    assert_true(WRITE("b&"));
    assert_true(WRITE("c&"));
    while (messages[0]->failures < 8 || messages[1]->failures < 8)
        retry();
    assert_false(is_committed(0) || is_committed(1));
    assert_int_equal(atomic_load(&fake.writers.shared.quarantined), 2);
    assert_true(WRITE("d"));
    retry();
    while (quarantine->count > 0)
        retry();
    assert_true(is_committed(0) && is_committed(1));
}

/* By other statements than those in which it failed, as where the row is hidden no longer. */
static void what_is_well_again_shows_no_longer(void **state)
{
    struct queue_status before = { 0 };
    struct queue_status after = { 0 };

    (void)state;
    assert_true(WRITE("b%"));
    writers_status(&fake.writers, &before);
    assert_true(before.paused);
    fake.fakes.mended = true;
    retry();
    assert_int_equal(quarantine->count, 0);
    writers_status(&fake.writers, &after);
    assert_false(after.paused);
}

/* Until something is committed nobody knows whether it is one entity's fault. */
static void nothing_that_gets_through_shows(void **state)
{
    struct queue_status before = { 0 };
    struct queue_status after = { 0 };

    (void)state;
    assert_true(WRITE("b$"));
    counters_idle(&fake.session->marks);
    writers_status(&fake.writers, &before);
    assert_true(before.paused);
    assert_int_equal(before.writers_failing, 1);
    assert_true(WRITE("a"));
    writers_status(&fake.writers, &after);
    assert_false(after.paused);
    assert_int_equal(after.writers_failing, 0);
}

static void what_takes_too_much_waits_for_ever(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b#", "c"));
    assert_true(is_committed(0) && is_committed(2));
    for (int i = 0; i < 3; i++) {
        assert_true(WRITE("d"));
        retry_beyond_the_limits();
    }
    assert_false(is_committed(1));
    assert_int_equal(quarantine->count, 1);
}

/* b2 came later and fails as well: it has its own attempts, and b3 behind it waits. */
static void each_message_is_judged_by_its_own_failures(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b1*"));
    while (messages[1]->failures < ATTEMPTS - 1)
        retry();
    assert_true(WRITE("b2*", "b3", "c"));
    while (!is_committed(1)) {
        retry();
        assert_true(fake.fakes.attempts < FAKE_MAX);
    }
    assert_false(is_committed(2));
    assert_false(is_committed(3));
    assert_int_equal(quarantine->count, 1);
    while (!is_committed(2)) {
        retry();
        assert_true(fake.fakes.attempts < FAKE_MAX);
        if (!is_committed(2))
            assert_true(WRITE("d"));
    }
    assert_true(messages[2]->failures >= ATTEMPTS);
    assert_true(was_written("dead:b2* b3"));
}

/* Of one entity the database takes what comes before, and refuses by a rule what comes behind,
   while it is at it. */
static void a_trial_keeps_order(void **state)
{
    (void)state;
    assert_true(WRITE("b1", "b2*", "b3!", "b4"));
    assert_int_equal(quarantine->count, 1);
    retry();
    assert_true(was_written("b1"));
    assert_true(is_committed(0) && !is_committed(1) && !is_committed(2) && !is_committed(3));
    while (!is_committed(3)) {
        retry();
        assert_true(fake.fakes.attempts < FAKE_MAX);
        if (!is_committed(3))
            assert_true(WRITE("c"));
    }
    assert_true(was_written("dead:b2* dead:b3! b4"));
    assert_string_equal(messages[1]->refusal.sqlstate, "ZZ001");
    assert_string_equal(messages[2]->refusal.sqlstate, "23514");
}

/* The database may have taken all of them before. */
static void a_trial_of_redelivered_messages_takes_no_step_back(void **state)
{
    (void)state;
    redelivered = true;
    assert_true(WRITE("b1", "b2*", "b3"));
    retry();
    assert_int_equal(quarantine_messages(quarantine), 3);
    assert_false(is_committed(0));
    fake.fakes.mended = true;
    retry();
    assert_true(was_written("b1 b2* b3"));
    assert_int_equal(quarantine->count, 0);
}

/* More of them than one trial probes otherwise. */
static void many_redelivered_messages_take_no_step_back(void **state)
{
    enum { MANY = 110, BAD = 105 };
    static char bodies[MANY][8];
    const char *batch[MANY];

    (void)state;
    redelivered = true;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(bodies[i], sizeof(bodies[i]), "b%zu%s", i, i == BAD ? "*" : "");
        batch[i] = bodies[i];
    }
    assert_true(write_bodies(batch, MANY));
    retry();
    assert_false(is_committed(0));
    fake.fakes.mended = true;
    retry();
    assert_true(is_committed(0) && is_committed(MANY - 1));
}

/* Many at once: all are quarantined, and the good one among them commits. */
static void several_are_quarantined_while_others_commit(void **state)
{
    (void)state;
    fake.writers.shared.settings.quarantine_span_ms = 3600000;
    assert_true(WRITE("a*", "b*", "c*", "d*", "e"));
    assert_true(is_committed(4));
    assert_int_equal(quarantine->count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_false(is_committed(i));
}

static void the_end_of_a_subscription_forgets_all_that_is_quarantined(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    writers_abandon(&fake.writers);
    assert_int_equal(quarantine->count, 0);
    assert_int_equal(quarantine_messages(quarantine), 0);
    assert_false(trial_is_due(fake.session));
}

static void a_stop_tries_once_more(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    assert_int_equal(quarantine_stuck(quarantine), 0);
    queue_stop(&fake.queue);
    assert_true(trial_is_due(fake.session));
    assert_true(trial_run_due(fake.session));
    assert_int_equal(quarantine_stuck(quarantine), 1);
    assert_false(is_committed(1));
}

static void a_stop_commits_what_is_well_again(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    fake.fakes.mended = true;
    queue_stop(&fake.queue);
    assert_true(trial_run_due(fake.session));
    assert_true(is_committed(1));
    assert_int_equal(quarantine_stuck(quarantine), 0);
}

/* None gets through: all wait, far beyond the limits, and none is blamed. */
static void an_outage_with_an_unknown_error_costs_nothing(void **state)
{
    (void)state;
    fake.fakes.disturbed = true;
    assert_true(WRITE("a", "b", "c"));
    retry_beyond_the_limits();
    for (size_t i = 0; i < fake.message_count; i++)
        assert_false(is_committed(i));
    fake.fakes.disturbed = false;
    while (quarantine->count > 0)
        retry();
    for (size_t i = 0; i < fake.message_count; i++)
        assert_true(is_committed(i) && !messages[i]->refused);
}

static void the_list_tells_of_itself(void **state)
{
    struct quarantine_status view = { 0 };

    (void)state;
    assert_true(WRITE("a", "b*"));
    assert_true(WRITE("b2"));
    retry(); /* the SQLSTATE outlives an attempt */
    quarantine_status(quarantine, &view);
    assert_int_equal(view.entities, 1);
    assert_int_equal(view.messages, 2);
    assert_int_equal(view.shown_count, 1);
    assert_string_equal(view.shown[0].id, "b");
    assert_string_equal(view.shown[0].sqlstate, "ZZ001");
    assert_int_equal(view.shown[0].attempts, 2);
}

static void a_full_list_takes_no_more(void **state)
{
    static char bodies[QUARANTINE_MAX + 1][2];
    struct write_report report = { .sqlstate = "ZZ001", .unclassified = true, .statements = 1 };

    (void)state;
    for (size_t i = 0; i <= QUARANTINE_MAX; i++) {
        bodies[i][0] = (char)('a' + i);
        fake_queue_message(&fake, bodies[i]);
        assert_int_equal(trial_quarantine(fake.session, &messages[i], 1, &report),
                         i < QUARANTINE_MAX);
    }
    writers_abandon(&fake.writers);
}

/* What the configuration allows is over before the broker gets the message back. */
static void the_longest_trial_fits_before_messages_are_given_back(void **state)
{
    const struct config_option *minutes = config_option_find("quarantine", "minutes");

    (void)state;
    assert_non_null(minutes);
    assert_true(minutes->max * minutes->factor + INT64_C(10) * QUARANTINE_INTERVAL_MAX_MS <
                UNACKNOWLEDGED_LIMIT_MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_neighbours_go_on_and_later_messages_of_it_wait),
        TEST(after_its_attempts_it_is_a_dead_letter_and_what_follows_commits),
        TEST(without_a_neighbours_success_it_never_is),
        TEST(a_success_through_other_statements_proves_nothing),
        TEST(fewer_failures_are_no_proof),
        TEST(what_a_person_must_mend_waits_for_ever),
        TEST(what_ends_its_session_waits_for_ever),
        TEST(a_stored_row_judges_those_that_nobody_follows),
        TEST(a_witness_of_other_statements_does_not_count),
        TEST(the_error_is_that_of_the_message_that_waits),
        TEST(a_lone_message_that_a_trigger_refuses_is_a_dead_letter_in_the_end),
        TEST(after_a_lone_message_the_same_entity_is_judged_as_well),
        TEST(another_that_fails_speaks_for_an_outage),
        TEST(what_is_well_again_shows_no_longer),
        TEST(nothing_that_gets_through_shows),
        TEST(what_takes_too_much_waits_for_ever),
        TEST(each_message_is_judged_by_its_own_failures),
        TEST(a_trial_keeps_order),
        TEST(a_trial_of_redelivered_messages_takes_no_step_back),
        TEST(many_redelivered_messages_take_no_step_back),
        TEST(several_are_quarantined_while_others_commit),
        TEST(the_end_of_a_subscription_forgets_all_that_is_quarantined),
        TEST(a_stop_tries_once_more),
        TEST(a_stop_commits_what_is_well_again),
        TEST(an_outage_with_an_unknown_error_costs_nothing),
        TEST(the_list_tells_of_itself),
        TEST(a_full_list_takes_no_more),
        TEST(the_longest_trial_fits_before_messages_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
