/* What reading and checking kopru.cfg share. Private to this folder. */
#ifndef KOPRU_CONFIG_READER_H
#define KOPRU_CONFIG_READER_H

#include "config/cfg.h"
#include "config/option.h"
#include "config/settings.h"

struct reader {
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
void reader_problem(struct reader *reader, const struct option *option, struct origin origin,
                    const char *hint, const char *why_format, ...)
    __attribute__((format(printf, 5, 6)));

void reader_no_memory(struct reader *reader);

/* Where the value of an option outside `queues` comes from. */
struct origin reader_origin(const struct reader *reader, const struct option *option);

/* Reads one option of group into the struct at base: default, file, environment. */
void reader_option(struct reader *reader, const struct option *option, struct cfg group,
                   void *base);

/* The integer field of an option, in the unit of the file. */
int64_t option_integer(const struct option *option, const void *base);

/* What only shows when all options are read. */
void reader_check(struct reader *reader);

#endif
