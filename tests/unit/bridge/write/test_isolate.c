#include "bridge/write/isolate.h"

#include "bridge/write/trial.h"

#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct fake_queue fake;

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

static bool write_all(void)
{
    struct message *batch[FAKE_MAX]; /* isolation reorders what it is given */

    memcpy(batch, fake.messages, sizeof(batch));
    return isolate_write(fake.session, batch, fake.message_count);
}

static void expect_transactions(const char *const *expected, size_t count)
{
    assert_int_equal(fake.fakes.transaction_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(fake.fakes.transactions[i], expected[i]);
}

#define EXPECT_TRANSACTIONS(...)                                                                   \
    expect_transactions((const char *const[]){ __VA_ARGS__ },                                      \
                        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void expect_committed(void)
{
    for (size_t i = 0; i < fake.message_count; i++)
        assert_true(atomic_load(&fake.messages[i]->committed));
}

static void a_good_batch_is_one_transaction(void **state)
{
    (void)state;
    add("a");
    add("b");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a b");
    expect_committed();
}

static void a_bad_message_goes_with_its_neighbours(void **state)
{
    (void)state;
    add("a");
    add("b!");
    add("c");
    add("d");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a", "dead:b! c d");
    expect_committed();
    assert_true(fake.messages[1]->refused);
    assert_int_equal(fake.messages[1]->refusal.reason, REFUSAL_REJECTED_BY_DATABASE);
    assert_string_equal(fake.messages[1]->refusal.sqlstate, "23514");
}

static void a_unique_violation_is_tried_once_more_after_the_others(void **state)
{
    (void)state;
    add("a=");
    add("b");
    add("c");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("b c", "a=");
    expect_committed();
    assert_false(fake.messages[0]->refused);
}

static void a_unique_violation_that_stays_is_a_refusal(void **state)
{
    (void)state;
    add("a=");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("dead:a=");
    expect_committed();
    assert_string_equal(fake.messages[0]->refusal.sqlstate, "23505");
    assert_int_equal(fake.fakes.attempts, 3);
}

static void a_bad_message_at_the_end_has_its_own_transaction(void **state)
{
    (void)state;
    add("a");
    add("b!");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a", "dead:b!");
    expect_committed();
}

static void what_the_mapper_refused_goes_with_the_first(void **state)
{
    (void)state;
    add("?");
    add("a");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("dead:? a");
    expect_committed();
}

static void dead_letters_alone_are_written(void **state)
{
    (void)state;
    add("?");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("dead:?");
    expect_committed();
}

/* Tried one on top of the other, committed at once: nobody sees a1 without a3. */
static void messages_of_one_entity_are_tried_singly_and_committed_together(void **state)
{
    (void)state;
    add("a1");
    add("a2!");
    add("a3");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("probe a1", "probe a1 a3", "dead:a2! a1 a3");
    expect_committed();
    assert_true(fake.messages[1]->refused);
}

static void all_bad_is_all_dead(void **state)
{
    (void)state;
    add("a!");
    add("b!");
    add("c!");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("dead:a! dead:b! dead:c!");
    expect_committed();
}

/* One bad entity among n costs about 2*log2(n) extra transactions. */
static void isolation_is_logarithmic(void **state)
{
    static char bodies[64][3];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        snprintf(bodies[i], sizeof(bodies[i]), "%c%s", (char)('@' + i), i == 40 ? "!" : "");
        add(bodies[i]);
    }
    assert_true(write_all());
    assert_true(fake.fakes.attempts <= 1 + 2 * 6 + 1);
    expect_committed();
}

static void an_outage_is_no_refusal(void **state)
{
    (void)state;
    add("a");
    fake.fakes.outcomes[0] = WRITE_RETRY;
    fake.fakes.outcomes[1] = WRITE_RETRY;
    fake.fakes.outcome_count = 2;
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a");
    assert_int_equal(fake.fakes.attempts, 3);
    assert_false(fake.messages[0]->refused);
}

/* Otherwise it would be tried for ever. */
static void what_is_too_much_at_once_is_halved(void **state)
{
    (void)state;
    add("a1");
    add("a2");
    add("b");
    add("c");
    add("d");
    fake.fakes.capacity = 2;
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a1 a2", "b", "c d");
    expect_committed();
    for (size_t i = 0; i < fake.message_count; i++)
        assert_false(fake.messages[i]->refused);
}

/* As for a row that row security forbids: nothing but the row says so. */
static void a_row_that_cannot_be_written_is_quarantined_and_no_dead_letter(void **state)
{
    const struct quarantine *quarantine = &fake.session->quarantine;

    (void)state;
    add("a");
    add("b$");
    add("c");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a", "c");
    assert_int_equal(quarantine->count, 1);
    assert_int_equal(quarantine_messages(quarantine), 1);
    assert_false(fake.messages[1]->refused);
}

static void a_row_that_ends_its_session_is_quarantined_and_no_dead_letter(void **state)
{
    const struct quarantine *quarantine = &fake.session->quarantine;

    (void)state;
    add("a");
    add("b+");
    add("c");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a", "c");
    assert_int_equal(quarantine->count, 1);
    assert_string_equal(quarantine->entities[0].sqlstate, "57P01");
    assert_false(fake.messages[1]->refused);
}

/* The next connection is there at once, so the verdict about the neighbour waits for nothing. */
static void a_row_that_ends_its_session_keeps_no_verdict_from_its_neighbour(void **state)
{
    (void)state;
    add("a");
    add("b!");
    add("c+");
    add("d");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a", "dead:b! d");
    assert_true(fake.messages[1]->refused);
    assert_false(fake.messages[2]->refused);
}

/* As with a server that crashes whatever is written. */
/* The dead letter waits for a neighbour, every neighbour costs the server a crash, and while it
   recovers the verdict is void: it has to be written before anything else is tried. */
static void a_row_that_crashes_the_server_keeps_no_verdict_from_being_written(void **state)
{
    (void)state;
    add("o!");
    add("p+");
    add("q");
    fake.fakes.crashes = true;
    fake.fakes.mended_after = 24; /* or it would never end */
    assert_true(write_all());
    assert_true(fake.fakes.attempts < fake.fakes.mended_after);
    assert_true(fake.messages[0]->refused && atomic_load(&fake.messages[0]->committed));
    assert_true(atomic_load(&fake.messages[2]->committed));
    assert_int_equal(fake.session->quarantine.count, 1);
}

static void sessions_that_end_with_every_row_are_an_outage(void **state)
{
    unsigned seed = fake.session->retry.seed; /* each wait draws from it */

    (void)state;
    for (size_t i = 0; i < 8; i++)
        add((const char *[]){ "a", "b", "c", "d", "e", "f", "g", "h" }[i]);
    fake.fakes.disturbance = '+';
    fake.fakes.mended_after = 24;
    assert_true(write_all());
    assert_int_not_equal(fake.session->retry.seed, seed);
    assert_true(fake.session->quarantine.count <= 2);
    while (fake.session->quarantine.count > 0) {
        fake.session->quarantine.entities[0].due_ms = 0;
        assert_true(trial_run_due(fake.session));
    }
    expect_committed();
    for (size_t i = 0; i < fake.message_count; i++)
        assert_false(fake.messages[i]->refused);
}

/* Neighbours that are committed after the first failure speak against the row. */
static void a_refusal_that_may_meet_every_row_needs_neighbours(void **state)
{
    (void)state;
    add("a");
    add("b&");
    add("c");
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a", "c", "dead:b&");
    expect_committed();
    assert_string_equal(fake.messages[1]->refusal.sqlstate, "P0001");
}

static void a_refusal_that_meets_every_row_is_no_verdict(void **state)
{
    unsigned seed = fake.session->retry.seed; /* each wait draws from it */

    (void)state;
    add("a");
    add("b");
    add("c");
    fake.fakes.witness = true;
    fake.fakes.disturbance = '&';
    assert_true(write_all());
    assert_int_not_equal(fake.session->retry.seed, seed);
    assert_int_equal(fake.fakes.transaction_count, 0);
    assert_int_equal(fake.session->quarantine.count, 3);
    for (size_t i = 0; i < fake.message_count; i++)
        assert_false(fake.messages[i]->refused);
    fake.fakes.disturbance = '\0';
    while (fake.session->quarantine.count > 0) {
        fake.session->quarantine.entities[0].due_ms = 0;
        assert_true(trial_run_due(fake.session));
    }
    expect_committed();
    assert_false(fake.messages[0]->refused);
}

static void a_commit_before_an_outage_proves_nothing(void **state)
{
    (void)state;
    add("a");
    add("b&");
    add("c");
    add("d");
    fake.fakes.witness = true;
    fake.fakes.disturbance = '&';
    fake.fakes.disturbed_from = 1; /* "a" commits after the batch was refused for "b&" */
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a");
    assert_int_equal(fake.session->quarantine.count, 3);
    for (size_t i = 0; i < fake.message_count; i++)
        assert_false(fake.messages[i]->refused);
}

/* No neighbour comes after them, and they would wait for one that may never come. */
static void a_stored_row_stands_in_for_neighbours(void **state)
{
    unsigned seed = fake.session->retry.seed; /* each wait draws from it */

    (void)state;
    add("a");
    add("b&");
    add("c&");
    fake.fakes.witness = true;
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a", "dead:b& dead:c&");
    expect_committed();
    assert_int_equal(fake.session->retry.seed, seed);
    assert_int_equal(fake.fakes.witnesses_asked, 1);
}

/* Were they quarantined, what comes behind them would never be tried. */
static void more_bad_messages_than_the_quarantine_holds_are_refused(void **state)
{
    static char bodies[64][4];
    unsigned seed = fake.session->retry.seed; /* each wait draws from it */

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        snprintf(bodies[i], sizeof(bodies[i]), "%c&", (char)('@' + i));
        add(bodies[i]);
    }
    fake.fakes.witness = true;
    assert_true(write_all());
    expect_committed();
    assert_int_equal(fake.session->retry.seed, seed);
    assert_int_equal(fake.session->quarantine.count, 0);
    for (size_t i = 0; i < fake.message_count; i++)
        assert_true(fake.messages[i]->refused);
}

/* Those that come first are bad, and nothing speaks against them yet: no wait for each of them. */
static void a_good_one_behind_bad_ones_is_found(void **state)
{
    unsigned seed = fake.session->retry.seed; /* each wait draws from it */
    size_t committed = 0;

    (void)state;
    for (size_t i = 0; i < 12; i++)
        add((const char *[]){ "a&", "b&", "c&", "d&", "e&", "f&", "g&", "h&", "i&", "j", "k",
                              "l" }[i]);
    assert_true(write_all());
    assert_int_equal(fake.session->retry.seed, seed);
    assert_true(fake.fakes.attempts < 60);
    for (size_t i = 0; i < fake.message_count; i++)
        committed += atomic_load(&fake.messages[i]->committed);
    assert_int_equal(committed, fake.message_count - 1);
    assert_int_equal(fake.session->quarantine.count, 1);
}

/* The dead letter cannot be written at once, and then the message can. */
static void a_verdict_that_was_not_written_is_void(void **state)
{
    (void)state;
    add("a!");
    fake.fakes.outcomes[0] = WRITE_REFUSED; /* alone, in its batch of one */
    fake.fakes.outcomes[1] = WRITE_RETRY;   /* its dead letter */
    fake.fakes.outcome_count = 2;
    fake.fakes.mended_after = 2;
    assert_true(write_all());
    EXPECT_TRANSACTIONS("a!");
    expect_committed();
    assert_false(fake.messages[0]->refused);
}

/* Whatever refuses them: no neighbour is judged for it. */
static void dead_letters_that_are_refused_wait(void **state)
{
    unsigned seed = fake.session->pause.seed; /* each wait draws from it */

    (void)state;
    add("?");
    fake.fakes.outcomes[0] = WRITE_REFUSED;
    fake.fakes.outcomes[1] = WRITE_REFUSED;
    fake.fakes.outcome_count = 2;
    assert_true(write_all());
    EXPECT_TRANSACTIONS("dead:?");
    assert_int_equal(fake.fakes.attempts, 3);
    assert_int_not_equal(fake.session->pause.seed, seed);
}

static void a_lost_lease_writes_nothing_and_says_so(void **state)
{
    struct queue_lease *lease = &fake.queue.lease;

    (void)state;
    queue_lease_acquired(lease, 0, 0, HANDOVER_NONE);
    add("a");
    fake.fakes.outcomes[0] = WRITE_LEASE_LOST;
    fake.fakes.outcome_count = 1;
    assert_false(write_all());
    assert_int_equal(fake.fakes.transaction_count, 0);
    assert_false(atomic_load(&fake.messages[0]->committed));
    assert_false(queue_lease_view(lease).held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_batch_is_one_transaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_message_goes_with_its_neighbours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unique_violation_is_tried_once_more_after_the_others,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unique_violation_that_stays_is_a_refusal, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_bad_message_at_the_end_has_its_own_transaction, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_mapper_refused_goes_with_the_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(dead_letters_alone_are_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            messages_of_one_entity_are_tried_singly_and_committed_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_bad_is_all_dead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(isolation_is_logarithmic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outage_is_no_refusal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_much_at_once_is_halved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_row_that_cannot_be_written_is_quarantined_and_no_dead_letter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_row_that_ends_its_session_is_quarantined_and_no_dead_letter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_row_that_ends_its_session_keeps_no_verdict_from_its_neighbour, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_row_that_crashes_the_server_keeps_no_verdict_from_being_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sessions_that_end_with_every_row_are_an_outage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_that_may_meet_every_row_needs_neighbours, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_that_meets_every_row_is_no_verdict, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_commit_before_an_outage_proves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stored_row_stands_in_for_neighbours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_bad_messages_than_the_quarantine_holds_are_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_good_one_behind_bad_ones_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_verdict_that_was_not_written_is_void, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dead_letters_that_are_refused_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_lease_writes_nothing_and_says_so, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
