/* What reading and checking kopru.cfg share. Private to this folder. */
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
    bool
        *refused; /* of each row of OPTIONS: its value was wrong, so nothing is concluded from it */
};

/* Where an option's value came from: its setting, an environment variable, or the default (both
   absent). */
struct origin {
    struct cfg setting;
    const char *variable;
};

/* Adds a problem with an option's value. */
void settings_reader_problem(struct settings_reader *reader, const struct config_option *option,
                             struct origin origin, const char *hint, const char *why_format, ...)
    __attribute__((format(printf, 5, 6)));

void settings_reader_no_memory(struct settings_reader *reader);

/* Where the value of an option outside `queues` comes from. */
struct origin settings_reader_origin(const struct settings_reader *reader,
                                     const struct config_option *option);

/* Reads one option of group into the struct at base: default, file, environment. */
void settings_reader_option(struct settings_reader *reader, const struct config_option *option,
                            struct cfg group, void *base);

/* The integer field of an option, in the unit of the file. */
int64_t config_option_integer(const struct config_option *option, const void *base);

/* What only shows when all options are read. */
void settings_reader_check(struct settings_reader *reader);

#endif
