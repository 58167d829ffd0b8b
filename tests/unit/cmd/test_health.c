#include "cmd/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { LIMIT_MS = 100000 };

static struct queue_status queues[2];
static struct bridge_status status;
static struct buffer out;

/* Two queues that are being consumed. */
static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        queues[i] = (struct queue_status){ .queue = i == 0 ? "one" : "two",
                                           .stage = STAGE_CONSUMING,
                                           .lease_held = true,
                                           .epoch = 1,
                                           .writers = 2 };
    status = (struct bridge_status){ .database_ok = true, .queues = queues, .queue_count = 2 };
    buffer_init(&out, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&out);
    return 0;
}

static void fail_with(struct last_error *last, const char *sqlstate)
{
    *last = (struct last_error){ .current = true, .count = 1 };
    snprintf(last->event, sizeof(last->event), "broken");
    snprintf(last->sqlstate, sizeof(last->sqlstate), "%s", sqlstate);
    error_set(&last->error, ERROR_UNAVAILABLE, "cannot do it", "host", "no\nluck");
}

static void assert_ready(const char *text)
{
    assert_true(health_readyz(&status, true, &out));
    assert_string_equal(out.data, text);
}

static void assert_not_ready(const char *line)
{
    assert_false(health_readyz(&status, false, &out));
    assert_false(buffer_failed(&out));
    if (strstr(out.data, line) == NULL)
        fail_msg("\"%s\" is not in:\n%s", line, out.data);
    assert_non_null(strstr(out.data, "\nreadyz check failed\n"));
}

static void an_open_breaker_is_not_ready(void **state)
{
    (void)state;
    queues[1].breaker = (struct breaker_status){ .open = true,
                                                 .refused = 812,
                                                 .window = 1000,
                                                 .probe_ms = 60000,
                                                 .sqlstate = "23514",
                                                 .table = "customers",
                                                 .constraint = "rule" };
    assert_not_ready("[-]queue two paused: 812 of the last 1000 messages were refused by the "
                     "database: SQLSTATE 23514, table "
                     "customers, constraint rule; nothing is written until it takes one, which is "
                     "tried every 60 s\n");
    assert_non_null(strstr(out.data, "[+]queue one consuming\n"));
}

static void what_is_quarantined_is_named(void **state)
{
    (void)state;
    queues[0].quarantine = (struct quarantine_status){ .entities = 1,
                                                       .shown_count = 1,
                                                       .shown = { { "7", "ZZ001", 3, "" } } };
    queues[1].quarantine = (struct quarantine_status){
        .entities = 7, .shown_count = 2, .shown = { { "8", "XX000", 1, "" }, { "9", "", 2, "" } }
    };
    assert_ready(
        "[+]daemon ok\n[+]database ok\n"
        "[+]queue one consuming; 1 entity fails alone and waits: 7 (SQLSTATE ZZ001, attempt 3)\n"
        "[+]queue two consuming; 7 entities fail alone and wait: 8 (SQLSTATE XX000, attempt 1), 9 "
        "(no answer, attempt 2), "
        "and 5 more\nreadyz check passed\n");
}

static void timestamps_that_do_not_count_are_told(void **state)
{
    (void)state;
    queues[0].timestamps_out_of_range = 2;
    queues[1].timestamps_missing = 3;
    queues[1].quarantine = (struct quarantine_status){ .entities = 1,
                                                       .shown_count = 1,
                                                       .shown = { { "7", "ZZ001", 3, "" } } };
    assert_ready("[+]daemon ok\n[+]database ok\n"
                 "[+]queue one consuming; AMQP timestamps that do not count: 2 out of range, 0 "
                 "missing where they would be compared\n"
                 "[+]queue two consuming; AMQP timestamps that do not count: 0 out of range, 3 "
                 "missing where they would be compared; 1 entity fails alone and waits: 7 "
                 "(SQLSTATE ZZ001, attempt 3)\nreadyz check passed\n");
}

static void other_consumers_are_named(void **state)
{
    (void)state;
    queues[0].other_consumers = 1;
    queues[1].other_consumers = 2;
    queues[1].quarantine = (struct quarantine_status){ .entities = 1,
                                                       .shown_count = 1,
                                                       .shown = { { "7", "", 2, "" } } };
    assert_ready("[+]daemon ok\n[+]database ok\n"
                 "[+]queue one consuming; 1 other consumer takes a part of the messages\n"
                 "[+]queue two consuming; 2 other consumers take a part of the messages; 1 entity "
                 "fails alone and waits: 7 (no answer, attempt 2)\nreadyz check passed\n");
}

/* What the entity file does not fit is written all the same, so it is no failure. */
static void a_doubtful_mapping_is_named(void **state)
{
    (void)state;
    queues[1].mapping = (struct mapping_figures){
        .messages = 120, .unmapped = 7, .unmatched = 2, .paths = "status, name"
    };
    assert_ready("[+]daemon ok\n[+]database ok\n[+]queue one consuming\n[+]queue two consuming\n"
                 "[+]queue two mapping doubtful: 7 of 120 messages had nothing that the entity "
                 "file maps but their id; none of 120 messages had status, name\n"
                 "readyz check passed\n");
}

static void a_queue_that_carries_another_entity_is_not_ready(void **state)
{
    (void)state;
    queues[1].stage = STAGE_WAITING;
    queues[1].lease_held = false;
    snprintf(queues[1].holder, sizeof(queues[1].holder), "elsewhere boot/1 1 1");
    fail_with(&queues[1].tables_error, "");
    assert_not_ready("[+]queue one consuming\n"
                     "[-]queue two not consuming: cannot do it \"host\": no luck\n");
}

static void the_table_of_what_is_quarantined_is_named(void **state)
{
    (void)state;
    queues[0].quarantine = (struct quarantine_status){ .entities = 2,
                                                       .shown_count = 2,
                                                       .shown = { { "7", "ZZ001", 3, "customers" },
                                                                  { "8", "", 4, "parts" } } };
    assert_ready("[+]daemon ok\n[+]database ok\n"
                 "[+]queue one consuming; 2 entities fail alone and wait: 7 (SQLSTATE ZZ001, table "
                 "customers, attempt 3), 8 (rows not written, table parts, attempt 4)\n"
                 "[+]queue two consuming\nreadyz check passed\n");
}

static void ready_when_every_queue_is_consumed(void **state)
{
    (void)state;
    assert_ready("[+]daemon ok\n[+]database ok\n[+]queue one consuming\n[+]queue two "
                 "consuming\nreadyz check passed\n");
    buffer_clear(&out);
    assert_true(health_readyz(&status, false, &out));
    assert_string_equal(out.data, "ok\n");
}

static void a_healthy_standby_is_ready(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        queues[i].stage = STAGE_WAITING;
        queues[i].lease_held = false;
        snprintf(queues[i].holder, sizeof(queues[i].holder), "elsewhere boot/1 1 1");
    }
    assert_ready(
        "[+]daemon ok\n[+]database ok\n[+]queue one standby: another instance holds the lease "
        "(elsewhere)\n"
        "[+]queue two standby: another instance holds the lease (elsewhere)\nreadyz check "
        "passed\n");
    buffer_clear(&out);
    status.database_ok = false; /* it could not take over */
    assert_not_ready("[-]queue one not consuming: waiting for the database\n");
}

static void the_reason_is_named(void **state)
{
    (void)state;
    queues[1].stage = STAGE_CONNECTING;
    assert_not_ready(
        "[+]queue one consuming\n[-]queue two not consuming: connecting to the broker\n");
    buffer_clear(&out);
    fail_with(&queues[1].broker_error, "");
    assert_not_ready("[-]queue two not consuming: cannot do it \"host\": no luck\n");
    buffer_clear(&out);
    queues[1].stage = STAGE_PREDECESSOR;
    assert_not_ready(
        "[-]queue two not consuming: waiting until the broker has dropped the previous consumer\n");
    buffer_clear(&out);
    queues[1].stage = STAGE_WAITING;
    queues[1].lease_held = false;
    assert_not_ready("[-]queue two not consuming: the lease is not acquired yet\n");
}

static void messages_that_came_back_often_are_told(void **state)
{
    (void)state;
    queues[0].returns = 10;
    queues[1].returns = 9;
    assert_ready("[+]daemon ok\n[+]database ok\n"
                 "[+]queue one consuming; messages came back 10 times, and RabbitMQ 4 drops them "
                 "after 20 by default\n"
                 "[+]queue two consuming\nreadyz check passed\n");
    buffer_clear(&out);
    queues[0].stage = STAGE_RETURNS;
    queues[0].returns = 12;
    assert_not_ready("[-]queue one not consuming: its messages came back 12 times, and RabbitMQ 4 "
                     "drops them after 20 by default, so they are taken later\n");
}

static void what_is_over_is_no_reason(void **state)
{
    (void)state;
    fail_with(&queues[0].broker_error, "");
    queues[0].broker_error.current = false;
    queues[0].stage = STAGE_CONNECTING;
    assert_not_ready("[-]queue one not consuming: connecting to the broker\n");
}

static void a_database_that_is_not_usable_is_named(void **state)
{
    (void)state;
    status.database_ok = false;
    assert_not_ready("[-]database not usable: connecting\n");
    buffer_clear(&out);
    fail_with(&status.database_error, "");
    status.database_error.others = 3;
    assert_not_ready(
        "[-]database not usable: cannot do it \"host\": no luck, and 3 more, see kopru check\n");
}

static void what_came_earlier_is_named(void **state)
{
    (void)state;
    status.database_ok = false;
    fail_with(&status.database_error, "");
    snprintf(status.database_error.earlier, sizeof(status.database_error.earlier),
             "SQLSTATE 53100: the server's disk is full");
    assert_not_ready("[-]database not usable: cannot do it \"host\": no luck; it began with: "
                     "SQLSTATE 53100: the server's disk is full\n");
}

static void tables_that_are_wrong_are_the_queues_own(void **state)
{
    (void)state;
    queues[0].stage = STAGE_WAITING;
    queues[0].lease_held = false;
    fail_with(&queues[0].tables_error, "");
    assert_not_ready("[+]database ok\n[-]queue one not consuming: cannot do it \"host\": no luck\n"
                     "[+]queue two consuming\n");
    buffer_clear(&out);
    queues[0].stage = STAGE_CONSUMING; /* they were looked at again */
    assert_not_ready("[-]queue one paused: cannot do it \"host\": no luck\n");
}

static void a_writer_that_cannot_write_is_named(void **state)
{
    (void)state;
    queues[0].writers_failing = 1;
    fail_with(&queues[0].database_error, "40001");
    assert_not_ready("[-]queue one not written: cannot do it \"host\": no luck, SQLSTATE 40001\n");
    buffer_clear(&out);
    queues[0].paused = true;
    assert_not_ready("[-]queue one paused: cannot do it \"host\": no luck, SQLSTATE 40001\n");
}

static void not_ready_before_it_began_nor_when_it_ends(void **state)
{
    (void)state;
    status.stopping = true;
    assert_not_ready("[-]daemon stopping\n");
    buffer_clear(&out);
    status = (struct bridge_status){ 0 };
    assert_not_ready("[-]daemon starting\n");
}

static void a_name_stays_on_its_line(void **state)
{
    (void)state;
    queues[0].queue = "one\n[+]forged\x7f";
    assert_ready("[+]daemon ok\n[+]database ok\n[+]queue one [+]forged  consuming\n[+]queue two "
                 "consuming\nreadyz check passed\n");
}

static void alive_whatever_the_servers_do(void **state)
{
    (void)state;
    status.database_ok = false;
    fail_with(&status.database_error, "");
    queues[0].stage = STAGE_WAITING;
    queues[0].consumer_silent_ms = LIMIT_MS;
    assert_true(health_livez(&status, LIMIT_MS, false, &out));
    assert_string_equal(out.data, "ok\n");
    buffer_clear(&out);
    assert_true(health_livez(&(struct bridge_status){ 0 }, LIMIT_MS, false, &out)); /* starting */
}

static void a_stuck_thread_is_named(void **state)
{
    (void)state;
    queues[1].writer_silent_ms = LIMIT_MS + 1;
    assert_false(health_livez(&status, LIMIT_MS, false, &out));
    assert_string_equal(
        out.data,
        "[+]lease keeper ok\n[+]queue one consumer ok\n[+]queue one writers ok\n[+]queue two "
        "consumer ok\n"
        "[-]queue two writers stuck: no sign of life for 100 s\nlivez check failed\n");
    buffer_clear(&out);
    queues[1].writer_silent_ms = 0;
    queues[0].consumer_silent_ms = LIMIT_MS + 1;
    assert_false(health_livez(&status, LIMIT_MS, false, &out));
    buffer_clear(&out);
    queues[0].consumer_silent_ms = 0;
    status.keeper_silent_ms = LIMIT_MS + 1;
    assert_false(health_livez(&status, LIMIT_MS, false, &out));
    assert_non_null(strstr(out.data, "[-]lease keeper stuck"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_doubtful_mapping_is_named),
        TEST(a_queue_that_carries_another_entity_is_not_ready),
        TEST(ready_when_every_queue_is_consumed),
        TEST(an_open_breaker_is_not_ready),
        TEST(what_is_quarantined_is_named),
        TEST(timestamps_that_do_not_count_are_told),
        TEST(other_consumers_are_named),
        TEST(the_table_of_what_is_quarantined_is_named),
        TEST(a_healthy_standby_is_ready),
        TEST(the_reason_is_named),
        TEST(messages_that_came_back_often_are_told),
        TEST(what_is_over_is_no_reason),
        TEST(a_database_that_is_not_usable_is_named),
        TEST(what_came_earlier_is_named),
        TEST(tables_that_are_wrong_are_the_queues_own),
        TEST(a_writer_that_cannot_write_is_named),
        TEST(not_ready_before_it_began_nor_when_it_ends),
        TEST(a_name_stays_on_its_line),
        TEST(alive_whatever_the_servers_do),
        TEST(a_stuck_thread_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
