#include "cmd/supervision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { LIMIT_MS = 100000 };

static struct queue_status queue;
static struct bridge_status status;
static struct supervision supervision;
static struct buffer out;

/* One queue that is being consumed, and a manager that has heard nothing yet. */
static int set_up(void **state)
{
    (void)state;
    queue = (struct queue_status){
        .queue = "q", .stage = STAGE_CONSUMING, .lease_held = true, .epoch = 1, .writers = 1
    };
    status = (struct bridge_status){ .database_ok = true, .queues = &queue, .queue_count = 1 };
    supervision = (struct supervision){ .silence_limit_ms = LIMIT_MS,
                                        .patience_ends_ms = SUPERVISION_PATIENCE_MS };
    buffer_init(&out, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&out);
    return 0;
}

static void assert_told(int64_t now_ms, const char *text)
{
    buffer_clear(&out);
    supervision_tell(&supervision, &status, now_ms, &out);
    assert_false(buffer_failed(&out));
    assert_string_equal(out.len > 0 ? out.data : "", text);
}

static void ready_once_when_consuming(void **state)
{
    (void)state;
    assert_told(1, "WATCHDOG=1\nREADY=1\nSTATUS=ok\n");
    assert_told(2, "WATCHDOG=1\n");
}

static void not_ready_before_the_queue_is_consumed(void **state)
{
    (void)state;
    queue.stage = STAGE_CONNECTING;
    assert_told(1, "WATCHDOG=1\nSTATUS=queue q not consuming: connecting to the broker\n");
    assert_told(SUPERVISION_PATIENCE_MS - 1, "WATCHDOG=1\n");
    queue.stage = STAGE_CONSUMING;
    assert_told(SUPERVISION_PATIENCE_MS - 1, "WATCHDOG=1\nREADY=1\nSTATUS=ok\n");
}

static void an_outage_does_not_hold_up_the_boot(void **state)
{
    (void)state;
    status.database_ok = false;
    assert_told(0, "WATCHDOG=1\nSTATUS=database not usable: connecting\n");
    assert_told(SUPERVISION_PATIENCE_MS, "WATCHDOG=1\nREADY=1\n");
    assert_told(SUPERVISION_PATIENCE_MS + 1, "WATCHDOG=1\n");
}

static void a_stuck_thread_is_not_vouched_for(void **state)
{
    (void)state;
    assert_told(1, "WATCHDOG=1\nREADY=1\nSTATUS=ok\n");
    queue.consumer_silent_ms = LIMIT_MS + 1;
    assert_told(2, "");
    queue.consumer_silent_ms = LIMIT_MS;
    queue.writer_silent_ms = LIMIT_MS + 1;
    assert_told(3, "");
    queue.writer_silent_ms = 0;
    status.keeper_silent_ms = LIMIT_MS + 1;
    assert_told(4, "");
    status.keeper_silent_ms = 0;
    assert_told(5, "WATCHDOG=1\n");
}

static void servers_that_are_away_are_no_reason_to_be_restarted(void **state)
{
    (void)state;
    assert_told(1, "WATCHDOG=1\nREADY=1\nSTATUS=ok\n");
    status.database_ok = false;
    queue.stage = STAGE_CONNECTING;
    assert_told(2, "WATCHDOG=1\nSTATUS=database not usable: connecting\n");
}

static void the_end_is_told(void **state)
{
    (void)state;
    status.stopping = true;
    assert_told(1, "WATCHDOG=1\nSTATUS=daemon stopping\n");
}

static void nobody_is_told_without_a_manager(void **state)
{
    (void)state;
    supervision.notifier.fd = -1;
    assert_int_equal(supervision_wait_ms(&supervision), -1);
    supervision_look(&supervision, NULL); /* does not even look */
    supervision_stopping(&supervision);
    supervision_close(&supervision);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ready_once_when_consuming, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_ready_before_the_queue_is_consumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outage_does_not_hold_up_the_boot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stuck_thread_is_not_vouched_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(servers_that_are_away_are_no_reason_to_be_restarted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_end_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_told_without_a_manager, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("supervision", tests, NULL, NULL);
}
