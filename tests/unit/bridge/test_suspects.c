/* Isolation and what is set aside by it, of one writer without its thread. */
#include "bridge/suspects.h"

#include "base/clock.h"
#include "bridge/isolate.h"
#include "bridge/policy.h"
#include "config/option.h"

#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { ATTEMPTS = 3, SPAN_MS = 60, DEADLINE_MS = 20000 };

static struct fakes fakes;
static struct stream stream;
static struct writer *writer;
static struct message *messages[FAKE_MAX];
static size_t count;

static int set_up(void **state)
{
    const struct stream_settings settings = { .queue = "q",
                                              .entity = "e",
                                              .writers = 1,
                                              .prefetch = 10,
                                              .isolate_attempts = ATTEMPTS,
                                              .isolate_ms = SPAN_MS };
    struct stream_ports ports;
    struct error err;

    (void)state;
    count = 0;
    fakes_init(&fakes);
    ports = fakes_ports(&fakes);
    assert_int_equal(stream_init(&stream, &settings, &ports, &err), 0);
    writer = &stream.writers[0];
    return 0;
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

/* As the writer does with what it takes: sorted by id here already. */
static bool write_bodies(const char *const *bodies, size_t n)
{
    struct message *batch[FAKE_MAX];

    for (size_t i = 0; i < n; i++) {
        messages[count] = fakes_message(bodies[i], count);
        batch[i] = messages[count++];
    }
    n = parked_claim(&writer->parked, batch, n);
    return n == 0 || isolate_write(writer, batch, n);
}

#define WRITE(...)                                                                                 \
    write_bodies((const char *const[]){ __VA_ARGS__ },                                             \
                 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static bool is_done(size_t number)
{
    return atomic_load(&messages[number]->done);
}

static bool was_written(const char *line)
{
    for (size_t i = 0; i < fakes.transaction_count; i++)
        if (strcmp(fakes.transactions[i], line) == 0)
            return true;
    return false;
}

/* Waits for the next attempts. */
static void retry(void)
{
    int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

    while (!suspects_are_due(writer)) {
        assert_true(clock_left_ms(deadline) > 0);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    assert_true(suspects_retry(writer));
}

/* More often and for longer than a message at fault may fail. */
static void retry_beyond_the_limits(void)
{
    int64_t begin_ms = clock_monotonic_ms();

    for (int i = 0; i < 2 * ATTEMPTS || clock_monotonic_ms() - begin_ms < INT64_C(3) * SPAN_MS;
         i++) {
        if (writer->parked.count == 0)
            return;
        retry();
    }
}

static void its_neighbours_go_on_and_later_messages_of_it_wait(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*", "c"));
    assert_true(is_done(0) && is_done(2) && !is_done(1));
    assert_int_equal(writer->parked.count, 1);
    assert_true(WRITE("a2", "b2", "d"));
    assert_true(is_done(3) && is_done(5) && !is_done(4));
    assert_int_equal(atomic_load(&writer->parked.messages), 2);
    assert_false(was_written("b2"));
    fakes.mended = true;
    retry();
    assert_true(was_written("b* b2"));
    assert_true(is_done(1) && is_done(4));
    assert_int_equal(writer->parked.count, 0);
    assert_false(messages[1]->refused);
}

static void after_its_attempts_it_is_a_dead_letter_and_what_follows_commits(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    assert_true(WRITE("b2"));
    assert_true(WRITE("c")); /* the neighbour after its first failure */
    while (!is_done(1)) {
        retry();
        assert_true(fakes.attempts < FAKE_MAX);
        if (!is_done(1))
            assert_true(WRITE("d"));
    }
    assert_true(was_written("dead:b* b2"));
    assert_true(is_done(2));
    assert_true(messages[1]->failures >= ATTEMPTS);
    assert_true(clock_monotonic_ms() - messages[1]->failed_since_ms >= SPAN_MS);
    assert_int_equal(messages[1]->refusal.reason, REFUSAL_REJECTED_BY_DATABASE);
    assert_string_equal(messages[1]->refusal.sqlstate, "ZZ001");
    assert_false(messages[2]->refused);
    assert_int_equal(atomic_load(&stream.tally.suspects_rejected), 1);
    assert_int_equal(writer->parked.count, 0);
    assert_int_equal(atomic_load(&writer->parked.messages), 0);
}

static void without_a_neighbours_success_it_never_is(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*")); /* a commits, but before b has failed alone */
    retry_beyond_the_limits();
    assert_true(messages[1]->failures > ATTEMPTS);
    assert_false(is_done(1));
    assert_int_equal(writer->parked.count, 1);
    /* One later success is enough: its failures go on being counted. */
    assert_true(WRITE("c"));
    retry();
    assert_true(is_done(1));
    assert_true(was_written("dead:b*"));
}

static void a_success_through_other_statements_proves_nothing(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b%"));
    retry();
    assert_true(WRITE("c"));
    retry_beyond_the_limits();
    assert_false(is_done(1));
    assert_true(messages[1]->failures > ATTEMPTS);
}

/* However long it took. */
static void fewer_failures_are_no_proof(void **state)
{
    (void)state;
    stream.settings.isolate_attempts = 1000;
    assert_true(WRITE("a", "b*"));
    retry();
    assert_true(WRITE("c"));
    retry_beyond_the_limits();
    assert_false(is_done(1));
}

static void what_takes_too_much_waits_for_ever(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b#", "c"));
    assert_true(is_done(0) && is_done(2));
    for (int i = 0; i < 3; i++) {
        assert_true(WRITE("d"));
        retry_beyond_the_limits();
    }
    assert_false(is_done(1));
    assert_int_equal(writer->parked.count, 1);
}

/* b2 came later and fails as well: it has its own attempts, and b3 behind it waits. */
static void each_message_is_judged_by_its_own_failures(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b1*"));
    while (messages[1]->failures < ATTEMPTS - 1)
        retry();
    assert_true(WRITE("b2*", "b3", "c"));
    while (!is_done(1)) {
        retry();
        assert_true(fakes.attempts < FAKE_MAX);
    }
    assert_false(is_done(2));
    assert_false(is_done(3));
    assert_int_equal(writer->parked.count, 1);
    while (!is_done(2)) {
        retry();
        assert_true(fakes.attempts < FAKE_MAX);
        if (!is_done(2))
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
    assert_int_equal(writer->parked.count, 1);
    retry();
    assert_true(was_written("b1"));
    assert_true(is_done(0) && !is_done(1) && !is_done(2) && !is_done(3));
    while (!is_done(3)) {
        retry();
        assert_true(fakes.attempts < FAKE_MAX);
        if (!is_done(3))
            assert_true(WRITE("c"));
    }
    assert_true(was_written("dead:b2* dead:b3! b4"));
    assert_string_equal(messages[1]->refusal.sqlstate, "ZZ001");
    assert_string_equal(messages[2]->refusal.sqlstate, "23514");
}

/* Many at once: all are set aside, and the good one among them commits. */
static void several_are_set_aside_while_others_commit(void **state)
{
    (void)state;
    stream.settings.isolate_ms = 3600000;
    assert_true(WRITE("a*", "b*", "c*", "d*", "e"));
    assert_true(is_done(4));
    assert_int_equal(writer->parked.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_false(is_done(i));
}

static void the_end_takes_all_that_is_parked_out_of_hand(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    stream_quiesce(&stream);
    assert_int_equal(writer->parked.count, 0);
    assert_int_equal(atomic_load(&writer->parked.messages), 0);
    assert_false(suspects_are_due(writer));
}

static void a_stop_tries_once_more(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    assert_int_equal(parked_stuck(&writer->parked), 0);
    stream_stop(&stream);
    assert_true(suspects_are_due(writer));
    assert_true(suspects_retry(writer));
    assert_int_equal(parked_stuck(&writer->parked), 1);
    assert_false(is_done(1));
}

static void a_stop_commits_what_is_well_again(void **state)
{
    (void)state;
    assert_true(WRITE("a", "b*"));
    fakes.mended = true;
    stream_stop(&stream);
    assert_true(suspects_retry(writer));
    assert_true(is_done(1));
    assert_int_equal(parked_stuck(&writer->parked), 0);
}

/* None gets through: all wait, far beyond the limits, and none is blamed. */
static void an_outage_with_an_unknown_error_costs_nothing(void **state)
{
    (void)state;
    fakes.disturbed = true;
    assert_true(WRITE("a", "b", "c"));
    retry_beyond_the_limits();
    for (size_t i = 0; i < count; i++)
        assert_false(is_done(i));
    fakes.disturbed = false;
    while (writer->parked.count > 0)
        retry();
    for (size_t i = 0; i < count; i++)
        assert_true(is_done(i) && !messages[i]->refused);
}

static void the_list_tells_of_itself(void **state)
{
    struct parked_view view = { 0 };

    (void)state;
    assert_true(WRITE("a", "b*"));
    assert_true(WRITE("b2"));
    retry(); /* the SQLSTATE outlives an attempt */
    parked_read(&writer->parked, &view);
    assert_int_equal(view.entities, 1);
    assert_int_equal(view.messages, 2);
    assert_int_equal(view.shown_count, 1);
    assert_string_equal(view.shown[0].id, "b");
    assert_string_equal(view.shown[0].sqlstate, "ZZ001");
    assert_int_equal(view.shown[0].attempts, 2);
}

static void a_full_list_takes_no_more(void **state)
{
    static char bodies[PARKED_MAX + 1][2];
    struct write_report report = { .sqlstate = "ZZ001", .unclassified = true, .statements = 1 };

    (void)state;
    for (size_t i = 0; i <= PARKED_MAX; i++) {
        bodies[i][0] = (char)('a' + i);
        messages[count] = fakes_message(bodies[i], count);
        assert_int_equal(suspects_park(writer, &messages[count], 1, &report), i < PARKED_MAX);
        count++;
    }
    stream_quiesce(&stream);
}

/* What the configuration allows is over before the broker gets the message back. */
static void the_longest_trial_fits_before_messages_are_given_back(void **state)
{
    const struct config_option *minutes = config_option_find("quarantine", "minutes");

    (void)state;
    assert_non_null(minutes);
    assert_true(minutes->max * minutes->factor + INT64_C(10) * PARK_INTERVAL_MAX_MS <
                HOLD_LIMIT_MS);
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
        TEST(what_takes_too_much_waits_for_ever),
        TEST(each_message_is_judged_by_its_own_failures),
        TEST(a_trial_keeps_order),
        TEST(several_are_set_aside_while_others_commit),
        TEST(the_end_takes_all_that_is_parked_out_of_hand),
        TEST(a_stop_tries_once_more),
        TEST(a_stop_commits_what_is_well_again),
        TEST(an_outage_with_an_unknown_error_costs_nothing),
        TEST(the_list_tells_of_itself),
        TEST(a_full_list_takes_no_more),
        TEST(the_longest_trial_fits_before_messages_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
