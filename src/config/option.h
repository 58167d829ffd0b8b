/*
 * The one table of all options of kopru.cfg. It drives parsing, defaults, ranges, secrecy and the
 * overrides by environment variables, and a test holds the sample file against it. A new option is
 * a field of struct settings, a row of this table and a paragraph of the sample file.
 */
#ifndef KOPRU_CONFIG_OPTION_H
#define KOPRU_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_TEXT,
    OPTION_FILE,    /* a path; a relative one starts from the directory of kopru.cfg */
    OPTION_INTEGER, /* from min to max */
    OPTION_DECIMAL, /* above min and at most max, with or without a fraction; stored as an integer,
                       in the unit that factor makes */
    OPTION_BOOL,
    OPTION_CHOICE, /* one of names; its index is stored */
    OPTION_LIST,   /* read by code of its own and not by this table */
};

struct config_option {
    const char *group; /* "" at the top level; "queues" for each element of that list */
    const char *key;
    enum option_type type;

    /* A required option has no default: the file or its environment variable must give it. With
       SETTINGS_MAPPING that holds only for those that are required to map. */
    bool required;
    bool required_to_map;

    const char *initial; /* the default, as the file would have it; NULL if there is none */
    const char *unit;    /* of a number; NULL if it has none */
    int64_t min, max;    /* of a number, in the unit of the file */
    int factor;          /* of a number: the value in the file times this is stored */

    const char *const *names; /* of a choice; ends with NULL */
    const char *environment;  /* the variable that overrides the option, NULL if there is none */

    /* For a text; may be NULL. Returns why the value cannot be right, NULL if it can. */
    const char *(*refuse)(const char *value);

    /* For a text that may hold a secret and so is never printed; NULL for any other. Returns
       whether this value holds one, so that the file must not be readable for everybody. */
    bool (*holds_password)(const char *value);

    const char *hint; /* what to write instead of a wrong value; may be NULL */
    const char *help; /* what the option does, in one sentence */

    /* The field of struct settings, or of struct queue_settings for "queues". */
    size_t offset, size;
};

/* The options of a group stand next to one another. */
extern const struct config_option OPTIONS[];
extern const size_t OPTION_COUNT;

/* Fills names with every key that a group may hold, which at the top level includes the names of
   the groups, and a NULL after them. names has room for OPTION_COUNT + 1. */
void config_option_names(const char *group, const char **names);

/* Returns NULL if there is no such option. */
const struct config_option *config_option_find(const char *group, const char *key);

#endif
