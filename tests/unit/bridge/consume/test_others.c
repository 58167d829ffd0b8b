#include "bridge/consume/others.h"

#include "asked_broker.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* A look after so many more milliseconds. */
static int look_after(struct others *others, struct scripted *scripted, int64_t ms, bool *changed)
{
    struct error err;

    *changed = false;
    others->asked_at_ms -= ms;
    return others_check(others, &port, scripted, changed, &err);
}

/* Asks, and takes the answer. */
static int ask_once(struct others *others, struct scripted *scripted, uint32_t consumers,
                    bool *changed)
{
    scripted->answers = true;
    scripted->consumers = consumers;
    assert_int_equal(look_after(others, scripted, HEARTBEAT_MS, changed), 0);
    return look_after(others, scripted, 0, changed);
}

static void it_asks_once_a_heartbeat_and_waits_for_the_answer(void **state)
{
    struct scripted scripted = { .consumers = 1 };
    struct others others = { 0 };
    bool changed;

    (void)state;
    others_begin(&others, 0);
    assert_int_equal(look_after(&others, &scripted, HEARTBEAT_MS / 2, &changed), 0);
    assert_int_equal(scripted.questions, 0);
    assert_int_equal(look_after(&others, &scripted, HEARTBEAT_MS, &changed), 0);
    assert_int_equal(look_after(&others, &scripted, HEARTBEAT_MS, &changed), 0);
    assert_int_equal(scripted.questions, 1);
    scripted.answers = true;
    assert_int_equal(look_after(&others, &scripted, 0, &changed), 1);
    assert_int_equal(others.told, 0);
    assert_false(changed);
}

static void two_answers_in_a_row_must_say_so(void **state)
{
    struct scripted scripted = { 0 };
    struct others others = { 0 };
    bool changed;

    (void)state;
    others_begin(&others, 0);
    assert_int_equal(ask_once(&others, &scripted, 2, &changed), 0);
    assert_int_equal(ask_once(&others, &scripted, 1, &changed), 1); /* it was only still counted */
    assert_int_equal(others.told, 0);
    assert_int_equal(ask_once(&others, &scripted, 2, &changed), 0);
    assert_int_equal(ask_once(&others, &scripted, 3, &changed), 1);
    assert_true(changed);
    assert_int_equal(others.told, 2);
    assert_int_equal(ask_once(&others, &scripted, 3, &changed), 1);
    assert_false(changed);
    assert_int_equal(ask_once(&others, &scripted, 1, &changed), 1);
    assert_true(changed);
    assert_int_equal(others.told, 0);
}

/* It would be told anew with every lost connection. */
static void what_was_told_lives_through_a_new_subscription(void **state)
{
    struct scripted scripted = { 0 };
    struct others others = { .told = 1, .asked = true };
    bool changed;

    (void)state;
    others_begin(&others, 0);
    assert_false(others.asked);
    assert_int_equal(ask_once(&others, &scripted, 2, &changed), 1);
    assert_false(changed);
    assert_int_equal(others.told, 1);
}

static void a_broker_that_does_not_count_ours_is_no_wonder(void **state)
{
    struct scripted scripted = { 0 };
    struct others others = { 0 };
    bool changed;

    (void)state;
    others_begin(&others, 0);
    assert_int_equal(ask_once(&others, &scripted, 0, &changed), 1);
    assert_int_equal(others.told, 0);
}

/* A quorum queue with a single active consumer, which is another. */
static void a_number_that_does_not_grow_is_of_others(void **state)
{
    struct scripted scripted = { 0 };
    struct others others = { 0 };
    bool changed;

    (void)state;
    others_begin(&others, 1);
    assert_int_equal(ask_once(&others, &scripted, 1, &changed), 0);
    assert_int_equal(ask_once(&others, &scripted, 1, &changed), 1);
    assert_int_equal(others.told, 1);
    others_delivered(&others); /* it is our turn now */
    assert_int_equal(ask_once(&others, &scripted, 1, &changed), 1);
    assert_true(changed);
    assert_int_equal(others.told, 0);

    others_begin(&others, 1);
    others_delivered(&others); /* before the first answer */
    assert_int_equal(ask_once(&others, &scripted, 1, &changed), 1);
    assert_int_equal(others.told, 0);
    others_begin(&others, 1);
    assert_int_equal(ask_once(&others, &scripted, 2, &changed), 0); /* ours is counted */
    assert_int_equal(ask_once(&others, &scripted, 1, &changed), 1);
    assert_int_equal(others.told, 0);
}

static void a_broker_that_cannot_be_asked_is_gone(void **state)
{
    struct scripted scripted = { .broken = true };
    struct others others = { 0 };
    bool changed;

    (void)state;
    others_begin(&others, 0);
    assert_int_equal(look_after(&others, &scripted, HEARTBEAT_MS, &changed), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_asks_once_a_heartbeat_and_waits_for_the_answer),
        cmocka_unit_test(two_answers_in_a_row_must_say_so),
        cmocka_unit_test(what_was_told_lives_through_a_new_subscription),
        cmocka_unit_test(a_broker_that_does_not_count_ours_is_no_wonder),
        cmocka_unit_test(a_number_that_does_not_grow_is_of_others),
        cmocka_unit_test(a_broker_that_cannot_be_asked_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
