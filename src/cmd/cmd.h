/*
 * The command line: a table of commands, each in a file of its own with its options, its help and
 * its function.
 *
 * To add a command, write cmd_NAME.c with a `const struct command CMD_NAME`, declare it below and
 * give it a row in cmd.c:
 *
 *     static const struct option_spec OPTIONS[] = { { OPTION_CONFIG }, { OPTION_HELP },
 *                                                   { OPTION_END } };
 *
 *     static int run(const struct invocation *call, struct error_list *errors)
 *     {
 *         const char *path = invocation_value(call, "config");
 *         if (do_something(path, &err) != 0)
 *             return command_fail(errors, &err);
 *         return 0;
 *     }
 *
 * Data goes to stdout. Errors are not printed by commands: what they put into `errors` is printed
 * once, by command_main().
 */
#ifndef KOPRU_CMD_CMD_H
#define KOPRU_CMD_CMD_H

#include "base/error.h"
#include "cmd/options.h"

struct command {
    const char *name;      /* "map" */
    const char *summary;   /* one line for the list of commands, lower case, no full stop */
    const char *arguments; /* what follows the options in the usage line: "[FILE]"; "" if nothing
                              may follow */
    const char *help;      /* what stands below the usage line: "example: kopru ...", then
                              paragraphs; each line ended by \n and at most 80 columns */
    const struct option_spec *options; /* OPTION_END is the last */
    int max_arguments;                 /* -1: any number */

    /* Returns the exit status. What it adds to errors is printed on stderr after it has
       returned. */
    int (*run)(const struct invocation *call, struct error_list *errors);
};

extern const struct command CMD_CHECK;
extern const struct command CMD_MAP;
extern const struct command CMD_RUN;
extern const struct command CMD_SQL;
extern const struct command CMD_STATUS;

/* Returns the n-th command in the order of `kopru --help`, NULL behind the last. */
const struct command *command_at(size_t n);

/* The lines of `kopru --help` about the exit statuses: number and meaning, each ended by \n. */
extern const char COMMAND_EXIT_STATUSES[];

/* Does all of main(): finds the command, runs it, prints the errors. Returns the exit status. */
int command_main(int argc, char **argv);

/* Adds err and returns its kind, so that a command can `return command_fail(errors, &err)`. */
int command_fail(struct error_list *errors, const struct error *err);

/* Returns the exit status for several problems: the first of 64, 78, 66, 65, 69, 77, 70 and 1 that
   one of them has; 0 for an empty list. */
int command_status(const struct error_list *errors);

/* Returns the release: "0.1.0". */
const char *kopru_version(void);

/* Returns the revision of the sources, "" if it is not known (cmd/revision.h). */
const char *kopru_revision(void);

#endif
