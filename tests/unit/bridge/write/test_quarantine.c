#include "bridge/write/quarantine.h"

#include "base/clock.h"
#include "bridge/timing.h"
#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct quarantine quarantine;
static struct message *messages[FAKE_MAX];
static size_t count;

static int set_up(void **state)
{
    (void)state;
    count = 0;
    quarantine_init(&quarantine, 10, 300000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++)
        message_free(messages[i]);
    quarantine_release(&quarantine);
    return 0;
}

static struct message *make(const char *body)
{
    messages[count] = fakes_message(body, count);
    return messages[count++];
}

static void add(const char *body)
{
    struct message *message = make(body);

    assert_true(quarantine_add(&quarantine, &message, 1, "ZZ001"));
}

static void later_messages_of_its_entities_join_in_order(void **state)
{
    struct message *batch[5];

    (void)state;
    add("b1");
    batch[0] = make("a");
    batch[1] = make("b2");
    batch[2] = make("?"); /* refused by kopru: of no entity */
    batch[3] = make("b3");
    batch[4] = make("c");
    assert_int_equal(quarantine_divert(&quarantine, batch, 5), 3);
    assert_ptr_equal(batch[0], messages[1]);
    assert_ptr_equal(batch[1], messages[3]);
    assert_ptr_equal(batch[2], messages[5]);
    assert_int_equal(quarantine_messages(&quarantine), 3);
    assert_ptr_equal(quarantine.entities[0].first, messages[0]);
    assert_ptr_equal(messages[0]->next, messages[2]);
    assert_ptr_equal(messages[2]->next, messages[4]);
    assert_null(messages[4]->next);
}

static void an_entity_is_gone_with_its_last_message(void **state)
{
    struct message *more[2];

    (void)state;
    add("a1");
    add("b1");
    add("c1");
    more[0] = make("b2");
    more[1] = make("b3");
    assert_int_equal(quarantine_divert(&quarantine, more, 2), 0);
    quarantine_remove(&quarantine, &quarantine.entities[1], 2, more[1]);
    assert_int_equal(quarantine.count, 3);
    assert_ptr_equal(quarantine.entities[1].first, more[1]);
    assert_int_equal(quarantine_messages(&quarantine), 3);
    quarantine_remove(&quarantine, &quarantine.entities[1], 1, NULL);
    assert_int_equal(quarantine.count, 2);
    assert_memory_equal(quarantine.entities[1].id, "c", 1); /* it moved up */
    assert_int_equal(quarantine_messages(&quarantine), 2);
}

/* The last of ten attempts comes before five minutes are over, and none is further apart than the
   maximum. */
static void trials_become_rarer_up_to_the_interval(void **state)
{
    int64_t began_ms = clock_monotonic_ms();

    (void)state;
    assert_int_equal(quarantine_due_ms(&quarantine), INT64_MAX);
    add("a");
    assert_in_range(quarantine_due_ms(&quarantine), began_ms,
                    clock_monotonic_ms() + QUARANTINE_INTERVAL_FIRST_MS);
    for (int i = 0; i < 9; i++)
        quarantine_failed(&quarantine, &quarantine.entities[0], NULL);
    assert_int_equal(quarantine.entities[0].attempts, 10);
    assert_string_equal(quarantine.entities[0].sqlstate, "ZZ001");
    assert_in_range(quarantine_due_ms(&quarantine), began_ms + QUARANTINE_INTERVAL_MAX_MS / 2,
                    clock_monotonic_ms() + QUARANTINE_INTERVAL_MAX_MS);
}

/* Another commit proves something only if it went through all of the statements, afterwards. */
static void a_proof_needs_every_statement(void **state)
{
    int64_t now_ms = clock_monotonic_ms();

    (void)state;
    assert_false(quarantine_is_proven(&quarantine, 0x3, now_ms - 1000));
    quarantine_note_commit(&quarantine, 0x1);
    assert_false(quarantine_is_proven(&quarantine, 0x3, now_ms - 1000));
    assert_true(quarantine_is_proven(&quarantine, 0x1, now_ms - 1000));
    quarantine_note_commit(&quarantine, UINT64_C(1) << 63 | 0x2);
    assert_true(quarantine_is_proven(&quarantine, UINT64_C(1) << 63 | 0x3, now_ms - 1000));
    assert_false(quarantine_is_proven(&quarantine, 0x3, clock_monotonic_ms() + 1000));
    assert_false(quarantine_is_proven(&quarantine, 0, now_ms - 1000)); /* no statement, no proof */
}

static void a_commit_ends_a_row_of_failures(void **state)
{
    (void)state;
    quarantine.failed_in_a_row = 3;
    quarantine_note_commit(&quarantine, 0); /* of dead letters alone: it says nothing */
    assert_int_equal(quarantine.failed_in_a_row, 3);
    quarantine_note_commit(&quarantine, 0x1);
    assert_int_equal(quarantine.failed_in_a_row, 0);
}

/* A repeated payload commits without a row: it does not show that rows are written again. */
static void only_a_commit_through_what_failed_ends_it(void **state)
{
    (void)state;
    assert_int_equal(quarantine_fails_alone(&quarantine, SLICE_LITERAL("a"), 0x4), 0);
    quarantine_note_commit(&quarantine, 0x1);
    assert_int_equal(quarantine_fails_alone(&quarantine, SLICE_LITERAL("b"), 0x4), 1);
    quarantine_note_commit(&quarantine, 0x5);
    assert_int_equal(quarantine_fails_alone(&quarantine, SLICE_LITERAL("c"), 0), 0);
    quarantine_note_commit(&quarantine, 0x1);
    assert_int_equal(quarantine.failed_in_a_row, 0);
}

static void the_queue_knows_its_only_quarantined_entity(void **state)
{
    atomic_size_t all = 0;

    (void)state;
    quarantine.all = &all;
    assert_false(quarantine_has_the_only_one(&quarantine));
    add("a");
    assert_true(quarantine_has_the_only_one(&quarantine));
    atomic_fetch_add(&all, 1); /* of another writer */
    assert_false(quarantine_has_the_only_one(&quarantine));
    quarantine_clear(&quarantine);
    assert_int_equal(atomic_load(&all), 1);
}

static void messages_are_stuck_only_after_their_last_trial(void **state)
{
    (void)state;
    add("a");
    assert_int_equal(quarantine_stuck(&quarantine), 0);
    atomic_store(&quarantine.tried_last, true);
    assert_int_equal(quarantine_stuck(&quarantine), 1);
    quarantine_clear(&quarantine);
    assert_int_equal(quarantine_stuck(&quarantine), 0);
    assert_int_equal(quarantine.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(later_messages_of_its_entities_join_in_order),
        TEST(an_entity_is_gone_with_its_last_message),
        TEST(trials_become_rarer_up_to_the_interval),
        TEST(a_proof_needs_every_statement),
        TEST(a_commit_ends_a_row_of_failures),
        TEST(only_a_commit_through_what_failed_ends_it),
        TEST(the_queue_knows_its_only_quarantined_entity),
        TEST(messages_are_stuck_only_after_their_last_trial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
