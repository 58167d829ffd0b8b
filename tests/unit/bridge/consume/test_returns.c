#include "bridge/consume/returns.h"

#include "bridge/timing.h"
#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct fake_queue fake;
static struct returns returns;

static int set_up(void **state)
{
    (void)state;
    fake_queue_init(&fake, &(struct write_settings){ .writers = 1 });
    returns = (struct returns){ 0 };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_queue_release(&fake);
    return 0;
}

static bool note(uint32_t count, uint64_t tag)
{
    const struct delivery delivery = { .tag = tag, .redelivered = count > 0, .returns = count };

    return returns_note(&returns, &fake.queue, &delivery, RETURNS_LIMIT);
}

static uint64_t counted(void)
{
    return atomic_load(&fake.queue.counters.near_limit);
}

static void only_what_is_near_the_limit_is_news(void **state)
{
    (void)state;
    returns_begin(&returns, 0);
    assert_false(note(0, 1));
    assert_false(note(9, 2));
    assert_true(note(10, 3));
    assert_false(note(10, 4));
    assert_true(note(20, 5));
    assert_false(note(12, 6));
    assert_int_equal(counted(), 4);
    assert_int_equal(returns_highest(&returns), 20);
    assert_false(note(21, 7)); /* it proves that the limit is another one */
    assert_int_equal(counted(), 4);
    assert_int_equal(returns_wait_ms(returns_highest(&returns)), 0);
    assert_false(returns_are_last(returns_highest(&returns)));
}

static void what_is_acknowledged_counts_no_more(void **state)
{
    (void)state;
    returns_begin(&returns, 0);
    note(11, 1);
    note(11, 2);
    note(0, 3);
    returns_forget(&returns, 2, false);
    assert_int_equal(returns_highest(&returns), 11);
    returns_forget(&returns, 3, false);
    assert_int_equal(returns_highest(&returns), 0);
    note(12, 4);
    returns_forget(&returns, 0, false);
    assert_int_equal(returns_highest(&returns), 0);
}

/* Messages that are taken one at a time leave nothing unacknowledged between them. */
static void what_may_still_come_back_counts(void **state)
{
    (void)state;
    returns_begin(&returns, 17);
    assert_int_equal(returns_highest(&returns), 17);
    returns_forget(&returns, 0, true);
    note(18, 1);
    returns_forget(&returns, 0, true);
    assert_int_equal(returns_highest(&returns), 18);
    returns_begin(&returns, 0); /* the connection was lost */
    assert_int_equal(returns_highest(&returns), 18);
    returns_forget(&returns, 0, false);
    assert_int_equal(returns_highest(&returns), 0);
}

static void the_wait_grows_with_each_return(void **state)
{
    (void)state;
    assert_int_equal(returns_wait_ms(0), 0);
    assert_int_equal(returns_wait_ms(RETURNS_NEAR - 1), 0);
    assert_int_equal(returns_wait_ms(RETURNS_NEAR), 2000);
    assert_int_equal(returns_wait_ms(RETURNS_NEAR + 1), 4000);
    assert_int_equal(returns_wait_ms(RETURNS_LIMIT), RETURNS_WAIT_MAX_MS);
    assert_int_equal(returns_wait_ms(RETURNS_LIMIT + 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_is_near_the_limit_is_news),
        TEST(what_is_acknowledged_counts_no_more),
        TEST(what_may_still_come_back_counts),
        TEST(the_wait_grows_with_each_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
