#include "cmd/cmd.h"

#include "base/log.h"
#include "base/nearest.h"
#include "base/standard_fds.h"
#include "cmd/revision.h"
#include "config/cfg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * Every command shares one way in and one way out. The way in finds the command, parses its options
 * and answers --help, so that a command's function sees only valid values. The way out flushes
 * stdout and prints the collected errors, and it decides the exit status when several problems were
 * found: a full disk behind a pipe must not look like success, and a script must be able to rely on
 * the same status for the same mistake, whichever command it runs.
 */

/* In the order of `kopru --help`. */
static const struct command *const COMMANDS[] = { &CMD_RUN, &CMD_CHECK, &CMD_STATUS, &CMD_MAP,
                                                  &CMD_SQL };

enum { COMMAND_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

const char COMMAND_EXIT_STATUSES[] =
    "  0   success\n"
    "  1   kopru check or status found problems; kopru run could not commit all\n"
    "  64  wrong usage\n"
    "  65  wrong input: the message would be a dead letter\n"
    "  66  an input file is missing\n"
    "  69  the broker, the database or the daemon cannot be reached\n"
    "  70  internal error\n"
    "  77  missing permission or privilege\n"
    "  78  wrong configuration or schema version\n";

static const char HELP_HINT[] = "kopru --help lists the commands";

const char *kopru_version(void)
{
    return KOPRU_VERSION;
}

const char *kopru_revision(void)
{
    return KOPRU_REVISION;
}

const struct command *command_at(size_t n)
{
    return n < COMMAND_COUNT ? COMMANDS[n] : NULL;
}

int command_fail(struct error_list *errors, const struct error *err)
{
    if (error_list_add(errors, err) != 0)
        return ERROR_INTERNAL;
    return (int)err->kind;
}

int command_status(const struct error_list *errors)
{
    static const enum error_kind order[] = { ERROR_USAGE,    ERROR_CONFIG,      ERROR_NO_INPUT,
                                             ERROR_DATA,     ERROR_UNAVAILABLE, ERROR_PERMISSION,
                                             ERROR_INTERNAL, ERROR_PROBLEMS };

    for (size_t rank = 0; rank < sizeof(order) / sizeof(order[0]); rank++)
        for (size_t i = 0; i < errors->count; i++)
            if (errors->items[i].kind == order[rank])
                return (int)order[rank];
    return errors->incomplete ? ERROR_INTERNAL : 0;
}

/* Through the log, because a daemon must not wait for whoever reads its last words either. */
static void print_error(const struct error *err)
{
    char text[sizeof(*err)];
    char lines[sizeof("kopru: \n  hint: \n") + sizeof(*err)];
    struct error without_hint = *err;
    size_t used;

    without_hint.hint[0] = '\0';
    used = (size_t)snprintf(lines, sizeof(lines), "kopru: %s\n",
                            error_text(&without_hint, text, sizeof(text)));
    if (err->hint[0] != '\0')
        snprintf(lines + used, sizeof(lines) - used, "  hint: %s\n", err->hint);
    log_text(LOG_ERROR, lines);
}

static void print_commands(FILE *out)
{
    fputs("usage: kopru COMMAND [OPTION]...\n"
          "\n"
          "Keeps PostgreSQL tables in step with the notifications that an ERP publishes\n"
          "to RabbitMQ.\n"
          "\n"
          "commands:\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s  %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    fputs("  help      print the help of a command\n"
          "\n"
          "options:\n"
          "  -h, --help     print this help; after a command, its help\n"
          "  -V, --version  print the version\n"
          "\n"
          "exit status:\n",
          out);
    fputs(COMMAND_EXIT_STATUSES, out);
}

static void print_command_help(const struct command *command)
{
    printf("usage: kopru %s [OPTION]...%s%s\n\n%s\noptions:\n", command->name,
           *command->arguments != '\0' ? " " : "", command->arguments, command->help);
    options_print(command->options, stdout);
}

static const struct command *find_command(const char *name, struct error *err)
{
    const char *names[COMMAND_COUNT + 2];
    const char *nearest;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i]->name, name) == 0)
            return COMMANDS[i];
        names[i] = COMMANDS[i]->name;
    }
    names[COMMAND_COUNT] = "help";
    names[COMMAND_COUNT + 1] = NULL;
    nearest = nearest_name(name, names);
    error_set(err, ERROR_USAGE, *name == '-' ? "unknown option" : "unknown command", name, "%s",
              "");
    if (*name == '-')
        error_hint(err, "options follow the command, as in: kopru map --config FILE");
    else if (nearest != NULL)
        error_hint(err, "did you mean \"%s\"? %s", nearest, HELP_HINT);
    else
        error_hint(err, "%s", HELP_HINT);
    return NULL;
}

/* kopru help, kopru help COMMAND */
static int run_help(int argc, char **argv, struct error_list *errors)
{
    struct error err;
    const struct command *command;

    if (argc < 2) {
        print_commands(stdout);
        return 0;
    }
    command = find_command(argv[1], &err);
    if (command == NULL)
        return command_fail(errors, &err);
    print_command_help(command);
    return 0;
}

static void print_version(void)
{
    const char *revision = kopru_revision();

    printf("kopru %s", kopru_version());
    if (*revision != '\0')
        printf(" (revision %s)", revision);
    putchar('\n');
}

static int dispatch(int argc, char **argv, struct error_list *errors)
{
    const struct command *command;
    struct invocation call;
    struct error err;

    if (argc < 1) {
        error_set(&err, ERROR_USAGE, "no command given", NULL, "%s", "");
        error_hint(&err, "%s", HELP_HINT);
        return command_fail(errors, &err);
    }
    if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
        strcmp(argv[0], "-h") == 0)
        return run_help(argc, argv, errors);
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0) {
        print_version();
        return 0;
    }
    command = find_command(argv[0], &err);
    if (command == NULL || options_parse(&call, command, argc, argv, &err) != 0)
        return command_fail(errors, &err);
    if (invocation_has(&call, "help")) {
        print_command_help(command);
        return 0;
    }
    return command->run(&call, errors);
}

int command_main(int argc, char **argv)
{
    struct error_list errors;
    struct error failure;
    int status;

    error_list_init(&errors);
    status = standard_fds_open(&failure) == 0 ? dispatch(argc - 1, argv + 1, &errors)
                                              : command_fail(&errors, &failure);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        struct error err;

        error_set(&err, ERROR_INTERNAL, "cannot write the output", "stdout", "%s", strerror(errno));
        status = command_fail(&errors, &err);
    }
    for (size_t i = 0; i < errors.count; i++)
        print_error(&errors.items[i]);
    if (errors.incomplete)
        log_text(LOG_ERROR, "kopru: out of memory: not every problem could be kept\n");
    error_list_release(&errors);
    log_stop();
    return status;
}
