#include "bridge/consume/prefetch.h"

#include "base/clock.h"
#include "bridge/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { LIMIT = 1000 };

/* As if so much time had passed. */
static void pass(struct prefetch *prefetch, int64_t ms)
{
    prefetch->full_since_ms -= prefetch->full_since_ms != 0 ? ms : 0;
    prefetch->calm_since_ms -= ms;
}

static void all_are_asked_for_at_first(void **state)
{
    struct prefetch prefetch = { .limit = LIMIT };

    (void)state;
    assert_int_equal(prefetch_begin(&prefetch), LIMIT);
    pass(&prefetch, INT64_C(2) * PREFETCH_GROW_MS);
    assert_false(prefetch_may_grow(&prefetch));
}

static void a_connection_lost_without_room_leaves_what_fitted(void **state)
{
    struct prefetch prefetch = { .limit = LIMIT };
    struct prefetch smaller;

    (void)state;
    prefetch_begin(&prefetch);
    prefetch_note_full(&prefetch);
    prefetch_note_full(&prefetch);
    assert_false(prefetch_lost(&prefetch, 60)); /* too soon to be why */
    pass(&prefetch, PREFETCH_FULL_MS);
    prefetch_note_full(&prefetch); /* full all the time */
    assert_true(prefetch_lost(&prefetch, 60));
    assert_int_equal(prefetch_begin(&prefetch), 60);
    smaller = prefetch;
    smaller.limit = 50;
    assert_int_equal(prefetch_begin(&smaller), 50);
    assert_false(prefetch_lost(&prefetch, 30)); /* not full again since it began */
    prefetch_note_full(&prefetch);
    pass(&prefetch, PREFETCH_FULL_MS);
    assert_true(prefetch_lost(&prefetch, 0));
    assert_int_equal(prefetch_begin(&prefetch), 1);
}

static void room_in_between_clears_it_of_suspicion(void **state)
{
    struct prefetch prefetch = { .limit = LIMIT };

    (void)state;
    prefetch_begin(&prefetch);
    prefetch_note_full(&prefetch);
    pass(&prefetch, PREFETCH_FULL_MS);
    prefetch_note_room(&prefetch);
    prefetch_note_full(&prefetch);
    assert_false(prefetch_lost(&prefetch, 60));
}

static void it_grows_again_when_there_was_room_for_long(void **state)
{
    struct prefetch prefetch = { .limit = LIMIT, .fits = 300 };

    (void)state;
    prefetch_begin(&prefetch);
    pass(&prefetch, PREFETCH_GROW_MS);
    prefetch_note_full(&prefetch);
    assert_false(prefetch_may_grow(&prefetch));
    prefetch_note_room(&prefetch);
    assert_false(prefetch_may_grow(&prefetch)); /* it was full a moment ago */
    pass(&prefetch, PREFETCH_GROW_MS);
    assert_true(prefetch_may_grow(&prefetch));
    assert_int_equal(prefetch_begin(&prefetch), 600);
    pass(&prefetch, PREFETCH_GROW_MS);
    assert_true(prefetch_may_grow(&prefetch));
    assert_int_equal(prefetch_begin(&prefetch), LIMIT);
    pass(&prefetch, PREFETCH_GROW_MS);
    assert_false(prefetch_may_grow(&prefetch));
}

static void no_more_are_asked_for_than_fit(void **state)
{
    (void)state;
    assert_int_equal(prefetch_limit(2000, 16 << 20), 2000);
    assert_int_equal(prefetch_limit(2000, 1 << 20), 128);
    assert_int_equal(prefetch_limit(2000, 1), 1);
    assert_int_equal(prefetch_limit(10, (size_t)1 << 34), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_are_asked_for_than_fit),
        cmocka_unit_test(all_are_asked_for_at_first),
        cmocka_unit_test(a_connection_lost_without_room_leaves_what_fitted),
        cmocka_unit_test(room_in_between_clears_it_of_suspicion),
        cmocka_unit_test(it_grows_again_when_there_was_room_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
