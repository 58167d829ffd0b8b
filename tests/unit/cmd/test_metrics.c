#include "cmd/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct queue_status queues[2];
static struct bridge_status status;
static struct process_figures process;
static struct buffer out;

static int set_up(void **state)
{
    (void)state;
    queues[0] = (struct queue_status){ .queue = "one" };
    queues[1] = (struct queue_status){ .queue = "two" };
    status = (struct bridge_status){ .queues = queues, .queue_count = 2 };
    process = (struct process_figures){ 0 };
    buffer_init(&out, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&out);
    return 0;
}

static void print(void)
{
    buffer_clear(&out);
    metrics_print(&status, &process, "1.2.3", "abc-dirty", &out);
    assert_false(buffer_failed(&out));
}

static void assert_line(const char *line)
{
    char wanted[300];

    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    if (strstr(out.data, wanted) == NULL)
        fail_msg("no line \"%s\" in:\n%s", line, out.data);
}

static void units_are_base_units(void **state)
{
    (void)state;
    queues[1].oldest_age_ms = 1500;
    queues[1].last_commit_us = INT64_C(1700000000123456);
    process = (struct process_figures){ .start_time_s = 1700000000.5,
                                        .cpu_s = 2.25,
                                        .resident_bytes = INT64_C(5) << 32 };
    print();
    assert_line("kopru_unacknowledged_oldest_age_seconds{queue=\"one\"} 0.000");
    assert_line("kopru_unacknowledged_oldest_age_seconds{queue=\"two\"} 1.500");
    assert_line("kopru_last_commit_timestamp_seconds{queue=\"two\"} 1700000000.123456");
    assert_line("process_start_time_seconds 1700000000.50");
    assert_line("process_cpu_seconds_total 2.250");
    assert_line("process_resident_memory_bytes 21474836480");
}

static void each_figure_has_its_line(void **state)
{
    (void)state;
    queues[0] = (struct queue_status){ .queue = "one",
                                       .stage = STAGE_CONSUMING,
                                       .lease_held = true,
                                       .epoch = 7,
                                       .writers = 4,
                                       .writers_busy = 3,
                                       .writers_failing = 2,
                                       .paused = true,
                                       .delivered = UINT64_MAX,
                                       .committed = 11,
                                       .stale = 12,
                                       .late = 13,
                                       .timestamps_out_of_range = 31,
                                       .timestamps_missing = 32,
                                       .misfits = 14,
                                       .broken = 15,
                                       .roots_written = 16,
                                       .transactions = 17,
                                       .unreplicated = 26,
                                       .refusals = 18,
                                       .retries = 19,
                                       .reconnects = 20,
                                       .unacknowledged_messages = 21,
                                       .unacknowledged_bytes = 22,
                                       .broker_error = { .count = 23 } };
    queues[0].dead_letters[REFUSAL_REJECTED_BY_DATABASE] = 24;
    queues[0].breaker = (struct breaker_status){ .open = true, .refused = 26, .openings = 27 };
    queues[0].quarantine = (struct quarantine_status){ .entities = 28, .messages = 29 };
    queues[0].quarantine_rejected = 30;
    queues[0].mapping =
        (struct mapping_figures){ .unmapped = 31, .other_case = 32, .unmatched = 33 };
    status.database_ok = true;
    status.database_reconnects = 25;
    print();
    assert_line("kopru_build_info{version=\"1.2.3\",revision=\"abc-dirty\"} 1");
    assert_line("kopru_database_up 1");
    assert_line("kopru_database_reconnects_total 25");
    assert_line("kopru_queue_consuming{queue=\"one\"} 1");
    assert_line("kopru_queue_consuming{queue=\"two\"} 0");
    assert_line("kopru_lease_held{queue=\"one\"} 1");
    assert_line("kopru_lease_epoch{queue=\"one\"} 7");
    assert_line("kopru_queue_writers{queue=\"one\"} 4");
    assert_line("kopru_queue_writers_busy{queue=\"one\"} 3");
    assert_line("kopru_queue_writers_failing{queue=\"one\"} 2");
    assert_line("kopru_queue_paused{queue=\"one\"} 1");
    assert_line("kopru_breaker_open{queue=\"one\"} 1");
    assert_line("kopru_breaker_open{queue=\"two\"} 0");
    assert_line("kopru_breaker_refused_messages{queue=\"one\"} 26");
    assert_line("kopru_breaker_openings_total{queue=\"one\"} 27");
    assert_line("kopru_quarantined_entities{queue=\"one\"} 28");
    assert_line("kopru_quarantined_messages{queue=\"one\"} 29");
    assert_line("kopru_quarantine_rejected_total{queue=\"one\"} 30");
    assert_line("kopru_messages_delivered_total{queue=\"one\"} 18446744073709551615");
    assert_line("kopru_messages_committed_total{queue=\"one\"} 11");
    assert_line("kopru_messages_stale_total{queue=\"one\"} 12");
    assert_line("kopru_messages_late_total{queue=\"one\"} 13");
    assert_line("kopru_timestamps_out_of_range_total{queue=\"one\"} 31");
    assert_line("kopru_timestamps_missing_total{queue=\"one\"} 32");
    assert_line("kopru_values_misfit_total{queue=\"one\"} 14");
    assert_line("kopru_elements_broken_total{queue=\"one\"} 15");
    assert_line("kopru_messages_unmapped_total{queue=\"one\"} 31");
    assert_line("kopru_messages_other_case_total{queue=\"one\"} 32");
    assert_line("kopru_paths_unmatched{queue=\"one\"} 33");
    assert_line("kopru_roots_written_total{queue=\"one\"} 16");
    assert_line("kopru_transactions_committed_total{queue=\"one\"} 17");
    assert_line("kopru_transactions_unreplicated_total{queue=\"one\"} 26");
    assert_line("kopru_transactions_refused_total{queue=\"one\"} 18");
    assert_line("kopru_transactions_retried_total{queue=\"one\"} 19");
    assert_line("kopru_broker_reconnects_total{queue=\"one\"} 20");
    assert_line("kopru_unacknowledged_messages{queue=\"one\"} 21");
    assert_line("kopru_unacknowledged_bytes{queue=\"one\"} 22");
    assert_line("kopru_broker_errors_total{queue=\"one\"} 23");
    assert_line("kopru_dead_letters_total{queue=\"one\",reason=\"rejected_by_database\"} 24");
    assert_line("kopru_dead_letters_total{queue=\"two\",reason=\"too_large\"} 0");
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    queues[0].queue = "a\"b\\c\nd\xc5\x9f{}";
    queues[1].queue = "x\xffy";
    print();
    assert_line("kopru_lease_epoch{queue=\"a\\\"b\\\\c\\nd\xc5\x9f{}\"} 0");
    assert_line("kopru_lease_epoch{queue=\"x%FFy\"} 0");
}

/* Every sample stands below the HELP and TYPE of its family, each of which comes once. */
static void every_family_is_introduced_once(void **state)
{
    char seen[100][80];
    size_t count = 0;
    char *save = NULL;

    (void)state;
    print();
    for (char *line = strtok_r(out.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char name[80];
        char type[20];

        if (sscanf(line, "# HELP %79s %*s", name) == 1) {
            for (size_t i = 0; i < count; i++)
                assert_string_not_equal(seen[i], name);
            assert_true(count < 100);
            snprintf(seen[count++], sizeof(seen[0]), "%s", name);
            assert_int_equal(line[strlen(line) - 1], '.');
        } else if (sscanf(line, "# TYPE %79s %19s", name, type) == 2) {
            bool total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;

            assert_string_equal(seen[count - 1], name);
            assert_string_equal(type, total ? "counter" : "gauge");
        } else {
            assert_int_equal(sscanf(line, "%79[a-z_]", name), 1);
            assert_string_equal(seen[count - 1], name);
        }
    }
    assert_true(count > 30);
}

static void before_there_are_queues_only_the_process_is_told(void **state)
{
    (void)state;
    status = (struct bridge_status){ 0 };
    print();
    assert_line("kopru_database_up 0");
    assert_line("process_open_fds 0");
    assert_null(strstr(out.data, "queue="));
}

static void the_process_is_this_one(void **state)
{
    struct process_figures before;
    int fds[2];

    (void)state;
    process_figures_read(&before);
    assert_int_equal(pipe(fds), 0);
    process_figures_read(&process);
    assert_int_equal(process.open_fds, before.open_fds + 2);
    close(fds[0]);
    close(fds[1]);
    assert_true(process.open_fds >= 3 && process.open_fds <= process.max_fds);
    assert_true(process.resident_bytes > 100000 && process.resident_bytes < process.virtual_bytes);
    assert_true(process.cpu_s > 0);
    assert_true(process.start_time_s > (double)time(NULL) - 600 &&
                process.start_time_s <= (double)time(NULL) + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(units_are_base_units),
        TEST(each_figure_has_its_line),
        TEST(label_values_are_escaped),
        TEST(every_family_is_introduced_once),
        TEST(before_there_are_queues_only_the_process_is_told),
        TEST(the_process_is_this_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
