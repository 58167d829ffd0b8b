/* Which messages may be late, and which timestamps count. */
#include "bridge/consume/lateness.h"

#include "base/clock.h"
#include "fake_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { T = 1700000000, AT_2000 = 946684800, HOUR = 3600 };

static struct fake_queue fake;
static struct lateness lateness;

static int set_up(void **state)
{
    (void)state;
    fake_queue_init(&fake, &(struct write_settings){ .writers = 1 });
    lateness = (struct lateness){ 0 };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_queue_release(&fake);
    return 0;
}

/* What a message has that the judgement looks at. */
struct message_case {
    bool refused;
    bool late; /* redelivered late */
    bool by_timestamp;
    const char *mark;
    uint8_t priority;
    bool has_timestamp;
    uint64_t timestamp;
};

struct judgement {
    bool may_be_late;
    bool has_time;
    int64_t source_time_pg_us;
};

static struct judgement judge(const struct message_case *given)
{
    struct message *message = fakes_message(given->refused ? "?" : "a", 1);
    struct judgement judgement = { 0 };

    message->delivery->late_mark = given->mark;
    message->delivery->priority = given->priority;
    message->delivery->has_timestamp = given->has_timestamp;
    message->delivery->timestamp_s = given->timestamp;
    lateness_note(&lateness, &fake.queue, message, given->late, given->by_timestamp);
    if (message->change != NULL)
        judgement = (struct judgement){ message->change->may_be_late, message->change->has_time,
                                        message->change->source_time_pg_us };
    message_free(message);
    return judgement;
}

#define JUDGE(...) judge(&(struct message_case){ __VA_ARGS__ })

static void assert_counted(unsigned late, unsigned out_of_range, unsigned missing)
{
    assert_int_equal(atomic_load(&fake.queue.counters.late), late);
    assert_int_equal(atomic_load(&fake.queue.counters.timestamps_out_of_range), out_of_range);
    assert_int_equal(atomic_load(&fake.queue.counters.timestamps_missing), missing);
}

static void a_first_delivery_is_not_late(void **state)
{
    (void)state;
    assert_false(JUDGE().may_be_late);
    assert_false(JUDGE(.has_timestamp = true, .timestamp = T).may_be_late);
    assert_counted(0, 0, 0); /* nobody asks for the timestamp that the first one has not */
}

static void what_may_be_late_is_counted_and_compared(void **state)
{
    (void)state;
    assert_true(JUDGE(.late = true, .has_timestamp = true, .timestamp = T).may_be_late);
    assert_true(JUDGE(.mark = "x-death", .has_timestamp = true, .timestamp = T).may_be_late);
    assert_counted(2, 0, 0);
    JUDGE(.refused = true, .mark = "x-death");
    assert_counted(3, 0, 0);
    assert_true(JUDGE(.by_timestamp = true, .has_timestamp = true, .timestamp = T).may_be_late);
    assert_counted(3, 0, 0); /* compared, because the queue's order is so; but not late */
}

/* The broker delivers the higher priority first, so only a lower one may have been overtaken. */
static void a_lower_priority_after_a_higher_one_may_be_late(void **state)
{
    (void)state;
    assert_false(JUDGE(.priority = 4).may_be_late);
    assert_false(JUDGE(.priority = 4).may_be_late);
    assert_false(JUDGE(.priority = 9).may_be_late);
    assert_false(JUDGE(.priority = 9).may_be_late);
    assert_true(JUDGE(.priority = 8, .has_timestamp = true, .timestamp = T).may_be_late);
    assert_true(JUDGE(.has_timestamp = true, .timestamp = T).may_be_late);
    assert_counted(2, 0, 0);
    assert_false(JUDGE(.priority = 9).may_be_late);
    JUDGE(.mark = "x-death", .priority = 200, .has_timestamp = true, .timestamp = T);
    assert_true(JUDGE(.priority = 9, .has_timestamp = true, .timestamp = T).may_be_late);
}

static void a_timestamp_is_in_seconds_and_one_that_clocks_show(void **state)
{
    static const uint64_t impossible[] = {
        0,
        AT_2000 - 1,
        4000000000,
        T * UINT64_C(1000),
        T * UINT64_C(1000000),
        T * UINT64_C(1000000000),
        UINT64_C(638000000000000000), /* ticks since the year 1 */
        UINT64_MAX,
    };
    uint64_t now = (uint64_t)clock_wall_s();
    size_t count = sizeof(impossible) / sizeof(impossible[0]);

    (void)state;
    assert_int_equal(JUDGE(.has_timestamp = true, .timestamp = AT_2000 + 1).source_time_pg_us,
                     1000000);
    assert_true(JUDGE(.has_timestamp = true, .timestamp = AT_2000).has_time);
    assert_true(JUDGE(.has_timestamp = true, .timestamp = now + HOUR - 60).has_time);
    assert_counted(0, 0, 0);
    for (size_t i = 0; i < count; i++)
        assert_false(JUDGE(.has_timestamp = true, .timestamp = impossible[i]).has_time);
    assert_counted(0, (unsigned)count, 0);
    assert_false(JUDGE(.has_timestamp = true, .timestamp = now + HOUR + 60).has_time);
    assert_counted(0, (unsigned)count + 1, 0);
}

/* One that is there and cannot be one does not count as missing as well. */
static void a_timestamp_is_missing_where_it_would_be_compared(void **state)
{
    (void)state;
    JUDGE();
    assert_counted(0, 0, 0);
    assert_true(JUDGE(.by_timestamp = true).may_be_late);
    assert_counted(0, 0, 1);
    JUDGE(.late = true);
    JUDGE(.mark = "x-received-from");
    assert_counted(2, 0, 3);
    JUDGE(.by_timestamp = true, .has_timestamp = true, .timestamp = T * UINT64_C(1000));
    assert_counted(2, 1, 3);
    JUDGE(.refused = true, .by_timestamp = true);
    assert_counted(2, 1, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_delivery_is_not_late),
        TEST(what_may_be_late_is_counted_and_compared),
        TEST(a_lower_priority_after_a_higher_one_may_be_late),
        TEST(a_timestamp_is_in_seconds_and_one_that_clocks_show),
        TEST(a_timestamp_is_missing_where_it_would_be_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
