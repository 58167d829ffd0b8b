#include "bridge/write/breaker.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct write_report REPORT = { .sqlstate = "23514", .table = "t", .constraint = "c" };

static struct breaker breaker;

static void start(size_t window, int share_ppm, int probe_ms)
{
    const struct breaker_settings settings = { .window = window,
                                               .share_ppm = share_ppm,
                                               .probe_ms = probe_ms };

    assert_int_equal(breaker_init(&breaker, &settings), 0);
}

static int tear_down(void **state)
{
    (void)state;
    breaker_release(&breaker);
    return 0;
}

static bool refuse(size_t count)
{
    bool opened = false;

    for (size_t i = 0; i < count; i++)
        opened = breaker_note_refusal(&breaker, &REPORT) || opened;
    return opened;
}

static void a_window_that_is_not_full_does_not_count(void **state)
{
    (void)state;
    start(10, 500000, 1000);
    assert_false(refuse(9));
    assert_false(breaker_is_open(&breaker));
    assert_true(refuse(1));
    assert_true(breaker_is_open(&breaker));
}

static void the_share_itself_is_not_more_than_the_share(void **state)
{
    struct breaker_status now;

    (void)state;
    start(10, 500000, 1000);
    breaker_note_commits(&breaker, 5);
    assert_false(refuse(5));
    breaker_status(&breaker, &now);
    assert_int_equal(now.refused, 5);
    assert_true(refuse(1)); /* which pushes a commit out */
    breaker_status(&breaker, &now);
    assert_true(now.open);
    assert_int_equal(now.refused, 6);
    assert_int_equal(now.window, 10);
    assert_int_equal(now.openings, 1);
    assert_string_equal(now.sqlstate, "23514");
    assert_string_equal(now.constraint, "c");
}

static void what_is_long_ago_does_not_count(void **state)
{
    (void)state;
    start(10, 500000, 1000);
    for (int i = 0; i < 50; i++) {
        assert_false(refuse(5));
        breaker_note_commits(&breaker, 5);
    }
    assert_false(breaker_is_open(&breaker));
}

static void a_share_of_one_never_opens(void **state)
{
    (void)state;
    start(4, BREAKER_WHOLE_PPM, 1000);
    assert_false(refuse(1000));
}

static void without_a_window_there_is_none(void **state)
{
    (void)state;
    start(0, 1, 1000);
    breaker_note_commits(&breaker, 10);
    assert_false(refuse(1000));
}

/* What is still on its way when it opens changes nothing of what is said. */
static void an_open_one_stands_still(void **state)
{
    struct breaker_status now;

    (void)state;
    start(2, 500000, 1000);
    assert_true(refuse(2));
    assert_false(refuse(5));
    breaker_note_commits(&breaker, 5);
    breaker_status(&breaker, &now);
    assert_int_equal(now.refused, 2);
    assert_int_equal(now.openings, 1);
    assert_true(breaker_is_open(&breaker));
}

static void nobody_probes_before_it_is_time(void **state)
{
    (void)state;
    start(2, 500000, 3600000);
    refuse(2);
    breaker_enter(&breaker, true);
    assert_int_equal(breaker_turn(&breaker, true), BREAKER_WAIT);
    breaker_leave(&breaker, true);
}

static void a_message_that_is_taken_closes_it_and_empties_the_window(void **state)
{
    (void)state;
    start(2, 500000, 1);
    refuse(2);
    breaker_enter(&breaker, true);
    while (breaker_turn(&breaker, true) != BREAKER_PROBE)
        continue;
    breaker_probed(&breaker, false);
    assert_true(breaker_is_open(&breaker));
    while (breaker_turn(&breaker, true) != BREAKER_PROBE)
        continue;
    breaker_probed(&breaker, true);
    assert_false(breaker_is_open(&breaker));
    assert_int_equal(breaker_turn(&breaker, true), BREAKER_CLOSED);
    breaker_leave(&breaker, true);
    assert_false(refuse(1));
    assert_true(refuse(1));
}

static void only_one_probes_at_a_time(void **state)
{
    (void)state;
    start(2, 500000, 1);
    refuse(2);
    breaker_enter(&breaker, true);
    while (breaker_turn(&breaker, true) != BREAKER_PROBE)
        continue;
    assert_int_equal(breaker_turn(&breaker, true), BREAKER_WAIT);
    breaker_probed(&breaker, false);
    breaker_leave(&breaker, true);
}

/* A message that was not refused yet may be a good one among many bad: it says nothing while there
   is one that was. */
static void who_has_a_refused_message_goes_first(void **state)
{
    (void)state;
    start(2, 500000, 1);
    refuse(2);
    breaker_enter(&breaker, false);
    breaker_enter(&breaker, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(breaker_turn(&breaker, false), BREAKER_WAIT);
    assert_int_equal(breaker_turn(&breaker, true), BREAKER_PROBE);
    breaker_probed(&breaker, false);
    breaker_leave(&breaker, true);
    while (breaker_turn(&breaker, false) != BREAKER_PROBE)
        continue;
    breaker_probed(&breaker, true);
    breaker_leave(&breaker, false);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_window_that_is_not_full_does_not_count),
        TEST(the_share_itself_is_not_more_than_the_share),
        TEST(what_is_long_ago_does_not_count),
        TEST(a_share_of_one_never_opens),
        TEST(without_a_window_there_is_none),
        TEST(an_open_one_stands_still),
        TEST(nobody_probes_before_it_is_time),
        TEST(a_message_that_is_taken_closes_it_and_empties_the_window),
        TEST(only_one_probes_at_a_time),
        TEST(who_has_a_refused_message_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
