#include "cmd/options.h"

#include "base/text.h"
#include "cmd/cmd.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/*
 * getopt_long() parses, because it knows every spelling that people expect (-cFILE, --config=FILE,
 * options behind arguments, --). It is given nothing but the table: its messages are switched off
 * and replaced, because kopru's errors name the option, say why and end with a hint. Values are
 * stored in the order of the table and looked up by name, so that a command can neither miss an
 * option nor read one that it does not have.
 */

const char *const OUTPUT_FORMATS[] = { "table", "json", NULL };

/* Added to the index of an option, so that the value of a long option cannot be that of a
   letter. */
enum { LONG_OPTION_BASE = 256 };

static size_t option_count(const struct option_spec *options)
{
    size_t count = 0;

    while (options[count].name != NULL)
        count++;
    if (count > OPTIONS_MAX)
        abort();
    return count;
}

/* The leading ':' makes getopt tell a missing value from an unknown option. */
static void build_getopt(const struct option_spec *options, size_t count,
                         struct option *long_options, char *letters)
{
    *letters++ = ':';
    for (size_t i = 0; i < count; i++) {
        int has_argument = options[i].argument != NULL ? required_argument : no_argument;

        long_options[i] =
            (struct option){ options[i].name, has_argument, NULL, LONG_OPTION_BASE + (int)i };
        if (options[i].letter != 0) {
            *letters++ = options[i].letter;
            if (options[i].argument != NULL)
                *letters++ = ':';
        }
    }
    *letters = '\0';
}

/* Returns the option for the value that getopt returned, or NULL if the table has none. */
static const struct option_spec *spec_find(const struct option_spec *options, size_t count,
                                           int value)
{
    if (value >= LONG_OPTION_BASE && (size_t)(value - LONG_OPTION_BASE) < count)
        return &options[value - LONG_OPTION_BASE];
    for (size_t i = 0; i < count; i++)
        if (value != 0 && options[i].letter == value)
            return &options[i];
    return NULL;
}

static int usage_error(struct error *err, const struct command *command, const char *what,
                       const char *subject, const char *why)
{
    error_set(err, ERROR_USAGE, what, subject, "%s", why);
    return error_hint(err, "kopru %s --help lists what it takes", command->name);
}

static int refuse(struct error *err, const struct command *command, const struct option_spec *known,
                  const char *written, int letter)
{
    char text[] = { '-', (char)letter, '\0' };

    if (known != NULL)
        return usage_error(err, command, "this option takes no value", written, "");
    return usage_error(err, command, "unknown option", letter != 0 ? text : written, "");
}

static int check_choice(struct error *err, const struct option_spec *option, const char *value)
{
    char known[256] = "";

    if (option->choices == NULL) {
        if (*value != '\0')
            return 0;
        error_set(err, ERROR_USAGE, "empty value of option", option->name, "%s", "");
        return error_hint(err, "--%s %s: %s", option->name, option->argument, option->help);
    }
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value) == 0)
            return 0;
        text_append(known, sizeof(known), "%s%s", i > 0 ? ", " : "", option->choices[i]);
    }
    error_set(err, ERROR_USAGE, "unknown value of option", option->name, "it is \"%s\"", value);
    return error_hint(err, "--%s is one of: %s", option->name, known);
}

/* Checks what concerns the command line as a whole. */
static int check_whole(struct invocation *call, const struct option_spec *options, size_t count,
                       struct error *err)
{
    int limit = call->command->max_arguments;

    for (size_t i = 0; i < count; i++) {
        if (options[i].required && call->values[i] == NULL) {
            char written[64];

            snprintf(written, sizeof(written), "--%s %s", options[i].name, options[i].argument);
            return usage_error(err, call->command, "missing option", written, options[i].help);
        }
    }
    if (limit >= 0 && call->argument_count > (size_t)limit)
        return usage_error(err, call->command, "unexpected argument", call->arguments[limit],
                           limit == 0 ? "this command takes none" : "there are too many");
    return 0;
}

int options_parse(struct invocation *call, const struct command *command, int argc, char **argv,
                  struct error *err)
{
    const struct option_spec *options = command->options;
    size_t count = option_count(options);
    struct option long_options[OPTIONS_MAX + 1] = { { 0 } };
    char letters[2 * OPTIONS_MAX + 2];
    int value;

    *call = (struct invocation){ .command = command };
    build_getopt(options, count, long_options, letters);
    optind = 0; /* GNU: start anew */
    opterr = 0;
    while ((value = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        const struct option_spec *option;

        if (value == '?')
            return refuse(err, command, spec_find(options, count, optopt), argv[optind - 1],
                          optopt < LONG_OPTION_BASE ? optopt : 0);
        if (value == ':')
            return usage_error(err, command, "this option needs a value",
                               spec_find(options, count, optopt)->name, "");
        option = spec_find(options, count, value);
        if (option->argument != NULL && check_choice(err, option, optarg) != 0)
            return -1;
        call->values[option - options] = option->argument != NULL ? optarg : "";
    }
    call->arguments = argv + optind;
    call->argument_count = (size_t)(argc - optind);
    for (size_t i = 0; i < count; i++)
        if (call->values[i] == NULL)
            call->values[i] = options[i].fallback;
    if (invocation_has(call, "help"))
        return 0;
    return check_whole(call, options, count, err);
}

const char *invocation_value(const struct invocation *call, const char *option)
{
    for (size_t i = 0; call->command->options[i].name != NULL; i++)
        if (strcmp(call->command->options[i].name, option) == 0)
            return call->values[i];
    abort();
}

bool invocation_has(const struct invocation *call, const char *option)
{
    return invocation_value(call, option) != NULL;
}

static void print_help_text(const struct option_spec *option, FILE *out)
{
    fputs(option->help, out);
    if (option->choices != NULL) {
        fputs(": ", out);
        for (size_t i = 0; option->choices[i] != NULL; i++)
            fprintf(out, "%s%s", i > 0 ? " or " : "", option->choices[i]);
    }
    if (option->required)
        fputs(" (required)", out);
    if (option->fallback != NULL)
        fprintf(out, " (default %s)", option->fallback);
    fputc('\n', out);
}

void options_print(const struct option_spec *options, FILE *out)
{
    int width = 0;

    for (const struct option_spec *option = options; option->name != NULL; option++) {
        int wide = (int)(strlen(option->name) +
                         (option->argument != NULL ? strlen(option->argument) + 1 : 0));

        if (wide > width)
            width = wide;
    }
    for (const struct option_spec *option = options; option->name != NULL; option++) {
        char written[96];

        snprintf(written, sizeof(written), "%s%s%s", option->name,
                 option->argument != NULL ? " " : "",
                 option->argument != NULL ? option->argument : "");
        if (option->letter != 0)
            fprintf(out, "  -%c, ", option->letter);
        else
            fputs("      ", out);
        fprintf(out, "--%-*s  ", width, written);
        print_help_text(option, out);
    }
}
