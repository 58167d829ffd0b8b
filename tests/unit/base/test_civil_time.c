#include "base/civil_time.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void set_zone(const char *iana)
{
    struct error err;

    assert_int_equal(civil_zone_set(iana, &err), 0);
}

/* The instant as text, or "misfit". The result is valid until the next call. */
static const char *read_instant(const char *text)
{
    static char written[64];
    struct civil_moment moment;
    struct buffer out;

    if (!civil_read_timestamp(slice_of(text), &moment))
        return "misfit";
    buffer_init(&out, sizeof(written) - 1);
    civil_write_instant(moment.instant_pg_us, &out);
    memcpy(written, out.data, out.len + 1);
    buffer_release(&out);
    return written;
}

static const char *write_date(int64_t pg_days)
{
    static char written[64];
    struct buffer out;

    buffer_init(&out, sizeof(written) - 1);
    civil_write_date(pg_days, &out);
    memcpy(written, out.data, out.len + 1);
    buffer_release(&out);
    return written;
}

/* The civil date that comes with an instant. */
static const char *read_twin(const char *text)
{
    struct civil_moment moment;

    return civil_read_timestamp(slice_of(text), &moment) ? write_date(moment.date_pg_days)
                                                         : "misfit";
}

static const char *read_date(const char *text)
{
    int64_t pg_days;
    bool exact;

    return civil_read_date(slice_of(text), &pg_days, &exact) ? write_date(pg_days) : "misfit";
}

static void the_numbers_are_postgresqls(void **state)
{
    struct civil_moment moment;
    int64_t pg_days;
    bool exact;

    (void)state;
    set_zone("UTC");
    assert_true(civil_read_date(SLICE_LITERAL("2000-01-01"), &pg_days, &exact));
    assert_int_equal(pg_days, 0);
    assert_true(civil_read_date(SLICE_LITERAL("1970-01-01"), &pg_days, &exact));
    assert_int_equal(pg_days, -10957);
    assert_true(civil_read_date(SLICE_LITERAL("2021-08-13"), &pg_days, &exact));
    assert_int_equal(pg_days, 7895);
    assert_true(civil_read_date(SLICE_LITERAL("0001-01-01"), &pg_days, &exact));
    assert_int_equal(pg_days, -730119);
    assert_true(civil_read_date(SLICE_LITERAL("9999-12-31"), &pg_days, &exact));
    assert_int_equal(pg_days, 2921939);
    assert_true(civil_read_timestamp(SLICE_LITERAL("1999-12-31T23:59:59.999999Z"), &moment));
    assert_int_equal(moment.instant_pg_us, -1);
    assert_true(civil_read_timestamp(SLICE_LITERAL("2021-08-13T00:00:00Z"), &moment));
    assert_int_equal(moment.instant_pg_us, INT64_C(7895) * 86400 * 1000000);
}

static void every_day_is_written_as_it_was_read(void **state)
{
    int64_t first;
    int64_t last;
    bool exact;

    (void)state;
    assert_true(civil_read_date(SLICE_LITERAL("0001-01-01"), &first, &exact));
    assert_true(civil_read_date(SLICE_LITERAL("9999-12-31"), &last, &exact));
    for (int64_t pg_days = first; pg_days <= last; pg_days++) {
        struct buffer out;
        int64_t again;

        buffer_init(&out, 16);
        civil_write_date(pg_days, &out);
        assert_true(civil_read_date(buffer_slice(&out), &again, &exact));
        buffer_release(&out);
        assert_int_equal(again, pg_days);
    }
}

struct text_case {
    const char *text;
    const char *result;
};

static void timestamps_that_fit(void **state)
{
    static const struct text_case cases[] = {
        { "2021-08-13", "2021-08-12T21:00:00Z" },
        { "2021-08-13T10:20", "2021-08-13T07:20:00Z" },
        { "2021-08-13 10:20", "2021-08-13T07:20:00Z" },
        { "2021-08-13T10:20:30", "2021-08-13T07:20:30Z" },
        { "2021-08-13T10:20:30.5", "2021-08-13T07:20:30.5Z" },
        { "2021-08-13T10:20:30.050", "2021-08-13T07:20:30.05Z" },
        { "2021-08-13T10:20:30.000001", "2021-08-13T07:20:30.000001Z" },
        { "2021-08-13T10:20:30.1234567", "2021-08-13T07:20:30.123456Z" },
        { "2021-08-13T10:20:30.9999999", "2021-08-13T07:20:30.999999Z" },
        { "2021-08-13T10:20:30.0000000", "2021-08-13T07:20:30Z" },
        { "2021-08-13T10:20Z", "2021-08-13T10:20:00Z" },
        { "2021-08-13T10:20:30Z", "2021-08-13T10:20:30Z" },
        { "2021-08-13 10:20:30.25Z", "2021-08-13T10:20:30.25Z" },
        { "2021-08-13T10:20:30+03:00", "2021-08-13T07:20:30Z" },
        { "2021-08-13T10:20:30+0300", "2021-08-13T07:20:30Z" },
        { "2021-08-13T10:20:30-05:30", "2021-08-13T15:50:30Z" },
        { "2021-08-13T10:20:30.75-0530", "2021-08-13T15:50:30.75Z" },
        { "2021-08-13T10:20+00:00", "2021-08-13T10:20:00Z" },
        { "2021-08-13T10:20-00:00", "2021-08-13T10:20:00Z" },
        { "2021-08-13T00:00:00+15:59", "2021-08-12T08:01:00Z" },
        { "2021-08-13T00:00:00-15:59", "2021-08-13T15:59:00Z" },
        { "2021-08-13T23:59:59", "2021-08-13T20:59:59Z" },
        { "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z" },
        { "2000-02-29", "2000-02-28T22:00:00Z" },
        { "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z" },
        { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
        { "9999-12-31T20:59:59.999999Z", "9999-12-31T20:59:59.999999Z" },
        { "9999-12-31T23:59:59.999999", "9999-12-31T20:59:59.999999Z" },
        { "9999-12-31", "9999-12-30T21:00:00Z" },
    };

    (void)state;
    set_zone("Europe/Istanbul");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(read_instant(cases[i].text), cases[i].result);
}

static void timestamps_that_do_not_fit(void **state)
{
    static const char *const cases[] = {
        "",
        " ",
        "now",
        "today",
        "infinity",
        "epoch",
        "2021",
        "2021-08",
        "2021-08-1",
        "2021-8-13",
        "21-08-13",
        "02021-08-13",
        "2021-08-131",
        "20210813",
        "2021/08/13",
        "13.08.2021",
        "-2021-08-13",
        "+2021-08-13",
        "2021-08-13 ",
        " 2021-08-13",
        "2021-08-13\n",
        "2021-08-13T",
        "2021-08-13T10",
        "2021-08-13T1020",
        "2021-08-13T10:2",
        "2021-08-13T1:20",
        "2021-08-13T10:20:",
        "2021-08-13T10:20:3",
        "2021-08-13T10:20.5",
        "2021-08-13T10:20:30.",
        "2021-08-13T10:20:30.Z",
        "2021-08-13T10:20:30,5",
        "2021-08-13T10:20:30.5.5",
        "2021-08-13T10:20:30z",
        "2021-08-13t10:20:30",
        "2021-08-13_10:20:30",
        "2021-08-13  10:20:30",
        "2021-08-13T10:20:30 Z",
        "2021-08-13T10:20:30 +03:00",
        "2021-08-13T10:20:30Z ",
        "2021-08-13T10:20:30ZZ",
        "2021-08-13T10:20:30+3",
        "2021-08-13T10:20:30+03",
        "2021-08-13T10:20:30+03:0",
        "2021-08-13T10:20:30+03:",
        "2021-08-13T10:20:30+03:60",
        "2021-08-13T10:20:30+16:00",
        "2021-08-13T10:20:30-1600",
        "2021-08-13T10:20:30+03:00:00",
        "2021-08-13T10:20:30+-03:00",
        ("2021-08-13T10:20:30\xE2\x88\x92"
         "03:00"),
        "2021-08-13T10:20:30 Europe/Istanbul",
        "2021-08-13Z",
        "2021-08-13+03:00",
        "2021-08-13T24:00",
        "2021-08-13T24:00:00",
        "2021-08-13T25:00:00",
        "2021-08-13T10:60:00",
        "2021-08-13T10:20:60",
        "2021-08-13T10:20:61Z",
        "0000-01-01",
        "0000-12-31T23:00:00-12:00",
        "10000-01-01",
        "2021-00-13",
        "2021-13-01",
        "2021-08-00",
        "2021-08-32",
        "2021-02-29",
        "2021-02-30",
        "2021-04-31",
        "1900-02-29",
        "0001-01-01",                /* 1 BC in UTC */
        "0001-01-01T00:00:00+00:01", /* likewise */
        "9999-12-31T23:59:59-00:01", /* the year 10000 in UTC */
        "9999-12-31T21:00:00Z",      /* the year 10000 in the zone */
        "9999-12-31T23:59:59.999999Z",
    };

    (void)state;
    set_zone("Europe/Istanbul");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (strcmp(read_instant(cases[i]), "misfit") != 0)
            fail_msg("fits: \"%s\"", cases[i]);
}

static void a_nul_byte_does_not_end_a_text(void **state)
{
    struct civil_moment moment;
    int64_t pg_days;
    bool exact;

    (void)state;
    assert_false(civil_read_timestamp(SLICE_LITERAL("2021-08-13T10:20:30\0"), &moment));
    assert_false(civil_read_date(SLICE_LITERAL("2021-08-13\0"), &pg_days, &exact));
}

static void a_text_that_ends_early_is_not_read_beyond(void **state)
{
    static const char text[] = "2021-08-13T10:20:30.5+03:00";
    struct civil_moment moment;

    (void)state;
    set_zone("UTC");
    for (size_t len = 0; len <= strlen(text); len++) {
        char *copy = malloc(len + (len == 0)); /* so that sanitizers see a byte too many */
        bool fits = len == 10 || len == 16 || len == 19 || len == 21 || len == 27;

        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_int_equal(civil_read_timestamp((struct slice){ copy, len }, &moment), fits);
        free(copy);
    }
}

static void dates(void **state)
{
    static const struct text_case cases[] = {
        { "2021-08-13", "2021-08-13" },
        { "0001-01-01", "0001-01-01" },
        { "9999-12-31", "9999-12-31" },
        { "2024-02-29", "2024-02-29" },
        { "2021-08-13T23:30:00", "2021-08-13" },
        { "2021-08-13T23:30:00Z", "2021-08-14" },
        { "2021-08-13T20:59:59.999999Z", "2021-08-13" },
        { "2021-08-13T21:00:00Z", "2021-08-14" },
        { "2021-08-14T02:00:00+05:00", "2021-08-14" },
        { "2021-08-14T01:59:59+05:00", "2021-08-13" },
        { "9999-12-31T20:59:59Z", "9999-12-31" },
        { "9999-12-31T21:00:00Z", "misfit" }, /* the year 10000 in the zone */
        { "0000-01-01", "misfit" },
        { "10000-01-01", "misfit" },
        { "2021-02-29", "misfit" },
        { "2021-08-13 ", "misfit" },
        { "13.08.2021", "misfit" },
        { "", "misfit" },
        { "2021-08-13T", "misfit" },
    };

    (void)state;
    set_zone("Europe/Istanbul");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(read_date(cases[i].text), cases[i].result);
}

static void twins_are_civil_dates_in_the_zone(void **state)
{
    static const char *const zones[] = { "Europe/Istanbul", "UTC", "America/New_York",
                                         "Pacific/Apia" };

    (void)state;
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        set_zone(zones[i]);
        assert_string_equal(read_twin("2021-08-13"), "2021-08-13");
        assert_string_equal(read_twin("2021-08-13T23:59:59"), "2021-08-13");
    }
    set_zone("America/New_York");
    assert_string_equal(read_twin("2021-08-13T03:59:59Z"), "2021-08-12");
    assert_string_equal(read_twin("2021-08-13T04:00:00Z"), "2021-08-13");
    set_zone("Pacific/Apia"); /* the 30th was skipped; what was written stays */
    assert_string_equal(read_twin("2011-12-30"), "2011-12-30");
    assert_string_equal(read_instant("2011-12-30"), "2011-12-30T10:00:00Z");
    assert_string_equal(read_twin("2011-12-30T10:00:00Z"), "2011-12-31");
}

/* At both ends of the calendar: an instant that has no date in the zone or in UTC does not fit,
   whether its text has an offset or not. */
static void an_instant_without_a_twin_does_not_fit(void **state)
{
    static const struct {
        const char *zone;
        const char *text;
        const char *twin;
    } cases[] = {
        { "Europe/Istanbul", "9999-12-31T20:59:59.999999Z", "9999-12-31" },
        { "Europe/Istanbul", "9999-12-31T21:00:00Z", "misfit" },
        { "Europe/Istanbul", "9999-12-31T23:59:59Z", "misfit" },
        { "Europe/Istanbul", "9999-12-31T23:59:59", "9999-12-31" },
        { "Europe/Istanbul", "0001-01-01T00:00:00Z", "0001-01-01" },
        { "Europe/Istanbul", "0001-01-01T00:00:00", "misfit" },
        { "Europe/Istanbul", "0001-01-01T01:55:51", "misfit" }, /* local mean time, 1:55:52 */
        { "Europe/Istanbul", "0001-01-01T01:55:52", "0001-01-01" },
        { "America/New_York", "0001-01-01T00:00:00Z", "misfit" },
        { "America/New_York", "0001-01-01T04:56:01Z", "misfit" },
        { "America/New_York", "0001-01-01T04:56:02Z", "0001-01-01" },
        { "America/New_York", "0001-01-01", "0001-01-01" },
        { "America/New_York", "0001-01-01T00:00:00-05:00", "0001-01-01" },
        { "America/New_York", "9999-12-31T23:59:59Z", "9999-12-31" },
        { "America/New_York", "9999-12-31T23:59:59", "misfit" },
        { "Pacific/Kiritimati", "9999-12-31T09:59:59Z", "9999-12-31" },
        { "Pacific/Kiritimati", "9999-12-31T10:00:00Z", "misfit" },
        { "Pacific/Kiritimati", "9999-12-31T23:59:59+14:00", "9999-12-31" },
        { "UTC", "0001-01-01", "0001-01-01" },
        { "UTC", "9999-12-31T23:59:59.999999", "9999-12-31" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_zone(cases[i].zone);
        assert_string_equal(read_twin(cases[i].text), cases[i].twin);
    }
}

static void what_is_lost_is_told(void **state)
{
    struct civil_moment moment;
    int64_t pg_days;
    bool exact;

    (void)state;
    set_zone("UTC");
    assert_true(civil_read_timestamp(SLICE_LITERAL("2021-08-13T10:20:30.123456Z"), &moment));
    assert_true(moment.exact);
    assert_true(civil_read_timestamp(SLICE_LITERAL("2021-08-13"), &moment));
    assert_true(moment.exact);
    assert_true(civil_read_timestamp(SLICE_LITERAL("2021-08-13T10:20:30.1234560000Z"), &moment));
    assert_true(moment.exact);
    assert_true(civil_read_timestamp(SLICE_LITERAL("2021-08-13T10:20:30.1234560001Z"), &moment));
    assert_false(moment.exact);
    assert_true(civil_read_timestamp(SLICE_LITERAL("2021-08-13T10:20:30.1234567Z"), &moment));
    assert_false(moment.exact);
    assert_true(civil_read_date(SLICE_LITERAL("2021-08-13"), &pg_days, &exact));
    assert_true(exact);
    assert_true(civil_read_date(SLICE_LITERAL("2021-08-13T00:00"), &pg_days, &exact));
    assert_false(exact);
}

/* Expected values are PostgreSQL's; the end-to-end tests compare many more with a running
   server. */
static void skipped_and_repeated_times(void **state)
{
    (void)state;
    set_zone("America/New_York");
    assert_string_equal(read_instant("2021-03-14T01:59:59"), "2021-03-14T06:59:59Z");
    assert_string_equal(read_instant("2021-03-14T02:00:00"), "2021-03-14T07:00:00Z");
    assert_string_equal(read_instant("2021-03-14T02:30:00"), "2021-03-14T07:30:00Z"); /* skipped */
    assert_string_equal(read_instant("2021-03-14T03:00:00"), "2021-03-14T07:00:00Z");
    assert_string_equal(read_instant("2021-11-07T00:59:59"), "2021-11-07T04:59:59Z");
    assert_string_equal(read_instant("2021-11-07T01:30:00"), "2021-11-07T06:30:00Z"); /* repeated */
    assert_string_equal(read_instant("2021-11-07T02:00:00"), "2021-11-07T07:00:00Z");
    set_zone("Europe/Istanbul");
    assert_string_equal(read_instant("2016-03-27T03:30:00"),
                        "2016-03-27T01:30:00Z"); /* the last one skipped */
    assert_string_equal(read_instant("2015-11-08T03:30:00"),
                        "2015-11-08T01:30:00Z"); /* the last one repeated */
    assert_string_equal(read_instant("2016-10-30T03:30:00"),
                        "2016-10-30T00:30:00Z"); /* no longer repeated */
    assert_string_equal(read_instant("1900-01-01"),
                        "1899-12-31T22:03:04Z"); /* local mean time, 1:56:56 */
    assert_string_equal(read_instant("5000-07-01"), "5000-06-30T21:00:00Z");
    set_zone("Australia/Lord_Howe"); /* half an hour */
    assert_string_equal(read_instant("2021-10-03T02:15:00"), "2021-10-02T15:45:00Z");
    assert_string_equal(read_instant("2021-04-04T01:45:00"), "2021-04-03T15:15:00Z");
    set_zone("Pacific/Apia");
    assert_string_equal(read_instant("2011-12-30T12:00:00"),
                        "2011-12-30T22:00:00Z"); /* a whole day skipped */
    assert_string_equal(read_instant("2011-12-31T00:00:00"), "2011-12-30T10:00:00Z");
}

static void unknown_zones_are_refused_and_the_old_one_stays(void **state)
{
    static const char *const names[] = {
        "",
        "Europe/Ankara",
        "Europe/istanbul",
        "Europe",
        "/usr/share/zoneinfo/UTC",
        "../zoneinfo/UTC",
        ":UTC",
        "UTC ",
        "zone.tab",
        "right/UTC",
        "<+03>-3",
        "EST5EDT,M3.2.0,M11.1.0",
        "a\tb",
    };
    char endless[400];

    (void)state;
    set_zone("Europe/Istanbul");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error err;

        assert_int_equal(civil_zone_set(names[i], &err), -1);
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_string_equal(err.subject, names[i]);
        assert_true(strlen(err.hint) > 0);
    }
    memset(endless, 'a', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    assert_int_equal(civil_zone_set(endless, &(struct error){ 0 }), -1);
    assert_string_equal(read_instant("2021-08-13"), "2021-08-12T21:00:00Z");
}

static void instants_are_written_without_needless_digits(void **state)
{
    static const struct {
        int64_t instant_pg_us;
        const char *written;
    } cases[] = {
        { 0, "2000-01-01T00:00:00Z" },
        { 1, "2000-01-01T00:00:00.000001Z" },
        { -1, "1999-12-31T23:59:59.999999Z" },
        { 100000, "2000-01-01T00:00:00.1Z" },
        { 120, "2000-01-01T00:00:00.00012Z" },
        { 86399000000, "2000-01-01T23:59:59Z" },
        { -86400000000, "1999-12-31T00:00:00Z" },
        { 951782400000000, "2030-02-28T00:00:00Z" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out;

        buffer_init(&out, 64);
        civil_write_instant(cases[i].instant_pg_us, &out);
        assert_string_equal(out.data, cases[i].written);
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_postgresqls),
        cmocka_unit_test(every_day_is_written_as_it_was_read),
        cmocka_unit_test(timestamps_that_fit),
        cmocka_unit_test(timestamps_that_do_not_fit),
        cmocka_unit_test(a_nul_byte_does_not_end_a_text),
        cmocka_unit_test(a_text_that_ends_early_is_not_read_beyond),
        cmocka_unit_test(dates),
        cmocka_unit_test(twins_are_civil_dates_in_the_zone),
        cmocka_unit_test(an_instant_without_a_twin_does_not_fit),
        cmocka_unit_test(what_is_lost_is_told),
        cmocka_unit_test(skipped_and_repeated_times),
        cmocka_unit_test(unknown_zones_are_refused_and_the_old_one_stays),
        cmocka_unit_test(instants_are_written_without_needless_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
