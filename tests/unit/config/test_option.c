/* The option table against the code that reads by it, and against the sample file. Runs in the root
   of the sources. */
#include "config/option.h"

#include "config/settings.h"
#include "scratch.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char SAMPLE[] = "etc/kopru.cfg";

static bool is_of_queue(const struct config_option *option)
{
    return strcmp(option->group, "queues") == 0;
}

static void every_row_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &OPTIONS[i];

        assert_ptr_equal(config_option_find(option->group, option->key),
                         option); /* and so is there once */
        assert_non_null(option->help);
        assert_true(option->type == OPTION_LIST || option->size > 0);
        assert_true(!option->required || option->initial == NULL);
        if (option->type == OPTION_INTEGER) {
            long long initial = option->initial != NULL ? atoll(option->initial) : INT64_MIN;

            assert_true(option->min <= initial && initial <= option->max);
            assert_non_null(option->unit);
            assert_true(option->size == 8 || option->max * option->factor <= INT32_MAX);
        }
        if (option->type == OPTION_DECIMAL) {
            double initial = option->initial != NULL ? atof(option->initial) : -1;

            assert_true((double)option->min < initial && initial <= (double)option->max);
            assert_true(option->size == sizeof(int) && option->max * option->factor <= INT32_MAX);
        }
        if (option->type == OPTION_CHOICE) {
            assert_non_null(option->names);
            assert_int_equal(option->size, sizeof(int));
        }
    }
    assert_null(config_option_find("amqp", "nothing"));
}

/* A file that says all that must be said and, in its right place, one setting more. */
static void write_with(char *out, size_t size, const struct config_option *extra, const char *value)
{
    char line[256];
    const char *const groups[] = { "amqp",       "postgres", "erp",  "limits", "batch",
                                   "quarantine", "breaker",  "http", "log" };
    size_t len = 0;

    snprintf(line, sizeof(line), "%s = %s;", extra->key, value);
#define IN(name) (strcmp(extra->group, (name)) == 0 ? line : "")
#define UNLESS(group_name, key_name, text)                                                         \
    (strcmp(extra->group, (group_name)) == 0 && strcmp(extra->key, (key_name)) == 0 ? "" : (text))
    len += (size_t)snprintf(out + len, size - len, "%s\n%s\n%s\n", IN(""),
                            UNLESS("", "entity_files", "entity_files = [ \"e.cfg\" ];"),
                            UNLESS("", "queues", "queues = ( {"));
    if (UNLESS("", "queues", "x")[0] != '\0')
        len += (size_t)snprintf(out + len, size - len, "%s %s %s } );\n", IN("queues"),
                                UNLESS("queues", "name", "name = \"q\";"),
                                UNLESS("queues", "entity", "entity = \"e\";"));
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        len += (size_t)snprintf(out + len, size - len, "%s = { %s %s %s };\n", groups[i],
                                IN(groups[i]),
                                i == 0 ? UNLESS("amqp", "uri", "uri = \"amqp://h\";") : "",
                                i == 1 ? UNLESS("postgres", "conninfo", "conninfo = \"\";") : "");
    assert_true(len < size);
}

static bool is_right_type(const struct config_option *option, const char *value)
{
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_FILE:
    case OPTION_CHOICE:
        return value[0] == '"';
    case OPTION_INTEGER:
        return isdigit((unsigned char)value[0]) && strchr(value, '.') == NULL;
    case OPTION_DECIMAL:
        return isdigit((unsigned char)value[0]);
    case OPTION_BOOL:
        return value[0] == 't';
    case OPTION_LIST:
        return value[0] == '(' || value[0] == '[';
    }
    return false;
}

static void every_option_refuses_every_other_type(void **state)
{
    static const char *const values[] = { "\"x\"", "7", "7.0", "true", "( )", "[ 7 ]", "{ }" };
    struct scratch scratch;

    (void)state;
    scratch_init(&scratch);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            struct settings settings;
            struct error_list problems;
            char text[2048];

            if (is_right_type(&OPTIONS[i], values[v]))
                continue;
            error_list_init(&problems);
            write_with(text, sizeof(text), &OPTIONS[i], values[v]);
            assert_int_equal(settings_load(&settings, scratch_write(&scratch, "k.cfg", text),
                                           SETTINGS_ALL, &problems),
                             -1);
            assert_true(problems.count > 0);
            assert_non_null(strstr(problems.items[0].why, "is expected, it is"));
            assert_non_null(strstr(problems.items[0].what, OPTIONS[i].key));
            assert_non_null(strstr(problems.items[0].subject, "k.cfg:"));
            error_list_release(&problems);
            settings_release(&settings);
        }
    scratch_release(&scratch);
}

/* Loads with one number set. Returns whether it was taken, or else refused for its range. */
static bool takes_text(struct scratch *scratch, const struct config_option *option,
                       const char *number)
{
    struct settings settings;
    struct error_list problems;
    char text[2048];
    bool in_range = true;

    error_list_init(&problems);
    write_with(text, sizeof(text), option, number);
    settings_load(&settings, scratch_write(scratch, "k.cfg", text), SETTINGS_ALL, &problems);
    for (size_t i = 0; i < problems.count;
         i++) /* another kind of problem is an order of two options that this one breaks */
        if (strstr(problems.items[i].why, ", and must be ") != NULL)
            in_range = false;
    error_list_release(&problems);
    settings_release(&settings);
    return in_range;
}

static bool takes(struct scratch *scratch, const struct config_option *option, int64_t value)
{
    char number[32];

    snprintf(number, sizeof(number), "%lld%s", (long long)value,
             value > INT32_MAX || value < INT32_MIN ? "L" : "");
    return takes_text(scratch, option, number);
}

static void every_integer_has_its_limits(void **state)
{
    struct scratch scratch;

    (void)state;
    scratch_init(&scratch);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &OPTIONS[i];

        if (option->type != OPTION_INTEGER)
            continue;
        assert_true(takes(&scratch, option, option->min));
        assert_true(takes(&scratch, option, option->max));
        assert_false(takes(&scratch, option, option->min - 1));
        assert_false(takes(&scratch, option, option->max + 1));
        assert_false(takes(&scratch, option, -5));
        assert_false(takes(&scratch, option, INT64_MAX));
        assert_false(
            takes(&scratch, option, (INT64_C(1) << 40) + option->min)); /* fits, once wrapped */
    }
    scratch_release(&scratch);
}

/* Above the least, at most the largest, with or without a fraction. */
static void every_decimal_has_its_limits(void **state)
{
    static const char *const wrong[] = { "0", "0.0", "-0.5", "1e300", "-1e300", "1e-30", "1e999" };
    struct scratch scratch;

    (void)state;
    scratch_init(&scratch);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct config_option *option = &OPTIONS[i];

        if (option->type != OPTION_DECIMAL)
            continue;
        assert_true(takes(&scratch, option, option->max));
        assert_true(takes_text(&scratch, option, "0.25"));
        assert_true(takes_text(&scratch, option, "0.001"));
        assert_false(takes(&scratch, option, option->max + 1));
        for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++)
            assert_false(takes_text(&scratch, option, wrong[w]));
    }
    scratch_release(&scratch);
}

static char *read_sample(void)
{
    FILE *in = fopen(SAMPLE, "r");
    char *text = calloc(1, 65536);

    assert_non_null(in);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, in) > 0);
    fclose(in);
    return text;
}

/* One `key = value;` of the sample, commented out or not. */
struct sample_line {
    char key[64];
    char value[128];
    char unit[32]; /* the first word of a comment behind it, "" if there is none */
    bool commented;
    bool opens; /* a group or list */
};

static bool parse_line(const char *line, struct sample_line *out)
{
    char rest[128] = "";

    memset(out, 0, sizeof(*out));
    line += strspn(line, " ");
    out->commented = line[0] == '#';
    line += strspn(line, "# ");
    if (sscanf(line, "%63[a-z_] = %127[^\n]", out->key, rest) != 2)
        return false;
    out->opens = strcmp(rest, "{") == 0 || strcmp(rest, "(") == 0;
    if (out->opens)
        return true;
    if (strchr(rest, ';') == NULL)
        return false;
    sscanf(strchr(rest, ';') + 1, " # %31s", out->unit);
    *strchr(rest, ';') = '\0';
    snprintf(out->value, sizeof(out->value), "%s", rest);
    return true;
}

static void check_sample_line(const struct config_option *option, const struct sample_line *line)
{
    assert_int_equal(line->commented, !option->required);
    if (option->initial != NULL)
        assert_string_equal(line->value, option->initial);
    assert_string_equal(line->unit, option->unit != NULL ? option->unit : "");
}

static void the_sample_shows_each_option_with_its_default_and_unit(void **state)
{
    char *text = read_sample();
    bool *seen = calloc(OPTION_COUNT, sizeof(*seen));
    char group[64] = "";
    char *rest;

    (void)state;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        struct sample_line parsed;
        const struct config_option *option;

        if (line[0] == '}' || line[0] == ')')
            group[0] = '\0';
        if (!parse_line(line, &parsed))
            continue;
        option = config_option_find(group, parsed.key);
        if (parsed.opens)
            snprintf(group, sizeof(group), "%s", parsed.key);
        if (parsed.opens && option == NULL) {
            assert_false(parsed.commented);
            continue;
        }
        if (option == NULL) {
            fail_msg("the sample has %s.%s, the table has not", group, parsed.key);
            break;
        }
        if (seen[option - OPTIONS] && !is_of_queue(option))
            fail_msg("the sample has %s.%s twice", option->group, option->key);
        seen[option - OPTIONS] = true;
        check_sample_line(option, &parsed);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (!seen[i])
            fail_msg("the sample does not show %s.%s", OPTIONS[i].group, OPTIONS[i].key);
    free(seen);
    free(text);
}

/* Removes the comment sign before each default. */
static void uncomment_defaults(char *text)
{
    char *rest;
    char *copy = strdup(text);
    char *out = text;

    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        struct sample_line parsed;
        bool is_default = false;

        if (parse_line(line, &parsed) && parsed.commented && !parsed.opens)
            for (size_t i = 0; i < OPTION_COUNT; i++)
                if (strcmp(OPTIONS[i].key, parsed.key) == 0 && OPTIONS[i].initial != NULL)
                    is_default = true;
        if (is_default)
            out += sprintf(out, "%s = %s;", parsed.key, parsed.value);
        *out++ = '\n';
        if (!is_default)
            out += sprintf(out, "%s\n", line);
    }
    *out = '\0';
    free(copy);
}

static void load_clean(struct settings *settings, const char *path)
{
    struct error_list problems;
    int result;

    error_list_init(&problems);
    result = settings_load(settings, path, SETTINGS_ALL, &problems);
    assert_problem_count(&problems, 0);
    assert_int_equal(result, 0);
    assert_int_equal(settings->advice.count, 0);
    error_list_release(&problems);
}

static void assert_same_field(const struct config_option *option, const void *a, const void *b)
{
    const char *left = (const char *)a + option->offset;
    const char *right = (const char *)b + option->offset;

    if (option->type == OPTION_TEXT)
        assert_string_equal(*(char *const *)(const void *)left,
                            *(char *const *)(const void *)right);
    else if (option->initial != NULL)
        assert_memory_equal(left, right, option->size);
}

static void the_sample_loads_the_same_with_its_defaults_said(void **state)
{
    struct settings as_it_is;
    struct settings all_said;
    struct scratch scratch;
    char *text = read_sample();

    (void)state;
    scratch_init(&scratch);
    uncomment_defaults(text);
    assert_non_null(strstr(text, "\nheartbeat = 20;"));
    load_clean(&as_it_is, SAMPLE);
    load_clean(&all_said, scratch_write(&scratch, "k.cfg", text));
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (is_of_queue(&OPTIONS[i]))
            assert_same_field(&OPTIONS[i], &as_it_is.queues[0], &all_said.queues[0]);
        else
            assert_same_field(&OPTIONS[i], &as_it_is, &all_said);
    settings_release(&as_it_is);
    settings_release(&all_said);
    scratch_release(&scratch);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(every_option_refuses_every_other_type),
        cmocka_unit_test(every_integer_has_its_limits),
        cmocka_unit_test(every_decimal_has_its_limits),
        cmocka_unit_test(the_sample_shows_each_option_with_its_default_and_unit),
        cmocka_unit_test(the_sample_loads_the_same_with_its_defaults_said),
    };

    unsetenv("KOPRU_AMQP_URI");
    unsetenv("KOPRU_POSTGRES_CONNINFO");
    unsetenv("KOPRU_HTTP_LISTEN");
    unsetenv("KOPRU_LOG_LEVEL");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
