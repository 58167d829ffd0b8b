#include "config/settings_reader.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * One option after another gets its default, then the value of the file, then that of its
 * environment variable; the last one wins. All three go through the same put_...() functions, which
 * know from the table which field of which size they fill, so an option costs no code of its own.
 * The value of the file is checked even if the environment overrides it: a wrong line that only
 * shows when a variable goes away would show at the worst time.
 */

void settings_reader_no_memory(struct settings_reader *reader)
{
    struct error err;

    reader->failed = true;
    error_no_memory(&err);
    error_list_add(reader->problems, &err);
}

void settings_reader_problem(struct settings_reader *reader, const struct config_option *option,
                             struct origin origin, const char *hint, const char *why_format, ...)
{
    char why[512];
    char title[160];
    struct error err;
    va_list args;

    va_start(args, why_format);
    text_set_list(why, sizeof(why), why_format, args);
    va_end(args);
    reader->failed = true;
    if (origin.variable == NULL && cfg_exists(origin.setting)) {
        cfg_problem(origin.setting, hint, "%s", why);
        return;
    }
    snprintf(title, sizeof(title), "invalid %s %s%s%s",
             origin.variable != NULL ? "environment variable for" : "setting", option->group,
             option->group[0] != '\0' ? "." : "", option->key);
    error_set(&err, ERROR_CONFIG, title,
              origin.variable != NULL ? origin.variable : reader->settings->path, "%s", why);
    if (hint != NULL)
        error_hint(&err, "%s", hint);
    error_list_add(reader->problems, &err);
}

/* An empty variable counts as not set: containers cannot always unset one. */
static const char *environment_value(const struct config_option *option)
{
    const char *value = option->environment != NULL ? getenv(option->environment) : NULL;

    return value != NULL && value[0] != '\0' ? value : NULL;
}

struct origin settings_reader_origin(const struct settings_reader *reader,
                                     const struct config_option *option)
{
    struct cfg group = cfg_root(reader->file);

    if (option->group[0] != '\0')
        group = cfg_get(group, option->group);
    return (struct origin){ cfg_get(group, option->key),
                            environment_value(option) != NULL ? option->environment : NULL };
}

static void *field_of(const struct config_option *option, void *base)
{
    return (char *)base + option->offset;
}

static void put_text(struct settings_reader *reader, const struct config_option *option, void *base,
                     char *text)
{
    char **field = field_of(option, base);

    if (text == NULL)
        settings_reader_no_memory(reader);
    free(*field);
    *field = text;
}

static void put_integer(const struct config_option *option, void *base, int64_t value)
{
    void *field = field_of(option, base);

    if (option->size == sizeof(int64_t))
        *(int64_t *)field = value;
    else
        *(int *)field = (int)value;
}

/* Returns false if the value is so small that it would be stored as 0. */
static bool put_decimal(const struct config_option *option, void *base, double value)
{
    int64_t kept = (int64_t)(value * option->factor + 0.5);

    if (kept == 0)
        return false;
    put_integer(option, base, kept);
    return true;
}

int64_t config_option_integer(const struct config_option *option, const void *base)
{
    const char *field = (const char *)base + option->offset;

    return (option->size == sizeof(int64_t) ? *(const int64_t *)(const void *)field
                                            : *(const int *)(const void *)field) /
           option->factor;
}

/* Stores the index of name among the names, which is the enum's value. Returns false if it is none
   of them. */
static bool put_choice(const struct config_option *option, void *base, const char *name, size_t len)
{
    for (int i = 0; option->names[i] != NULL; i++) {
        if (strlen(option->names[i]) == len && memcmp(option->names[i], name, len) == 0) {
            memcpy(field_of(option, base), &i, sizeof(i));
            return true;
        }
    }
    return false;
}

static void put_default(struct settings_reader *reader, const struct config_option *option,
                        void *base)
{
    const char *text = option->initial;

    if (text == NULL)
        return;
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_FILE:
        put_text(reader, option, base, strndup(text + 1, strlen(text) - 2));
        break;
    case OPTION_INTEGER:
        put_integer(option, base, strtoll(text, NULL, 10) * option->factor);
        break;
    case OPTION_DECIMAL:
        put_decimal(option, base, strtod(text, NULL));
        break;
    case OPTION_BOOL:
        *(bool *)field_of(option, base) = strcmp(text, "true") == 0;
        break;
    case OPTION_CHOICE:
        put_choice(option, base, text + 1, strlen(text) - 2);
        break;
    case OPTION_LIST:
        break;
    }
}

static void read_text(struct settings_reader *reader, const struct config_option *option,
                      struct origin origin, const char *text, void *base)
{
    const char *why = option->refuse != NULL ? option->refuse(text) : NULL;

    if (option->type == OPTION_FILE && text[0] == '\0')
        why = "it is empty";
    if (option->holds_password != NULL && origin.variable == NULL && option->holds_password(text) &&
        cfg_is_world_readable(origin.setting))
        settings_reader_problem(reader, option, origin, option->hint,
                                "it holds a password, and everybody may read the file");
    if (why != NULL)
        settings_reader_problem(reader, option, origin, option->hint, "%s", why);
    else if (option->type == OPTION_FILE)
        put_text(reader, option, base, cfg_resolve(reader->file, text));
    else
        put_text(reader, option, base, strdup(text));
}

static void read_integer(struct settings_reader *reader, const struct config_option *option,
                         struct cfg setting, void *base)
{
    int64_t number;

    if (!cfg_as_int64(setting, INT64_MIN, INT64_MAX, &number))
        return;
    if (number >= option->min && number <= option->max)
        put_integer(option, base, number * option->factor);
    else
        settings_reader_problem(reader, option, (struct origin){ setting, NULL }, option->hint,
                                "it is %lld, and must be %lld to %lld %s", (long long)number,
                                (long long)option->min, (long long)option->max, option->unit);
}

/* The comparison refuses infinity and NaN as well. */
static void read_decimal(struct settings_reader *reader, const struct config_option *option,
                         struct cfg setting, void *base)
{
    double number;

    if (!cfg_as_number(setting, &number))
        return;
    if (!(number > (double)option->min && number <= (double)option->max) ||
        !put_decimal(option, base, number))
        settings_reader_problem(reader, option, (struct origin){ setting, NULL }, option->hint,
                                "it is %g, and must be more than %lld and at most %lld%s%s", number,
                                (long long)option->min, (long long)option->max,
                                option->unit != NULL ? " " : "",
                                option->unit != NULL ? option->unit : "");
}

static void read_setting(struct settings_reader *reader, const struct config_option *option,
                         struct cfg setting, void *base)
{
    const char *text;
    int index;

    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_FILE:
        if (cfg_as_string(setting, &text))
            read_text(reader, option, (struct origin){ setting, NULL }, text, base);
        break;
    case OPTION_INTEGER:
        read_integer(reader, option, setting, base);
        break;
    case OPTION_DECIMAL:
        read_decimal(reader, option, setting, base);
        break;
    case OPTION_BOOL:
        cfg_as_bool(setting, field_of(option, base));
        break;
    case OPTION_CHOICE:
        if (cfg_as_choice(setting, option->names, &index))
            put_choice(option, base, option->names[index], strlen(option->names[index]));
        break;
    case OPTION_LIST:
        break;
    }
}

/* Only texts and choices have environment variables. */
static void read_environment(struct settings_reader *reader, const struct config_option *option,
                             const char *value, void *base)
{
    struct origin origin = { { reader->file, NULL }, option->environment };

    if (option->type == OPTION_TEXT)
        read_text(reader, option, origin, value, base);
    else if (!put_choice(option, base, value, strlen(value)))
        settings_reader_problem(reader, option, origin, option->help,
                                "it is none of the names that are known");
}

static void report_missing(struct settings_reader *reader, const struct config_option *option,
                           struct cfg group)
{
    char hint[100];
    char title[100];
    struct error err;

    snprintf(hint, sizeof(hint), "or set %s",
             option->environment != NULL ? option->environment : "");
    reader->failed = true;
    if (cfg_exists(group)) {
        cfg_missing(group, option->key, option->environment != NULL ? hint : NULL);
        return;
    }
    snprintf(title, sizeof(title), "missing setting %s.%s", option->group, option->key);
    error_set(&err, ERROR_CONFIG, title, reader->settings->path, "it has no default");
    if (option->environment != NULL)
        error_hint(&err, "%s", hint);
    error_list_add(reader->problems, &err);
}

void settings_reader_option(struct settings_reader *reader, const struct config_option *option,
                            struct cfg group, void *base)
{
    struct cfg setting = cfg_get(group, option->key);
    const char *override = environment_value(option);
    size_t problems = reader->problems->count;
    bool needed = reader->scope == SETTINGS_ALL ? option->required : option->required_to_map;

    put_default(reader, option, base);
    if (cfg_exists(setting))
        read_setting(reader, option, setting, base);
    if (override != NULL)
        read_environment(reader, option, override, base);
    else if (!cfg_exists(setting) && needed)
        report_missing(reader, option, group);
    reader->refused[option - OPTIONS] = reader->problems->count > problems;
}
