/*
 * The options of a command. Parsing, defaults, allowed values and --help all come from one table.
 */
#ifndef KOPRU_CMD_OPTIONS_H
#define KOPRU_CMD_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { OPTIONS_MAX = 16 }; /* of one command */

struct option_spec {
    const char *name;           /* "config"; NULL ends the table */
    const char *argument;       /* what --help calls the value: "FILE"; NULL for a flag */
    const char *help;           /* one line, lower case, no full stop */
    const char *fallback;       /* the value when the option is not given, NULL if there is none */
    const char *const *choices; /* the allowed values, then NULL; NULL: all but the empty string */
    char letter;                /* 'c', 0 if there is none */
    bool required;
};

/* The fields of options that several commands have: { OPTION_CONFIG }. */
#define OPTION_CONFIG                                                                              \
    .name = "config", .letter = 'c', .argument = "FILE", .help = "the configuration",              \
    .fallback = "/etc/kopru/kopru.cfg"
#define OPTION_OUTPUT(default_format, formats)                                                     \
    .name = "output", .argument = "FORMAT", .help = "form of the data on stdout",                  \
    .fallback = (default_format), .choices = (formats)
#define OPTION_HELP .name = "help", .letter = 'h', .help = "print this help"
#define OPTION_END .name = NULL

/* For OPTION_OUTPUT: "table", "json". */
extern const char *const OUTPUT_FORMATS[];

struct command;

/* One call of a command, as the command line has it. It points into argv and the command's
   table. */
struct invocation {
    const struct command *command;
    const char *values[OPTIONS_MAX]; /* parallel to the table: the value given, else the fallback;
                                        of a flag "" or NULL */
    char *const *arguments;          /* what is no option */
    size_t argument_count;
};

/* argv[0] is the command's name. Reorders argv, so that options may follow arguments. With --help
   nothing else is required. Returns 0, or -1 with err of kind ERROR_USAGE. */
int options_parse(struct invocation *call, const struct command *command, int argc, char **argv,
                  struct error *err);

/* Returns the value of an option of the command's table (any other name is a bug and aborts), or
   NULL if it was not given and has no fallback. */
const char *invocation_value(const struct invocation *call, const char *option);
bool invocation_has(const struct invocation *call, const char *option);

/* Prints the lines of --help for a table. */
void options_print(const struct option_spec *options, FILE *out);

#endif
