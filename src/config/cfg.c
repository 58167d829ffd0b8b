#include "config/cfg.h"

#include "base/nearest.h"
#include "base/text.h"
#include "base/utf8.h"
#include "config/cfg_path.h"
#include "config/cfg_source.h"

#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Everything that wants something of a configuration file asks here, so that one mistake has one
 * wording wherever it is made: the type is wrong, the number is out of range, the name is unknown.
 * Only this file knows libconfig, whose lookups answer with a default where a setting is absent and
 * where it is wrong alike; here the two differ, because a setting that is silently ignored is the
 * worst mistake of an operator. Values are read as 64 bits in every case, and held against their
 * range before they become an int.
 */

struct cfg_file {
    config_t config;
    struct cfg_sources sources;
    struct error_list *problems;
    bool failed;
};

static const char *const TYPE_NAMES[] = {
    [CFG_NONE] = "nothing",
    [CFG_GROUP] = "a group { ... }",
    [CFG_LIST] = "a list ( ... ) or array [ ... ]",
    [CFG_INTEGER] = "an integer",
    [CFG_FLOAT] = "a number with a fraction",
    [CFG_STRING] = "a string in double quotes",
    [CFG_BOOL] = "true or false",
};

#ifndef __has_feature
#define __has_feature(name) 0 /* of clang */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* libconfig 1.5 leaks the string that it read last, even an empty one, at a syntax error after
   it. */
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
#endif

static void add(struct cfg_file *file, const struct error *err)
{
    file->failed = true;
    error_list_add(file->problems, err);
}

static const char *hint_for(const char *said)
{
    if (strcmp(said, "duplicate setting name") == 0)
        return "a setting may stand only once in its group: remove one";
    if (strcmp(said, "include file nesting too deep") == 0)
        return "at most 10 levels are possible: does a file include itself?";
    return "look at this line and the one before it: `name = value;`, strings in double quotes, no "
           "comma after the last element of a list";
}

static void add_parse_error(struct cfg_file *file)
{
    struct error err;
    char location[256];
    const char *said = config_error_text(&file->config);
    const struct cfg_source *source =
        cfg_sources_find(&file->sources, config_error_file(&file->config));

    if (said == NULL)
        said = "syntax error";
    cfg_path_location(source->path, (unsigned)config_error_line(&file->config), location,
                      sizeof(location));
    error_set(&err, ERROR_CONFIG, "cannot read the configuration", location, "%s", said);
    error_hint(&err, "%s", hint_for(said));
    add(file, &err);
}

static int parse(struct cfg_file *file, const char *text)
{
    struct error err;

    config_set_include_dir(&file->config, file->sources.include_dir);
    /* Without memory libconfig forgets the directory, and would include other files than meant. */
    if (config_get_include_dir(&file->config) == NULL) {
        error_no_memory(&err);
        add(file, &err);
        return -1;
    }
    if (config_read_string(&file->config, text) == CONFIG_TRUE)
        return 0;
    add_parse_error(file);
    return -1;
}

struct cfg_file *cfg_open(const char *path, struct error_list *problems)
{
    struct cfg_file *file = calloc(1, sizeof(*file));
    struct buffer text;
    struct error err;
    int result;

    if (file == NULL) {
        error_no_memory(&err);
        error_list_add(problems, &err);
        return NULL;
    }
    file->problems = problems;
    config_init(&file->config);
    result = cfg_sources_read(&file->sources, path, &text, problems);
    if (result == 0)
        result = parse(file, text.len > 0 ? text.data : "");
    buffer_release(&text);
    if (result == 0)
        return file;
    cfg_close(file);
    return NULL;
}

void cfg_close(struct cfg_file *file)
{
    if (file == NULL)
        return;
    config_destroy(&file->config);
    cfg_sources_release(&file->sources);
    free(file);
}

bool cfg_failed(const struct cfg_file *file)
{
    return file->failed;
}

char *cfg_contents(const struct cfg_file *file)
{
    char *contents = NULL;
    size_t len;
    FILE *out = open_memstream(&contents, &len);
    bool failed;

    if (out == NULL)
        return NULL;
    config_write(&file->config, out);
    failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(contents);
        return NULL;
    }
    return contents;
}

char *cfg_resolve(const struct cfg_file *file, const char *path)
{
    return cfg_path_beside(file->sources.items[0].path, path);
}

/* Places and problems. */

static const struct cfg_source *source_of(struct cfg setting)
{
    return cfg_sources_find(&setting.file->sources, config_setting_source_file(setting.setting));
}

char *cfg_location(struct cfg setting, char *out, size_t size)
{
    const struct cfg_source *source = source_of(setting);

    if (config_setting_is_root(setting.setting))
        snprintf(out, size, "%s", source->path);
    else
        cfg_path_location(source->path, config_setting_source_line(setting.setting), out, size);
    return out;
}

bool cfg_is_world_readable(struct cfg setting)
{
    return source_of(setting)->world_readable;
}

/* Writes the path of a setting, such as "queues[1].prefetch"; that of the root is "". */
static void write_path(const config_setting_t *setting, char *out, size_t size)
{
    out[0] = '\0';
    if (setting == NULL || config_setting_is_root(setting))
        return;
    write_path(config_setting_parent(setting), out, size);
    if (config_setting_name(setting) != NULL)
        text_append(out, size, "%s%s", out[0] != '\0' ? "." : "", config_setting_name(setting));
    else
        text_append(out, size, "[%d]", config_setting_index(setting));
}

static void add_problem(struct cfg where, const char *what, const char *key, const char *hint,
                        const char *why)
{
    struct error err;
    char path[100];
    char title[160];
    char location[256];

    write_path(where.setting, path, sizeof(path));
    snprintf(title, sizeof(title), "%s%s%s%s%.40s", what, path[0] != '\0' || key != NULL ? " " : "",
             path, path[0] != '\0' && key != NULL ? "." : "", key != NULL ? key : "");
    error_set(&err, ERROR_CONFIG, title, cfg_location(where, location, sizeof(location)), "%s",
              why);
    if (hint != NULL)
        error_hint(&err, "%s", hint);
    add(where.file, &err);
}

void cfg_problem(struct cfg setting, const char *hint, const char *why_format, ...)
{
    char why[512];
    va_list args;

    va_start(args, why_format);
    text_set_list(why, sizeof(why), why_format, args);
    va_end(args);
    add_problem(setting, "invalid setting", NULL, hint, why);
}

void cfg_missing(struct cfg group, const char *key, const char *hint)
{
    if (cfg_exists(group))
        add_problem(group, "missing setting", key, hint, "it has no default");
}

static bool wrong_type(struct cfg setting, enum cfg_type wanted)
{
    cfg_problem(setting, NULL, "%s is expected, it is %s", TYPE_NAMES[wanted],
                TYPE_NAMES[cfg_type(setting)]);
    return false;
}

/* Walking. */

static struct cfg none(struct cfg_file *file)
{
    return (struct cfg){ file, NULL };
}

struct cfg cfg_root(struct cfg_file *file)
{
    return (struct cfg){ file, config_root_setting(&file->config) };
}

struct cfg cfg_get(struct cfg group, const char *key)
{
    if (!cfg_exists(group))
        return group;
    return (struct cfg){ group.file, config_setting_get_member(group.setting, key) };
}

enum cfg_type cfg_type(struct cfg setting)
{
    if (!cfg_exists(setting))
        return CFG_NONE;
    switch (config_setting_type(setting.setting)) {
    case CONFIG_TYPE_GROUP:
        return CFG_GROUP;
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_ARRAY:
        return CFG_LIST;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return CFG_INTEGER;
    case CONFIG_TYPE_FLOAT:
        return CFG_FLOAT;
    case CONFIG_TYPE_STRING:
        return CFG_STRING;
    case CONFIG_TYPE_BOOL:
        return CFG_BOOL;
    default:
        return CFG_NONE;
    }
}

static struct cfg of_type(struct cfg setting, enum cfg_type wanted)
{
    if (!cfg_exists(setting) || cfg_type(setting) == wanted)
        return setting;
    wrong_type(setting, wanted);
    return none(setting.file);
}

struct cfg cfg_group(struct cfg group, const char *key)
{
    return of_type(cfg_get(group, key), CFG_GROUP);
}

struct cfg cfg_list(struct cfg group, const char *key)
{
    return of_type(cfg_get(group, key), CFG_LIST);
}

size_t cfg_count(struct cfg list)
{
    return cfg_exists(list) ? (size_t)config_setting_length(list.setting) : 0;
}

struct cfg cfg_item(struct cfg list, size_t index)
{
    if (!cfg_exists(list))
        return list;
    return (struct cfg){ list.file, config_setting_get_elem(list.setting, (unsigned)index) };
}

struct cfg cfg_item_group(struct cfg list, size_t index)
{
    return of_type(cfg_item(list, index), CFG_GROUP);
}

const char *cfg_name(struct cfg setting)
{
    return cfg_exists(setting) ? config_setting_name(setting.setting) : NULL;
}

/* Scalars. */

bool cfg_as_string(struct cfg setting, const char **out)
{
    const char *text;

    if (!cfg_exists(setting))
        return false;
    if (cfg_type(setting) != CFG_STRING)
        return wrong_type(setting, CFG_STRING);
    text = config_setting_get_string(setting.setting);
    if (!utf8_is_plain(slice_of(text))) {
        cfg_problem(setting, "save the file in UTF-8",
                    "the string is not UTF-8 or holds a control character");
        return false;
    }
    *out = text;
    return true;
}

bool cfg_as_bool(struct cfg setting, bool *out)
{
    if (!cfg_exists(setting))
        return false;
    if (cfg_type(setting) != CFG_BOOL)
        return wrong_type(setting, CFG_BOOL);
    *out = config_setting_get_bool(setting.setting) != 0;
    return true;
}

bool cfg_as_int64(struct cfg setting, int64_t min, int64_t max, int64_t *out)
{
    int64_t value;

    if (!cfg_exists(setting))
        return false;
    if (cfg_type(setting) != CFG_INTEGER)
        return wrong_type(setting, CFG_INTEGER);
    value = config_setting_get_int64(setting.setting);
    if (value < min || value > max) {
        cfg_problem(setting, NULL, "it is %lld, and must be %lld to %lld", (long long)value,
                    (long long)min, (long long)max);
        return false;
    }
    *out = value;
    return true;
}

bool cfg_as_number(struct cfg setting, double *out)
{
    if (!cfg_exists(setting))
        return false;
    if (cfg_type(setting) == CFG_INTEGER)
        *out = (double)config_setting_get_int64(setting.setting);
    else if (cfg_type(setting) == CFG_FLOAT)
        *out = config_setting_get_float(setting.setting);
    else
        return wrong_type(setting, CFG_FLOAT);
    return true;
}

bool cfg_as_choice(struct cfg setting, const char *const *names, int *out)
{
    const char *written;
    const char *nearest;
    char why[200] = "";
    char hint[64];

    if (!cfg_as_string(setting, &written))
        return false;
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], written) == 0) {
            *out = i;
            return true;
        }
        text_append(why, sizeof(why), "%s\"%s\"", i > 0 ? ", " : "", names[i]);
    }
    nearest = nearest_name(written, names);
    if (nearest != NULL)
        snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest);
    cfg_problem(setting, nearest != NULL ? hint : NULL, "\"%.*s\" is none of %s",
                UTF8_CUT_ARG(written, 60), why);
    return false;
}

bool cfg_string(struct cfg group, const char *key, const char **out)
{
    return cfg_as_string(cfg_get(group, key), out);
}

bool cfg_bool(struct cfg group, const char *key, bool *out)
{
    return cfg_as_bool(cfg_get(group, key), out);
}

bool cfg_int(struct cfg group, const char *key, int min, int max, int *out)
{
    int64_t value;

    if (!cfg_int64(group, key, min, max, &value))
        return false;
    *out = (int)value;
    return true;
}

bool cfg_int64(struct cfg group, const char *key, int64_t min, int64_t max, int64_t *out)
{
    return cfg_as_int64(cfg_get(group, key), min, max, out);
}

bool cfg_choice(struct cfg group, const char *key, const char *const *names, int *out)
{
    return cfg_as_choice(cfg_get(group, key), names, out);
}

bool cfg_need_string(struct cfg group, const char *key, const char **out)
{
    struct cfg setting = cfg_get(group, key);
    const char *text;

    if (!cfg_exists(setting)) {
        cfg_missing(group, key, NULL);
        return false;
    }
    if (!cfg_as_string(setting, &text))
        return false;
    if (text[0] == '\0') {
        cfg_problem(setting, NULL, "it is empty");
        return false;
    }
    *out = text;
    return true;
}
