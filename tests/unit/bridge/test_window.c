#include "bridge/window.h"

#include "base/clock.h"
#include "bridge/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { PREFETCH = 1000 };

/* As if so much time had passed. */
static void pass(struct window *window, int64_t ms)
{
    window->full_since_ms -= window->full_since_ms != 0 ? ms : 0;
    window->calm_since_ms -= ms;
}

static void all_are_asked_for_at_first(void **state)
{
    struct window window = { 0 };

    (void)state;
    assert_int_equal(window_begin(&window, PREFETCH), PREFETCH);
    pass(&window, INT64_C(2) * WINDOW_GROW_MS);
    assert_false(window_may_grow(&window, PREFETCH));
}

static void a_connection_lost_at_a_full_hand_leaves_what_fitted(void **state)
{
    struct window window = { 0 };

    (void)state;
    window_begin(&window, PREFETCH);
    window_full(&window);
    window_full(&window);
    assert_false(window_lost(&window, 60)); /* too soon to be why */
    pass(&window, WINDOW_FULL_MS);
    window_full(&window); /* full all the time */
    assert_true(window_lost(&window, 60));
    assert_int_equal(window_begin(&window, PREFETCH), 60);
    assert_int_equal(window_begin(&window, 50), 50);
    assert_false(window_lost(&window, 30)); /* not full again since it began */
    window_full(&window);
    pass(&window, WINDOW_FULL_MS);
    assert_true(window_lost(&window, 0));
    assert_int_equal(window_begin(&window, PREFETCH), 1);
}

static void room_in_between_clears_it_of_suspicion(void **state)
{
    struct window window = { 0 };

    (void)state;
    window_begin(&window, PREFETCH);
    window_full(&window);
    pass(&window, WINDOW_FULL_MS);
    window_room(&window);
    window_full(&window);
    assert_false(window_lost(&window, 60));
}

static void it_grows_again_when_there_was_room_for_long(void **state)
{
    struct window window = { .fits = 300 };

    (void)state;
    window_begin(&window, PREFETCH);
    pass(&window, WINDOW_GROW_MS);
    window_full(&window);
    assert_false(window_may_grow(&window, PREFETCH));
    window_room(&window);
    assert_false(window_may_grow(&window, PREFETCH)); /* it was full a moment ago */
    pass(&window, WINDOW_GROW_MS);
    assert_true(window_may_grow(&window, PREFETCH));
    assert_int_equal(window_begin(&window, PREFETCH), 600);
    pass(&window, WINDOW_GROW_MS);
    assert_true(window_may_grow(&window, PREFETCH));
    assert_int_equal(window_begin(&window, PREFETCH), PREFETCH);
    pass(&window, WINDOW_GROW_MS);
    assert_false(window_may_grow(&window, PREFETCH));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_asked_for_at_first),
        cmocka_unit_test(a_connection_lost_at_a_full_hand_leaves_what_fitted),
        cmocka_unit_test(room_in_between_clears_it_of_suspicion),
        cmocka_unit_test(it_grows_again_when_there_was_room_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
