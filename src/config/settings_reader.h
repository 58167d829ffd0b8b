/*
 * What the functions that fill struct settings from kopru.cfg share. Private to this folder.
 *
 * settings_load() walks the table of options and calls settings_reader_option() for each; the lists
 * it reads itself. When everything is read, settings_reader_check() looks at what only shows then.
 */
#ifndef KOPRU_CONFIG_SETTINGS_READER_H
#define KOPRU_CONFIG_SETTINGS_READER_H

#include "config/cfg.h"
#include "config/option.h"
#include "config/settings.h"

struct settings_reader {
    struct cfg_file *file;
    struct settings *settings;
    enum settings_scope scope;
    struct error_list *problems;
    bool failed;
    bool *
        refused; /* for each row of OPTIONS: its value was wrong, so nothing is concluded from it */
};

/* Where the value of an option comes from: a setting, an environment variable, or the default if
   both are absent. */
struct origin {
    struct cfg setting;
    const char *variable;
};

/* Adds a problem with the value of an option. hint may be NULL. */
void settings_reader_problem(struct settings_reader *reader, const struct config_option *option,
                             struct origin origin, const char *hint, const char *why_format, ...)
    __attribute__((format(printf, 5, 6)));

void settings_reader_no_memory(struct settings_reader *reader);

/* The origin of the value of an option outside `queues`. */
struct origin settings_reader_origin(const struct settings_reader *reader,
                                     const struct config_option *option);

/* Stores one option of a group in the struct at base: the environment variable's value, else the
   file's, else the default. Adds a problem for each value that is wrong, and for one that is
   missing. */
void settings_reader_option(struct settings_reader *reader, const struct config_option *option,
                            struct cfg group, void *base);

/* The stored value of an integer option, in the unit of the file. */
int64_t config_option_integer(const struct config_option *option, const void *base);

/* Adds the problems that only show when all options are read, and the advice. */
void settings_reader_check(struct settings_reader *reader);

#endif
