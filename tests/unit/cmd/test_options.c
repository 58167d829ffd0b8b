#include "cmd/cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const COLOURS[] = { "red", "blue", NULL };

static const struct option_spec OPTIONS[] = {
    { OPTION_CONFIG },
    { .name = "colour",
      .letter = 'k',
      .argument = "NAME",
      .help = "of the paint",
      .choices = COLOURS },
    { .name = "force", .help = "whatever happens" },
    { .name = "entity", .argument = "NAME", .help = "what it is about", .required = true },
    { OPTION_HELP },
    { OPTION_END },
};

static const struct command COMMAND = { .name = "paint", .options = OPTIONS, .max_arguments = 1 };

enum { MAX_WORDS = 8 };

/* Parses "paint" and the words, which NULL ends. argv stays valid until the next call: the
   invocation points into it. */
static int parse(struct invocation *call, struct error *err, const char *const *words)
{
    static char copies[MAX_WORDS + 1][64];
    static char *argv[MAX_WORDS + 2];
    int argc = 0;

    memset(err, 0, sizeof(*err));
    strcpy(copies[argc], "paint");
    argv[argc] = copies[argc];
    for (argc = 1; words[argc - 1] != NULL; argc++) {
        snprintf(copies[argc], sizeof(copies[argc]), "%s", words[argc - 1]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    return options_parse(call, &COMMAND, argc, argv, err);
}

#define PARSE(...) parse(&call, &err, (const char *const[]){ __VA_ARGS__, NULL })

static void values_flags_and_arguments_are_told_apart(void **state)
{
    struct invocation call;
    struct error err;

    (void)state;
    assert_int_equal(PARSE("file", "--entity", "customer", "-k", "blue", "--force"), 0);
    assert_string_equal(invocation_value(&call, "entity"), "customer");
    assert_string_equal(invocation_value(&call, "colour"), "blue");
    assert_true(invocation_has(&call, "force"));
    assert_int_equal(call.argument_count, 1);
    assert_string_equal(call.arguments[0], "file");
}

static void what_is_not_given_has_its_default(void **state)
{
    struct invocation call;
    struct error err;

    (void)state;
    assert_int_equal(PARSE("--entity=customer"), 0);
    assert_string_equal(invocation_value(&call, "config"), "/etc/kopru/kopru.cfg");
    assert_null(invocation_value(&call, "colour"));
    assert_false(invocation_has(&call, "force"));
    assert_int_equal(call.argument_count, 0);
}

static void the_last_of_equal_options_wins(void **state)
{
    struct invocation call;
    struct error err;

    (void)state;
    assert_int_equal(PARSE("--entity", "a", "-ca.cfg", "--config=b.cfg", "--entity=b"), 0);
    assert_string_equal(invocation_value(&call, "entity"), "b");
    assert_string_equal(invocation_value(&call, "config"), "b.cfg");
}

static void two_dashes_end_the_options(void **state)
{
    struct invocation call;
    struct error err;

    (void)state;
    assert_int_equal(PARSE("--entity", "a", "--", "--force"), 0);
    assert_false(invocation_has(&call, "force"));
    assert_string_equal(call.arguments[0], "--force");
}

static void one_dash_is_an_argument(void **state)
{
    struct invocation call;
    struct error err;

    (void)state;
    assert_int_equal(PARSE("--entity", "a", "-"), 0);
    assert_int_equal(call.argument_count, 1);
    assert_string_equal(call.arguments[0], "-");
}

static void help_asks_for_nothing_else(void **state)
{
    struct invocation call;
    struct error err;

    (void)state;
    assert_int_equal(PARSE("-h"), 0);
    assert_true(invocation_has(&call, "help"));
}

struct mistake {
    const char *words[MAX_WORDS];
    const char *what, *subject;
};

static void mistakes_are_usage_errors_that_name_the_word(void **state)
{
    static const struct mistake mistakes[] = {
        { { "--entity", "a", "--paint" }, "unknown option", "--paint" },
        { { "--entity", "a", "-z" }, "unknown option", "-z" },
        { { "--entity", "a", "--force=yes" }, "this option takes no value", "--force=yes" },
        { { "--entity" }, "this option needs a value", "entity" },
        { { "-k" }, "this option needs a value", "colour" },
        { { "--entity", "a", "--colour", "green" }, "unknown value of option", "colour" },
        { { "--entity", "" }, "empty value of option", "entity" },
        { { "--force" }, "missing option", "--entity NAME" },
        { { "--entity", "a", "one", "two" }, "unexpected argument", "two" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct invocation call;
        struct error err;

        assert_int_equal(parse(&call, &err, mistakes[i].words), -1);
        assert_int_equal(err.kind, ERROR_USAGE);
        assert_string_equal(err.what, mistakes[i].what);
        assert_string_equal(err.subject, mistakes[i].subject);
        assert_string_not_equal(err.hint, "");
    }
}

static void help_states_letters_choices_and_defaults(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    options_print(OPTIONS, out);
    fclose(out);
    assert_string_equal(text,
                        "  -c, --config FILE  the configuration (default /etc/kopru/kopru.cfg)\n"
                        "  -k, --colour NAME  of the paint: red or blue\n"
                        "      --force        whatever happens\n"
                        "      --entity NAME  what it is about (required)\n"
                        "  -h, --help         print this help\n");
    free(text);
}

static void the_status_of_several_errors_is_the_gravest(void **state)
{
    struct error_list errors;
    struct error err;

    (void)state;
    error_list_init(&errors);
    assert_int_equal(command_status(&errors), 0);
    error_set(&err, ERROR_NO_INPUT, "a", NULL, "%s", "");
    assert_int_equal(command_fail(&errors, &err), 66);
    assert_int_equal(command_status(&errors), 66);
    error_set(&err, ERROR_CONFIG, "b", NULL, "%s", "");
    assert_int_equal(command_fail(&errors, &err), 78);
    assert_int_equal(command_status(&errors), 78);
    error_list_release(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_flags_and_arguments_are_told_apart),
        cmocka_unit_test(what_is_not_given_has_its_default),
        cmocka_unit_test(the_last_of_equal_options_wins),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(one_dash_is_an_argument),
        cmocka_unit_test(help_asks_for_nothing_else),
        cmocka_unit_test(mistakes_are_usage_errors_that_name_the_word),
        cmocka_unit_test(help_states_letters_choices_and_defaults),
        cmocka_unit_test(the_status_of_several_errors_is_the_gravest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
