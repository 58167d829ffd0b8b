/*
 * The one table of all options of kopru.cfg: it drives parsing, defaults, ranges, secrecy, the
 * environment's overrides, and the sample file, which a test holds against it. A new option is a
 * field of struct settings, a row here and a paragraph there.
 */
#ifndef KOPRU_CONFIG_OPTION_H
#define KOPRU_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_TEXT,
    OPTION_FILE, /* a path; a relative one starts from the directory of kopru.cfg */
    OPTION_INTEGER,
    OPTION_DECIMAL, /* with or without a fraction: above min, at most max; kept as an integer, in
                       the unit that factor makes */
    OPTION_BOOL,
    OPTION_CHOICE, /* one of names, kept as its index */
    OPTION_LIST,   /* read by code of its own, not by this table */
};

struct config_option {
    const char *group; /* "" at the top level; "queues" for each element of that list */
    const char *key;
    enum option_type type;
    bool required;        /* has no default and must be there, unless its environment variable is */
    bool required_to_map; /* also with SETTINGS_MAPPING */
    const char *initial;  /* the default, as the file would have it; NULL: not set */
    const char *unit;     /* of a number; NULL if it has none */
    int64_t min, max;     /* of a number, in the unit of the file */
    int factor;           /* of a number: what is kept is the file's value times this */
    const char *const *names; /* of a choice, ended by NULL */
    const char *environment;  /* the variable that overrides it, NULL if none */
    const char *(*refuse)(
        const char *value); /* of a text: why it cannot be right, NULL if it can; may be NULL */
    bool (*holds_password)(const char *value); /* of a secret text: never printed, and if true not
                                                  for everybody to read */
    const char *hint;                          /* what to write; may be NULL */
    const char *help;                          /* one sentence */
    size_t offset,
        size; /* of the field in struct settings, or in struct queue_settings for "queues" */
};

/* Options of one group stand together. */
extern const struct config_option OPTIONS[];
extern const size_t OPTION_COUNT;

/* Fills names with all keys that may stand in that group, for the top level also the groups, and a
   NULL behind them. names has room for OPTION_COUNT + 1. */
void config_option_names(const char *group, const char **names);

/* NULL if there is none. */
const struct config_option *config_option_find(const char *group, const char *key);

#endif
