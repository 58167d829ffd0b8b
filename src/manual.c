#include "cmd/cmd.h"
#include "config/option.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Fills in what the man pages and the completion of the shell repeat of the program, from the very
 * tables that the program parses with, so that they cannot drift. It runs at build time and is not
 * installed:
 *
 *     kopru_manual docs/man/kopru.1.scd OUTPUT
 *
 * A line of the template that is one of the words of PARTS is replaced by that part; every other
 * line is copied. The pages are in scdoc's language, in which a backslash takes away the meaning of
 * the character behind it.
 */

static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\*_<>~`#|[]+", *text) != NULL)
            putchar('\\');
        putchar(*text);
    }
}

/* With a capital letter and a full stop, as sentences of a page have them. */
static void print_sentence(const char *text)
{
    char first[] = { (char)toupper((unsigned char)text[0]), '\0' };

    print_escaped(first);
    print_escaped(text + 1);
    putchar('.');
}

static void print_option(const struct option_spec *option)
{
    if (option->letter != 0)
        printf("*-%c*, ", option->letter);
    printf("*--%s*", option->name);
    if (option->argument != NULL)
        printf(" _%s_", option->argument);
    fputs("\n\t", stdout);
    print_sentence(option->help);
    for (size_t i = 0; option->choices != NULL && option->choices[i] != NULL; i++)
        printf("%s*%s*", i == 0 ? " One of: " : ", ", option->choices[i]);
    if (option->choices != NULL)
        putchar('.');
    if (option->required)
        fputs(" This option is required.", stdout);
    if (option->fallback != NULL) {
        fputs(" Default: ", stdout);
        print_escaped(option->fallback);
        putchar('.');
    }
    fputs("\n\n", stdout);
}

/* What --help says below the usage line: the example, then paragraphs. */
static void print_help(const char *help)
{
    const char *end = strchr(help, '\n');

    printf("```\n%.*s\n```\n", (int)(end - help), help);
    print_escaped(end + 1);
}

static void print_commands(void)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        printf("## kopru %s [OPTION]...%s%s\n\n", command->name,
               *command->arguments != '\0' ? " " : "", command->arguments);
        print_help(command->help);
        putchar('\n');
        for (const struct option_spec *option = command->options; option->name != NULL; option++)
            print_option(option);
    }
}

static void print_exit_statuses(void)
{
    for (const char *line = COMMAND_EXIT_STATUSES; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *number = line + strspn(line, " ");
        size_t digits = strspn(number, "0123456789");
        const char *text = number + digits + strspn(number + digits, " ");

        printf("*%.*s*\n\t%.*s\n\n", (int)digits, number, (int)strcspn(text, "\n"), text);
    }
}

static void print_environment(void)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (OPTIONS[i].environment == NULL)
            continue;
        putchar('*');
        print_escaped(OPTIONS[i].environment);
        printf("*\n\tOverrides *%s.", OPTIONS[i].group);
        print_escaped(OPTIONS[i].key);
        fputs("* of *kopru.cfg*(5).\n\n", stdout);
    }
}

static const char *type_name(const struct config_option *option)
{
    static const char *const names[] = {
        [OPTION_TEXT] = "text",          [OPTION_FILE] = "path",
        [OPTION_INTEGER] = "integer",    [OPTION_DECIMAL] = "number",
        [OPTION_BOOL] = "true or false", [OPTION_CHOICE] = "one of these",
        [OPTION_LIST] = "list",
    };

    return names[option->type];
}

static void print_range(const struct config_option *option)
{
    if (option->type == OPTION_INTEGER)
        printf(" From %" PRId64 " to %" PRId64, option->min, option->max);
    else if (option->type == OPTION_DECIMAL)
        printf(" More than %" PRId64 ", at most %" PRId64, option->min, option->max);
    else
        return;
    if (option->unit != NULL)
        printf(" %s", option->unit);
    putchar('.');
}

static void print_setting(const struct config_option *option)
{
    putchar('*');
    print_escaped(option->key);
    printf("* (%s)\n\t", type_name(option));
    print_sentence(option->help);
    print_range(option);
    for (size_t i = 0; option->names != NULL && option->names[i] != NULL; i++)
        printf("%s*\"%s\"*", i == 0 ? " One of: " : ", ", option->names[i]);
    if (option->names != NULL)
        putchar('.');
    if (option->required) {
        fputs(" It must be set.", stdout);
    } else {
        fputs(" Default: ", stdout);
        print_escaped(option->initial != NULL ? option->initial : "not set");
        putchar('.');
    }
    if (option->environment != NULL) {
        fputs(" The environment variable *", stdout);
        print_escaped(option->environment);
        fputs("* overrides it.", stdout);
    }
    fputs("\n\n", stdout);
}

static void print_settings(void)
{
    const char *group = NULL;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (group == NULL || strcmp(group, OPTIONS[i].group) != 0) {
            group = OPTIONS[i].group;
            if (*group == '\0')
                fputs("## At the top level\n\n", stdout);
            else
                printf("## %s%s\n\n", group,
                       strcmp(group, "queues") == 0 ? ", for each element of the list" : "");
        }
        print_setting(&OPTIONS[i]);
    }
}

/* For bash: one array of words for each command, and what may follow an option with a value. */

static void print_completed_commands(void)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++)
        printf("        %s\n", command->name);
}

static void print_completed_options(void)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        printf("        %s)\n            options=(", command->name);
        for (const struct option_spec *option = command->options; option->name != NULL; option++)
            printf("%s--%s", option == command->options ? "" : " ", option->name);
        fputs(")\n            ;;\n", stdout);
    }
}

static void print_completed_values(void)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        for (const struct option_spec *option = command->options; option->name != NULL; option++) {
            if (option->argument == NULL)
                continue;
            printf("        %s:--%s", command->name, option->name);
            if (option->letter != 0)
                printf(" | %s:-%c", command->name, option->letter);
            fputs(")\n            values=(", stdout);
            for (size_t n = 0; option->choices != NULL && option->choices[n] != NULL; n++)
                printf("%s%s", n == 0 ? "" : " ", option->choices[n]);
            printf(")\n            kind=%s\n            ;;\n",
                   option->choices != NULL                 ? "word"
                   : strcmp(option->argument, "FILE") == 0 ? "path"
                                                           : "other");
        }
    }
}

static const struct part {
    const char *word;
    void (*print)(void);
} PARTS[] = {
    { "@COMMANDS@\n", print_commands },
    { "@EXIT_STATUSES@\n", print_exit_statuses },
    { "@ENVIRONMENT@\n", print_environment },
    { "@SETTINGS@\n", print_settings },
    { "@COMPLETED_COMMANDS@\n", print_completed_commands },
    { "@COMPLETED_OPTIONS@\n", print_completed_options },
    { "@COMPLETED_VALUES@\n", print_completed_values },
};

static void print_line(const char *line)
{
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        if (strcmp(line, PARTS[i].word) == 0) {
            PARTS[i].print();
            return;
        }
    }
    fputs(line, stdout);
}

/* Returns the exit status. An output that is not whole would count as built, so it is removed. */
static int fail(const char *what, const char *output)
{
    perror(what);
    unlink(output);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;

    if (argc != 3) {
        fputs("usage: kopru_manual TEMPLATE OUTPUT\n", stderr);
        return EXIT_FAILURE;
    }
    if (freopen(argv[1], "r", stdin) == NULL || freopen(argv[2], "w", stdout) == NULL)
        return fail("cannot open the template or the output", argv[2]);
    while (getline(&line, &size, stdin) != -1)
        print_line(line);
    free(line);
    if (ferror(stdin) || fflush(stdout) != 0 || ferror(stdout))
        return fail(argv[2], argv[2]);
    return EXIT_SUCCESS;
}
