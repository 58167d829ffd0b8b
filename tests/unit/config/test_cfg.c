#include "config/cfg.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct scratch scratch;
    struct error_list problems;
    struct cfg_file *file;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    scratch_init(&fixture->scratch);
    error_list_init(&fixture->problems);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    cfg_close(fixture->file);
    error_list_release(&fixture->problems);
    scratch_release(&fixture->scratch);
    free(fixture);
    return 0;
}

static struct cfg open_text(struct fixture *fixture, const char *text)
{
    fixture->file = cfg_open(scratch_write(&fixture->scratch, "a.cfg", text), &fixture->problems);
    assert_problem_count(&fixture->problems, 0);
    assert_non_null(fixture->file);
    return cfg_root(fixture->file);
}

static void refuse_bytes(struct fixture *fixture, const void *bytes, size_t len, const char *place,
                         const char *why)
{
    const char *path = scratch_write_bytes(&fixture->scratch, "a.cfg", bytes, len);

    assert_null(cfg_open(path, &fixture->problems));
    assert_one_problem(&fixture->problems, place, "cannot read the configuration", why);
    error_list_release(&fixture->problems);
}

static void refuse(struct fixture *fixture, const char *text, const char *place, const char *why)
{
    refuse_bytes(fixture, text, strlen(text), place, why);
}

static void reads_every_type(void **state)
{
    struct cfg root = open_text(*state, "text = \"a\" \"b\"; yes = TRUE; n = -7; hex = 0x10; f = "
                                        "1.5e3; list = ( 1, \"x\" ); array = [ 2 ];\n"
                                        "group : { inner = { n = 4; } }");
    const char *text = NULL;
    bool yes = false;
    int n = 0;
    int64_t big = 0;

    assert_true(cfg_string(root, "text", &text));
    assert_string_equal(text, "ab");
    assert_true(cfg_bool(root, "yes", &yes) && yes);
    assert_true(cfg_int(root, "n", -10, 10, &n) && n == -7);
    assert_true(cfg_int64(root, "hex", 0, 100, &big) && big == 16);
    assert_int_equal(cfg_type(cfg_get(root, "f")), CFG_FLOAT);
    assert_int_equal(cfg_count(cfg_list(root, "list")), 2);
    assert_int_equal(cfg_type(cfg_item(cfg_list(root, "list"), 1)), CFG_STRING);
    assert_true(cfg_as_int64(cfg_item(cfg_list(root, "array"), 0), 0, 9, &big) && big == 2);
    assert_true(cfg_int(cfg_group(cfg_group(root, "group"), "inner"), "n", 0, 9, &n) && n == 4);
    assert_string_equal(cfg_name(cfg_group(root, "group")), "group");
    assert_false(cfg_failed(root.file));
}

static void absent_settings_are_no_problem(void **state)
{
    struct cfg root = open_text(*state, "");
    struct cfg group = cfg_group(root, "group");
    const char *text = "untouched";

    assert_false(cfg_exists(group));
    assert_false(cfg_string(group, "text", &text));
    assert_string_equal(text, "untouched");
    assert_int_equal(cfg_count(cfg_list(group, "list")), 0);
    assert_int_equal(cfg_type(group), CFG_NONE);
    cfg_known(group, (const char *const[]){ NULL });
    cfg_missing(group, "text", NULL);
    assert_false(cfg_failed(root.file));
}

static void integers_keep_64_bits(void **state)
{
    static const struct {
        const char *key;
        int64_t value;
    } cases[] = {
        { "wraps", 4294967301 }, { "with_sign", 2147483648 }, { "suffixed", 4294967301 },
        { "hex", 0xFFFFFFFFFF }, { "largest", INT64_MAX },    { "negative", -4294967301 },
        { "least", INT64_MIN },  { "int_max", INT32_MAX },    { "int_min", INT32_MIN },
        { "a2147483648b", 1 },   { "hex_max", 0x7FFFFFFF },   { "zeros", 10 },
    };
    struct cfg root = open_text(*state, "wraps = 4294967301L; with_sign = +2147483648L; "
                                        "suffixed = 4294967301LL; hex = 0xFFFFFFFFFFL;\n"
                                        "largest=9223372036854775807L;negative=-4294967301L;"
                                        "least = -9223372036854775808L;zeros = 010L;"
                                        "int_max = 2147483647; int_min = -2147483648;"
                                        "hex_max = 0x7fffffff;"
                                        "a2147483648b=1; text = \"2147483648 // #\";");
    const char *text;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t value = 0;

        assert_true(cfg_int64(root, cases[i].key, INT64_MIN, INT64_MAX, &value));
        assert_int_equal(value, cases[i].value);
    }
    assert_true(cfg_string(root, "text", &text));
    assert_string_equal(text, "2147483648 // #");
}

static void integers_are_held_against_their_range(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root = open_text(fixture, "limits = {\n  depth = 4294967301L;\n};\n");
    int depth = 3;

    assert_false(cfg_int(cfg_group(root, "limits"), "depth", 1, 1000, &depth));
    assert_int_equal(depth, 3);
    assert_one_problem(&fixture->problems, "a.cfg:2", "invalid setting limits.depth",
                       "it is 4294967301, and must be 1 to 1000");
    assert_true(cfg_failed(root.file));
}

static void a_wrong_type_is_a_problem_and_not_the_default(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root = open_text(fixture, "s = 1;\nb = 1;\nn = 5.0;\ng = ( );\nl = { };\n");
    const char *text = "untouched";
    bool yes = true;
    int n = 7;

    assert_false(cfg_string(root, "s", &text));
    assert_false(cfg_bool(root, "b", &yes));
    assert_false(cfg_int(root, "n", 0, 9, &n));
    assert_false(cfg_exists(cfg_group(root, "g")));
    assert_false(cfg_exists(cfg_list(root, "l")));
    assert_string_equal(text, "untouched");
    assert_int_equal(n, 7);
    assert_problem_count(&fixture->problems, 5);
    assert_true(has_problem(&fixture->problems,
                            "a.cfg:1\": a string in double quotes is expected, it is an integer"));
    assert_true(has_problem(&fixture->problems,
                            "a.cfg:3\": an integer is expected, it is a number with a fraction"));
    assert_true(has_problem(
        &fixture->problems,
        "a.cfg:5\": a list ( ... ) or array [ ... ] is expected, it is a group { ... }"));
}

static void elements_are_named_by_their_index(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root =
        open_text(fixture, "queues = (\n  { name = \"a\"; },\n  { name = 3; },\n  7\n);\n");
    struct cfg queues = cfg_list(root, "queues");
    const char *name;

    assert_true(cfg_need_string(cfg_item_group(queues, 0), "name", &name));
    assert_false(cfg_need_string(cfg_item_group(queues, 1), "name", &name));
    assert_false(cfg_exists(cfg_item_group(queues, 2)));
    assert_problem_count(&fixture->problems, 2);
    assert_true(has_problem(&fixture->problems, "invalid setting queues[1].name \""));
    assert_true(has_problem(&fixture->problems, "invalid setting queues[2] \""));
}

static void a_needed_string_must_be_there_and_say_something(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root = open_text(fixture, "group = {\n  empty = \"\";\n};\n");
    struct cfg group = cfg_group(root, "group");
    const char *text;

    assert_false(cfg_need_string(group, "empty", &text));
    assert_false(cfg_need_string(group, "absent", &text));
    assert_false(cfg_need_string(root, "gone", &text));
    assert_problem_count(&fixture->problems, 3);
    assert_true(has_problem(&fixture->problems, "invalid setting group.empty"));
    assert_true(has_problem(&fixture->problems, "missing setting group.absent"));
    assert_true(has_problem(&fixture->problems, "missing setting gone"));
}

static void unknown_settings_get_the_nearest_name(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root = open_text(fixture, "prefetsch = 1;\nwriters = 1;\nxyzzy = 1;\n");

    cfg_known(root, (const char *const[]){ "name", "writers", "prefetch", NULL });
    assert_problem_count(&fixture->problems, 2);
    assert_true(has_problem(
        &fixture->problems,
        "a.cfg:1\": no setting of this name is known here (hint: did you mean \"prefetch\"?)"));
    assert_true(has_problem(&fixture->problems, "a.cfg:3\": no setting of this name is known here "
                                                "(hint: known here: name, writers, prefetch)"));
}

static void choices(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = { "error", "warning", "info", NULL };
    struct cfg root = open_text(fixture, "right = \"warning\";\nwrong = \"inof\";\n");
    int choice = -1;

    assert_true(cfg_choice(root, "right", names, &choice));
    assert_int_equal(choice, 1);
    assert_false(cfg_choice(root, "wrong", names, &choice));
    assert_int_equal(choice, 1);
    assert_one_problem(&fixture->problems, "a.cfg:2", "wrong",
                       "\"inof\" is none of \"error\", \"warning\", \"info\"");
    assert_string_equal(fixture->problems.items[0].hint, "did you mean \"info\"?");
}

static void strings_must_be_text(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root = open_text(
        fixture,
        "latin = \"caf\xe9\";\ncontrol = \"a\\nb\";\nturkish = \"\xc4\xb0\xc5\x9e\\xc4\\x9e\";\n");
    const char *text;

    assert_false(cfg_string(root, "latin", &text));
    assert_false(cfg_string(root, "control", &text));
    assert_true(cfg_string(root, "turkish", &text));
    assert_string_equal(text, "\xc4\xb0\xc5\x9e\xc4\x9e");
    assert_problem_count(&fixture->problems, 2);
}

static void files_that_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;

    assert_null(cfg_open("/nonexistent/kopru.cfg", &fixture->problems));
    assert_one_problem(&fixture->problems, "/nonexistent/kopru.cfg", "cannot read", "No such file");
    error_list_release(&fixture->problems);
    assert_null(cfg_open(fixture->scratch.directory, &fixture->problems));
    assert_one_problem(&fixture->problems, NULL, "cannot read", "it is a directory");
    error_list_release(&fixture->problems);
    assert_null(cfg_open("/dev/null", &fixture->problems));
    assert_one_problem(&fixture->problems, "/dev/null", "cannot read", "not a regular file");
}

static void a_pipe_does_not_hang(void **state)
{
    struct fixture *fixture = *state;

    scratch_write(&fixture->scratch, "pipe", "");
    assert_int_equal(unlink(fixture->scratch.path), 0);
    assert_int_equal(mkfifo(fixture->scratch.path, 0600), 0);
    assert_null(cfg_open(fixture->scratch.path, &fixture->problems));
    assert_one_problem(&fixture->problems, "pipe", "cannot read", "not a regular file");
}

static void no_permission(void **state)
{
    struct fixture *fixture = *state;
    const char *path = scratch_write(&fixture->scratch, "a.cfg", "a = 1;");
    bool is_root = geteuid() == 0;

    assert_int_equal(chmod(path, 0), 0);
    if (is_root)
        assert_int_equal(seteuid(65534), 0); /* root may read everything */
    assert_null(cfg_open(path, &fixture->problems));
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_one_problem(&fixture->problems, "a.cfg", "cannot read", "Permission denied");
}

static void syntax_errors_name_their_line(void **state)
{
    struct fixture *fixture = *state;

    refuse(fixture, "a = 1;\nb = yes;\n", "a.cfg:2", "syntax error");
    refuse(fixture, "a = 1;\nb = ( 1 2 );\n", "a.cfg:2", "syntax error");
    refuse(fixture, "/* one\n   two */\n}\n", "a.cfg:3", "syntax error");
    refuse(fixture, "a = 1;\n\na = 2;\n", "a.cfg:3", "duplicate setting name");
    refuse(fixture, "a = 1;\nb = \"open;\nc = 2;\nd = \"closed\";\n", "a.cfg:2",
           "not closed on its line");
    refuse(fixture, "a = \"open\\", "a.cfg:1", "not closed on its line");
    refuse(fixture, "a = 1;\n/* open\nb = 2;\n", "a.cfg:2", "never closed");
    refuse(fixture, "a = \"x\\x00y\";", "a.cfg:1", "NUL character");
    refuse(fixture, "a = 1;\nb = 9223372036854775808;\n", "a.cfg:2", "larger than 64 bit");
    refuse(fixture, "b = -99999999999999999999;\n", "a.cfg:1", "larger than 64 bit");
    refuse(fixture, "b = 0x10000000000000000;\n", "a.cfg:1", "larger than 64 bit");
    refuse(fixture, "b = 9223372036854775808L;\n", "a.cfg:1", "larger than 64 bit");
    refuse(fixture, "b = 0x8000000000000000L;\n", "a.cfg:1", "larger than 64 bit");
    refuse(fixture, "a = [ 1, \"b\" ];\n", "a.cfg:1", "mismatched element type in array");
    refuse(fixture, "a = ;", "a.cfg:1", "syntax error");
    refuse(fixture, "@include file\n", "a.cfg:1", "not followed by a path");
    refuse(fixture, "@include \"open\n", "a.cfg:1", "not followed by a path");
    refuse(fixture, "@include", "a.cfg:1", "not followed by a path");
    refuse(fixture, "@include \"sm\xe1\x72t.cfg\"\n", "a.cfg:1", "the path is not UTF-8");
    refuse(fixture, "a = 1;\n@include \"\x1b[2J.cfg\"\n", "a.cfg:2", "the path is not UTF-8");
}

static void files_that_are_no_text(void **state)
{
    struct fixture *fixture = *state;
    static const char utf16[] = "\xff\xfe\x61\x00";
    static const char nul[] = "a = 1;\0b = 2;";
    char *large = malloc((1 << 20) + 1);

    refuse_bytes(fixture, utf16, 4, "a.cfg:1", "not text");
    refuse_bytes(fixture, nul, sizeof(nul) - 1, "a.cfg:1", "not text");
    assert_non_null(large);
    memset(large, ' ', (1 << 20) + 1);
    refuse_bytes(fixture, large, (1 << 20) + 1, "a.cfg", "larger than 1 MiB");
    free(large);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    struct cfg root = open_text(*state, "\xef\xbb\xbf"
                                        "a = 1;");
    int a;

    assert_true(cfg_int(root, "a", 0, 9, &a));
}

static void includes_start_from_the_directory_of_the_main_file(void **state)
{
    struct fixture *fixture = *state;
    char directory[128];
    struct cfg root;
    int n;

    snprintf(directory, sizeof(directory), "%s/sub", fixture->scratch.directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    scratch_write(&fixture->scratch, "sub/one.cfg",
                  "\none = 1;\n@include \"sub/two.cfg\"\nthree = \"x\";\n");
    scratch_write(&fixture->scratch, "sub/two.cfg", "two = 2.5;");
    root =
        open_text(fixture, "group = {\n  @include \"sub/one.cfg\" four = 4;\n  five = true;\n};\n");
    root = cfg_group(root, "group");
    assert_false(cfg_int(root, "one", 5, 9, &n));
    assert_false(cfg_int(root, "two", 0, 9, &n));
    assert_false(cfg_int(root, "three", 0, 9, &n));
    assert_false(cfg_int(root, "four", 0, 1, &n));
    assert_false(cfg_int(root, "five", 0, 9, &n));
    assert_problem_count(&fixture->problems, 5);
    assert_true(has_problem(&fixture->problems, "sub/one.cfg:2\""));
    assert_true(has_problem(&fixture->problems, "sub/two.cfg:1\""));
    assert_true(has_problem(&fixture->problems, "sub/one.cfg:4\""));
    assert_true(has_problem(&fixture->problems, "a.cfg:2\""));
    assert_true(has_problem(&fixture->problems, "a.cfg:3\""));
}

static void includes_that_fail(void **state)
{
    struct fixture *fixture = *state;
    const char *path;

    path = scratch_write(&fixture->scratch, "a.cfg", "a = 1;\n@include \"missing.cfg\"\n");
    assert_null(cfg_open(path, &fixture->problems));
    assert_one_problem(&fixture->problems, "a.cfg:2", "cannot include a file",
                       "missing.cfg: No such file");
    error_list_release(&fixture->problems);

    path = scratch_write(&fixture->scratch, "a.cfg", "@include \"a.cfg\"\n@include \"a.cfg\"\n");
    assert_null(cfg_open(path, &fixture->problems));
    assert_true(has_problem(&fixture->problems, "does a file include itself?"));
    error_list_release(&fixture->problems);

    path = scratch_write(&fixture->scratch, "a.cfg", "@include\na = \"open\n");
    assert_null(cfg_open(path, &fixture->problems));
    assert_problem_count(&fixture->problems, 2);
    assert_true(has_problem(&fixture->problems, "a.cfg:1\""));
    assert_true(has_problem(&fixture->problems, "a.cfg:2\""));
    error_list_release(&fixture->problems);

    scratch_write(&fixture->scratch, "b.cfg", "b = 1;\nb = ;\n");
    path = scratch_write(&fixture->scratch, "a.cfg", "@include \"b.cfg\"\n");
    assert_null(cfg_open(path, &fixture->problems));
    assert_one_problem(&fixture->problems, "b.cfg:2", "cannot read", NULL);
}

static void paths_and_readability(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root;
    char *resolved;

    scratch_write(&fixture->scratch, "open.cfg", "open = 1;\n");
    assert_int_equal(chmod(fixture->scratch.path, 0644), 0);
    root = open_text(fixture, "closed = 1;\n@include \"open.cfg\"\n");
    assert_false(cfg_is_world_readable(cfg_get(root, "closed")));
    assert_true(cfg_is_world_readable(cfg_get(root, "open")));
    resolved = cfg_resolve(root.file, "x/y.cfg");
    assert_memory_equal(resolved, fixture->scratch.directory, strlen(fixture->scratch.directory));
    assert_string_equal(resolved + strlen(fixture->scratch.directory), "/x/y.cfg");
    free(resolved);
    resolved = cfg_resolve(root.file, "/etc/y.cfg");
    assert_string_equal(resolved, "/etc/y.cfg");
    free(resolved);
}

/* Every beginning of a valid file, and the file with any one byte replaced, is read or refused: no
   crash, no silence. */
static void mutilated_files(void **state)
{
    struct fixture *fixture = *state;
    static const char text[] = "a = { b = ( 1, 0x1F, -2.5e1, \"s\\\"\\x41\" ); /* c */ };\n// d\ne "
                               "= [ true ]; # f\ng : 12L;";
    static const char replacements[] = "\"{}()[]=;,/*#@\\\n\0\xff 9-.x";
    char copy[sizeof(text)];

    for (size_t i = 0; i < sizeof(text); i++)
        for (size_t r = 0; r < sizeof(replacements); r++) {
            struct cfg_file *file;
            size_t len = r == 0 ? i : sizeof(text) - 1;

            memcpy(copy, text, sizeof(text));
            if (r > 0)
                copy[i] = replacements[r - 1];
            file = cfg_open(scratch_write_bytes(&fixture->scratch, "a.cfg", copy, len),
                            &fixture->problems);
            assert_true((file == NULL) == (fixture->problems.count > 0));
            cfg_close(file);
            error_list_release(&fixture->problems);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_every_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(absent_settings_are_no_problem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(integers_keep_64_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(integers_are_held_against_their_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_type_is_a_problem_and_not_the_default, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(elements_are_named_by_their_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_needed_string_must_be_there_and_say_something, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(unknown_settings_get_the_nearest_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(choices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_must_be_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pipe_does_not_hang, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_permission, set_up, tear_down),
        cmocka_unit_test_setup_teardown(syntax_errors_name_their_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_that_are_no_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_byte_order_mark_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(includes_start_from_the_directory_of_the_main_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(includes_that_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_and_readability, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mutilated_files, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
