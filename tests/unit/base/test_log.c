#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "json_c.h"

/* Standard error goes into a file while the code under test writes. */
static FILE *captured;
static int saved_stderr;

static void capture(void)
{
    captured = tmpfile();
    assert_non_null(captured);
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

static size_t captured_text(char *out, size_t size)
{
    size_t len;

    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    assert_int_equal(fseek(captured, 0, SEEK_SET), 0);
    len = fread(out, 1, size - 1, captured);
    out[len] = '\0';
    fclose(captured);
    return len;
}

/* The line without its time, which must be there and look like one. */
static const char *behind_time(const char *line)
{
    int len = 0;

    sscanf(line, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ %n", &len);
    assert_int_equal(len, 25);
    return line + len;
}

static struct json_object *parse(const char *line)
{
    return json_c_read(line, strcspn(line, "\n"), JSON_TOKENER_DEFAULT_DEPTH);
}

static void assert_member(struct json_object *object, const char *name, const char *expected)
{
    struct json_object *member;

    assert_true(json_object_object_get_ex(object, name, &member));
    assert_string_equal(json_object_get_string(member), expected);
}

static void text_lines(void **state)
{
    char text[4096];

    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_TEXT);
    capture();
    log_event(LOG_INFO, "consuming", "the queue is being consumed",
              LOG_TEXT("queue", "secom queue"), LOG_NUMBER("prefetch", 500),
              LOG_TEXT("absent", NULL), LOG_TEXT("empty", ""), LOG_TEXT("entity", "müşteri"));
    captured_text(text, sizeof(text));
    assert_string_equal(behind_time(text), "info  consuming: the queue is being consumed "
                                           "queue=\"secom queue\" prefetch=500 empty=\"\" "
                                           "entity=müşteri\n");
}

static void json_lines(void **state)
{
    char text[4096];
    struct json_object *line;

    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_JSON);
    capture();
    log_event(LOG_WARNING, "waiting", "the \"queue\" is gone", LOG_TEXT("queue", "a\\b"),
              LOG_NUMBER("count", INT64_MIN));
    captured_text(text, sizeof(text));
    line = parse(text);
    assert_member(line, "level", "warning");
    assert_member(line, "event", "waiting");
    assert_member(line, "msg", "the \"queue\" is gone");
    assert_member(line, "queue", "a\\b");
    assert_member(line, "count", "-9223372036854775808");
    assert_int_equal(json_object_object_length(line), 6);
    json_object_put(line);
}

static void auto_is_json_where_no_terminal_is(void **state)
{
    char text[4096];

    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_AUTO);
    capture();
    log_event(LOG_INFO, "e", "m");
    captured_text(text, sizeof(text));
    json_object_put(parse(text));
}

static void lower_levels_are_silent(void **state)
{
    char text[4096];

    (void)state;
    log_configure(LOG_WARNING, LOG_FORMAT_TEXT);
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_WARNING));
    assert_false(log_enabled(LOG_INFO));
    capture();
    log_event(LOG_INFO, "e", "m");
    log_event(LOG_DEBUG, "e", "m");
    log_event(LOG_ERROR, "e", "m");
    captured_text(text, sizeof(text));
    assert_string_equal(behind_time(text), "error e: m\n");
}

static void every_level_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(log_level_name(LOG_ERROR), "error");
    assert_string_equal(log_level_name(LOG_WARNING), "warning");
    assert_string_equal(log_level_name(LOG_INFO), "info");
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
}

static void errors_become_fields(void **state)
{
    char text[4096];
    struct error err;

    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_TEXT);
    error_set(&err, ERROR_UNAVAILABLE, "cannot connect to the broker", "host:5671",
              "connection refused");
    capture();
    errno = EAGAIN;
    log_error(LOG_WARNING, "broker_lost", &err,
              (const struct log_field[]){ LOG_NUMBER("attempt", 3), { 0 } });
    assert_int_equal(errno, EAGAIN);
    log_error(LOG_WARNING, "broker_lost", &err, NULL);
    captured_text(text, sizeof(text));
    *strchr(text, '\n') = '\0';
    assert_string_equal(behind_time(text),
                        "warning broker_lost: cannot connect to the broker subject=host:5671 "
                        "why=\"connection refused\" attempt=3");
}

/* What looks like a second line, moves the cursor, or is no text at all stays inside its value. */
static void nothing_breaks_out_of_its_line(void **state)
{
    static const struct {
        struct slice value;
        const char *text;
        const char *json;
    } cases[] = {
        { SLICE_LITERAL("a\n2026-01-01 error"), "\"a\\n2026-01-01 error\"", "a\n2026-01-01 error" },
        { SLICE_LITERAL("a\r\t"), "\"a\\u000d\\u0009\"", "a\r\t" },
        { SLICE_LITERAL("a\" b=\"c"), "\"a\\\" b=\\\"c\"", "a\" b=\"c" },
        { SLICE_LITERAL("x=y"), "\"x=y\"", "x=y" },
        { SLICE_LITERAL("\x1b[2J"), "\"\\u001b[2J\"", "\x1b[2J" },
        { SLICE_LITERAL("\x7f"), "\"\\u007f\"", "\x7f" },
        { SLICE_LITERAL("\xc2\x9b"), "\"\\u009b\"", "\xc2\x9b" },
        { SLICE_LITERAL("\xff"), "\"\xef\xbf\xbd\"", "\xef\xbf\xbd" },
        { SLICE_LITERAL("\xc3"), "\"\xef\xbf\xbd\"", "\xef\xbf\xbd" },
        { SLICE_LITERAL("\xed\xa0\x80z"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz" },
        { SLICE_LITERAL("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[4096];
        char expected[256];
        struct json_object *line;

        log_configure(LOG_INFO, LOG_FORMAT_TEXT);
        capture();
        log_event(LOG_INFO, "e", "m\n", LOG_SLICE("v", cases[i].value));
        captured_text(text, sizeof(text));
        snprintf(expected, sizeof(expected), "info  e: m\\n v=%s\n", cases[i].text);
        assert_string_equal(behind_time(text), expected);

        log_configure(LOG_INFO, LOG_FORMAT_JSON);
        capture();
        log_event(LOG_INFO, "e", "m", LOG_SLICE("v", cases[i].value));
        captured_text(text, sizeof(text));
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        line = parse(text);
        assert_member(line, "v", cases[i].json);
        json_object_put(line);
    }
}

/* Whatever the length, the line ends where it must, and stays valid JSON. */
static void long_lines_are_cut(void **state)
{
    static const char *const units[] = { "a", "ğ", "\n", "\x01", "\xff", "😀" };
    static const size_t printed[] = { 1, 2, 2, 6, 3, 4 }; /* bytes of each in the line */
    char *value = malloc((size_t)4 * 5000);

    (void)state;
    assert_non_null(value);
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        size_t unit_len = strlen(units[u]);

        for (size_t i = 0; i < 5000; i++)
            memcpy(value + i * unit_len, units[u], unit_len);
        for (size_t len = 3900 / printed[u]; len < 4150 / printed[u]; len++) {
            char text[8192];
            struct json_object *line;
            struct slice slice = { value, len * unit_len };

            log_configure(LOG_INFO, LOG_FORMAT_JSON);
            capture();
            log_event(LOG_INFO, "e", "m", LOG_SLICE("v", slice), LOG_NUMBER("n", 12345),
                      LOG_TEXT("w", "xyz"));
            assert_true(captured_text(text, sizeof(text)) <= 4096);
            assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
            line = parse(text);
            assert_true(json_object_object_length(line) >= 6); /* v, cut or followed by n */
            json_object_put(line);

            log_configure(LOG_INFO, LOG_FORMAT_TEXT);
            capture();
            log_event(LOG_INFO, "e", "m", LOG_SLICE("v", slice), LOG_NUMBER("n", 12345),
                      LOG_TEXT("w", "xyz"));
            assert_true(captured_text(text, sizeof(text)) <= 4096);
            assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        }
    }
    free(value);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *argument)
{
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "e", "a line of one thread among others",
                  LOG_NUMBER("thread", (intptr_t)argument), LOG_NUMBER("i", i));
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    enum { SIZE = THREADS * LINES * 256 };
    pthread_t threads[THREADS];
    char *text = malloc(SIZE);
    char *line;
    char *rest;
    int count = 0;

    (void)state;
    assert_non_null(text);
    log_configure(LOG_INFO, LOG_FORMAT_JSON);
    capture();
    /* A file is written at its end by each line, as a journal or a log file would be. */
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    captured_text(text, SIZE);
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        json_object_put(parse(line));
        count++;
    }
    assert_int_equal(count, THREADS * LINES);
    free(text);
}

static void a_closed_stderr_is_harmless(void **state)
{
    int saved = dup(STDERR_FILENO);

    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_AUTO);
    close(STDERR_FILENO);
    errno = 0;
    log_event(LOG_ERROR, "e", "m");
    assert_int_equal(errno, 0);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
}

static void text_is_taken_as_it_is(void **state)
{
    enum { LONG_BYTES = 10000 };
    char *text = malloc((size_t)2 * LONG_BYTES);
    char *long_line = malloc(LONG_BYTES + 2);

    (void)state;
    assert_non_null(text);
    assert_non_null(long_line);
    memset(long_line, 'x', LONG_BYTES);
    memcpy(long_line + LONG_BYTES, "\n", 2);
    log_configure(LOG_ERROR, LOG_FORMAT_JSON);
    capture();
    log_text(LOG_ERROR, "");
    log_text(LOG_ERROR, "kopru: what\n  hint: what to do\n");
    log_text(LOG_ERROR, long_line);
    captured_text(text, (size_t)2 * LONG_BYTES);
    assert_memory_equal(text, "kopru: what\n  hint: what to do\nxxx", 34);
    assert_int_equal(strlen(text), 31 + LONG_BYTES + 1);
    free(long_line);
    free(text);
}

/* Says that the journal reads standard error, or another descriptor. */
static void tell_journal_stream(int fd)
{
    struct stat status;
    char stream[64];

    assert_int_equal(fstat(fd, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
}

static void the_journal_gets_the_priority_of_each_line(void **state)
{
    static const struct {
        enum log_level level;
        const char *mark;
    } cases[] = {
        { LOG_ERROR, "<3>" },
        { LOG_WARNING, "<4>" },
        { LOG_INFO, "<6>" },
        { LOG_DEBUG, "<7>" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[4096];
        const char *second;
        char expected[64];

        capture();
        tell_journal_stream(STDERR_FILENO);
        log_configure(LOG_DEBUG, LOG_FORMAT_TEXT);
        log_event(cases[i].level, "e", "m");
        log_configure(LOG_DEBUG, LOG_FORMAT_JSON);
        log_event(cases[i].level, "e", "m");
        captured_text(text, sizeof(text));
        second = strchr(text, '\n') + 1;
        assert_memory_equal(text, cases[i].mark, 3);
        behind_time(text + 3);
        assert_memory_equal(second, cases[i].mark, 3);
        json_object_put(parse(second + 3));

        capture();
        tell_journal_stream(STDERR_FILENO);
        log_text(cases[i].level, "kopru: what\n  hint: do\n");
        captured_text(text, sizeof(text));
        snprintf(expected, sizeof(expected), "%skopru: what\n%s  hint: do\n", cases[i].mark,
                 cases[i].mark);
        assert_string_equal(text, expected);
    }
    unsetenv("JOURNAL_STREAM");
}

/* A child of a unit inherits JOURNAL_STREAM, and may write to a file. */
static void nobody_but_the_journal_gets_a_priority(void **state)
{
    static const char *const others[] = { "", "1:", ":1", "1:1", "8:1x" };
    char text[4096];

    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(setenv("JOURNAL_STREAM", others[i], 1), 0);
        capture();
        log_event(LOG_WARNING, "e", "m");
        captured_text(text, sizeof(text));
        assert_string_equal(behind_time(text), "warning e: m\n");
    }
    capture();
    tell_journal_stream(saved_stderr);
    log_text(LOG_ERROR, "kopru: what\n");
    captured_text(text, sizeof(text));
    assert_string_equal(text, "kopru: what\n");
    unsetenv("JOURNAL_STREAM");
}

/* A line with a priority is no longer than others, and its pieces have one together. */
static void a_priority_takes_no_room_from_the_end_of_a_line(void **state)
{
    enum { LONG_BYTES = 5000 };
    static char value[LONG_BYTES + 2];
    char text[2 * LONG_BYTES];
    struct json_object *line;

    (void)state;
    memset(value, 'x', LONG_BYTES);
    log_configure(LOG_INFO, LOG_FORMAT_JSON);
    capture();
    tell_journal_stream(STDERR_FILENO);
    log_event(LOG_INFO, "e", "m", LOG_TEXT("v", value));
    assert_true(captured_text(text, sizeof(text)) <= 4096);
    line = parse(text + 3);
    assert_true(json_object_object_length(line) >= 6);
    json_object_put(line);

    value[LONG_BYTES] = '\n';
    capture();
    tell_journal_stream(STDERR_FILENO);
    log_text(LOG_ERROR, value);
    assert_int_equal(captured_text(text, sizeof(text)), 3 + LONG_BYTES + 1);
    assert_null(strchr(text + 1, '<'));
    value[LONG_BYTES] = '\0';
    unsetenv("JOURNAL_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(auto_is_json_where_no_terminal_is),
        cmocka_unit_test(lower_levels_are_silent),
        cmocka_unit_test(every_level_has_a_name),
        cmocka_unit_test(errors_become_fields),
        cmocka_unit_test(nothing_breaks_out_of_its_line),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(threads_do_not_mix_their_lines),
        cmocka_unit_test(a_closed_stderr_is_harmless),
        cmocka_unit_test(text_is_taken_as_it_is),
        cmocka_unit_test(the_journal_gets_the_priority_of_each_line),
        cmocka_unit_test(nobody_but_the_journal_gets_a_priority),
        cmocka_unit_test(a_priority_takes_no_room_from_the_end_of_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
