#include "cmd/check_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct error_list *list, enum error_kind kind)
{
    struct error err;

    error_set(&err, kind, "missing thing", "a.b", "it is gone");
    error_hint(&err, "bring it back");
    assert_int_equal(error_list_add(list, &err), 0);
}

static void the_status_is_the_first_of_78_69_77_1_0(void **state)
{
    struct check_report report;

    (void)state;
    check_report_init(&report);
    add(&report.sections[CHECK_BROKER].warnings, ERROR_CONFIG);
    assert_int_equal(check_report_status(&report), 0);
    add(&report.sections[CHECK_DATABASE].problems, ERROR_INTERNAL);
    assert_int_equal(check_report_status(&report), 1);
    add(&report.sections[CHECK_DATABASE].problems, ERROR_PERMISSION);
    assert_int_equal(check_report_status(&report), 77);
    add(&report.sections[CHECK_BROKER].problems, ERROR_UNAVAILABLE);
    assert_int_equal(check_report_status(&report), 69);
    add(&report.sections[CHECK_DATABASE].problems, ERROR_CONFIG);
    assert_int_equal(check_report_status(&report), 78);
    check_report_release(&report);
}

static void text_shows_findings_below_their_area(void **state)
{
    struct check_report report;
    struct buffer out;

    (void)state;
    check_report_init(&report);
    buffer_append_text(&report.sections[CHECK_CONFIGURATION].summary, "k.cfg");
    add(&report.sections[CHECK_BROKER].problems, ERROR_PROBLEMS);
    add(&report.sections[CHECK_DATABASE].warnings, ERROR_PROBLEMS);
    report.has_memory = true;
    report.memory = (struct memory_bound){ 1 << 20, 2 << 20, 2, 5 << 20, 1, 3 << 20, 28 << 20 };
    buffer_init(&out, 4096);
    check_report_text(&report, &out);
    assert_string_equal(out.data, "configuration  ok: k.cfg\n"
                                  "broker         1 problem\n"
                                  "  problem: missing thing \"a.b\": it is gone\n"
                                  "    hint: bring it back\n"
                                  "database       ok, 1 warning\n"
                                  "  warning: missing thing \"a.b\": it is gone\n"
                                  "    hint: bring it back\n"
                                  "memory         at most 28 MiB: 1 MiB fixed + 2 queues x (2.0 "
                                  "MiB unacknowledged + 3 x 3 MiB, the largest message "
                                  "RabbitMQ admits by default) + 1 writer x 5 MiB\n");
    buffer_release(&out);
    check_report_release(&report);
}

static void every_area_has_a_name(void **state)
{
    (void)state;
    for (int area = 0; area < CHECK_AREAS; area++)
        assert_non_null(check_area_name((enum check_area)area));
}

static void memory_is_the_sum_of_the_formula(void **state)
{
    struct queue_settings queues[3] = { { .writers = 1 }, { .writers = 2 }, { .writers = 4 } };
    struct settings settings = { .queues = queues, .queue_count = 3 };
    const struct amqp_broker unknown = { "" };
    const struct amqp_broker newer = { "4.0.5" };
    struct memory_bound bound;

    (void)state;
    settings.limits.max_unacknowledged_bytes = 1000;
    memory_bound_compute(&settings, &unknown, &bound);
    assert_int_equal(bound.writer_count, 7);
    assert_int_equal(bound.total_bytes, bound.fixed_bytes + 3000 + 7 * bound.writer_bytes +
                                            9 * bound.largest_message_bytes);
    assert_int_equal(bound.largest_message_bytes, 128 << 20);
    memory_bound_compute(&settings, &newer, &bound);
    assert_int_equal(bound.largest_message_bytes, 16 << 20);
    settings.limits.max_message_bytes = INT64_C(1) << 30;
    memory_bound_compute(&settings, &unknown, &bound);
    assert_int_equal(bound.largest_message_bytes, INT64_C(1) << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_is_the_first_of_78_69_77_1_0),
        cmocka_unit_test(text_shows_findings_below_their_area),
        cmocka_unit_test(every_area_has_a_name),
        cmocka_unit_test(memory_is_the_sum_of_the_formula),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
