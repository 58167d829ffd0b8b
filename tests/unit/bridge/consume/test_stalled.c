#include "bridge/consume/stalled.h"

#include "asked_broker.h"
#include "base/clock.h"
#include "bridge/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { PATIENCE_MS = STALLED_HEARTBEATS * HEARTBEAT_MS };

/* A look after so many more milliseconds of silence. */
static int look_after(struct stalled *stalled, struct scripted *scripted, int64_t ms)
{
    struct broker_queue_state state;
    struct error err;

    stalled->quiet_from_ms -= ms;
    return stalled_check(stalled, &port, scripted, &state, &err);
}

static void it_asks_after_some_silence_and_once(void **state)
{
    struct scripted scripted = { 0 };
    struct stalled stalled = { 0 };

    (void)state;
    stalled_reset(&stalled);
    assert_int_equal(look_after(&stalled, &scripted, PATIENCE_MS / 2), 0);
    assert_int_equal(scripted.questions, 0);
    assert_int_equal(look_after(&stalled, &scripted, PATIENCE_MS), 0);
    assert_int_equal(look_after(&stalled, &scripted, PATIENCE_MS), 0);
    assert_int_equal(scripted.questions, 1);
}

static void two_looks_in_a_row_must_find_something(void **state)
{
    struct scripted scripted = { .answers = true, .messages = 2 };
    struct stalled stalled = { 0 };

    (void)state;
    stalled_reset(&stalled);
    look_after(&stalled, &scripted, PATIENCE_MS);
    assert_int_equal(look_after(&stalled, &scripted, 0), 0); /* the first answer */
    assert_int_equal(look_after(&stalled, &scripted, INT64_C(1000) * HEARTBEAT_S), 0);
    assert_int_equal(scripted.questions, 2);
    assert_int_equal(look_after(&stalled, &scripted, 0), 1);
    stalled_reset(&stalled);

    scripted.questions = 0;
    look_after(&stalled, &scripted, PATIENCE_MS); /* twice as long, after one in vain */
    assert_int_equal(scripted.questions, 0);
    look_after(&stalled, &scripted, PATIENCE_MS);
    assert_int_equal(scripted.questions, 1);
    scripted.messages = 0;
    assert_int_equal(look_after(&stalled, &scripted, 0), 0);
    look_after(&stalled, &scripted, INT64_C(1000) * HEARTBEAT_S);
    assert_int_equal(scripted.questions, 1);
    stalled_end(&stalled);
    look_after(&stalled, &scripted, PATIENCE_MS);
    assert_int_equal(scripted.questions, 2);
}

static void the_patience_has_an_end(void **state)
{
    struct scripted scripted = { 0 };
    struct stalled stalled = { .in_vain = 1000 };

    (void)state;
    stalled_reset(&stalled);
    look_after(&stalled, &scripted, INT64_C(31) * PATIENCE_MS);
    assert_int_equal(scripted.questions, 0);
    look_after(&stalled, &scripted, PATIENCE_MS);
    assert_int_equal(scripted.questions, 1);
}

static void a_broker_that_cannot_be_asked_is_gone(void **state)
{
    struct scripted scripted = { .broken = true };
    struct stalled stalled = { 0 };

    (void)state;
    stalled_reset(&stalled);
    assert_int_equal(look_after(&stalled, &scripted, PATIENCE_MS), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_asks_after_some_silence_and_once),
        cmocka_unit_test(two_looks_in_a_row_must_find_something),
        cmocka_unit_test(the_patience_has_an_end),
        cmocka_unit_test(a_broker_that_cannot_be_asked_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
