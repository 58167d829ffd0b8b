/* A configuration of several files, as libconfig and its checks read it together. */
#include "config/cfg.h"

#include "scratch.h"

#include <fcntl.h>
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
    char directory[128];

    scratch_init(&fixture->scratch);
    snprintf(directory, sizeof(directory), "%s/sub", fixture->scratch.directory);
    assert_int_equal(mkdir(directory, 0700), 0);
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
    const char *path = scratch_write(&fixture->scratch, "a.cfg", text);

    cfg_close(fixture->file);
    fixture->file = cfg_open(path, &fixture->problems);
    assert_problem_count(&fixture->problems, 0);
    assert_non_null(fixture->file);
    return cfg_root(fixture->file);
}

static void refuse(struct fixture *fixture, const char *text, const char *place, const char *title,
                   const char *why)
{
    assert_null(cfg_open(scratch_write(&fixture->scratch, "a.cfg", text), &fixture->problems));
    assert_one_problem(&fixture->problems, place, title, why);
    error_list_release(&fixture->problems);
}

/* What libconfig would read wrongly is found in a file that is included by one that is included. */
static void included_files_are_checked(void **state)
{
    static const struct {
        const char *text;
        const char *place;
        const char *why;
    } cases[] = {
        { "\nb = 4294967296;\n", "sub/two.cfg:2", "lacks the suffix L" },
        { "b = \"open\n", "sub/two.cfg:1", "not closed on its line" },
        { "b = 1;\n\n/* open\n", "sub/two.cfg:3", "never closed" },
        { "b = \"\\x00\";\n", "sub/two.cfg:1", "NUL character" },
        { "b = 010;\n", "sub/two.cfg:1", "begins with 0" },
        { "b = 1; # end", "sub/two.cfg:1", "without a line break" },
        { "\xef\xbb\xbf"
          "b = 1;\n",
          "sub/two.cfg:1", "byte order mark" },
        { "b = 1;\nb = 2;\n", "sub/two.cfg:2", "duplicate setting name" },
        { "\n\nb = ;\n", "sub/two.cfg:3", "syntax error" },
        { "@include \"/etc/passwd\"\n", "sub/two.cfg:1", "is absolute" },
    };
    struct fixture *fixture = *state;

    scratch_write(&fixture->scratch, "sub/one.cfg", "one = 1;\n@include \"sub/two.cfg\"\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scratch_write(&fixture->scratch, "sub/two.cfg", cases[i].text);
        refuse(fixture, "@include \"sub/one.cfg\"\n", cases[i].place,
               "cannot read the configuration", cases[i].why);
    }
}

static void an_include_that_cannot_be_read_is_named_where_it_stands(void **state)
{
    struct fixture *fixture = *state;
    static const char main_file[] = "a = 1;\n@include \"sub/one.cfg\"\n";

    scratch_write(&fixture->scratch, "two.cfg", "two = 2;\n");
    scratch_write(&fixture->scratch, "sub/one.cfg", "\n@include \"one.cfg\"\n");
    refuse(fixture, main_file, "sub/one.cfg:2", "cannot include a file", "/one.cfg: No such file");
    scratch_write(&fixture->scratch, "sub/one.cfg", "\n\n@include \"sub\"\n");
    refuse(fixture, main_file, "sub/one.cfg:3", "cannot include a file", "/sub: it is a directory");
    scratch_write(&fixture->scratch, "sub/one.cfg", "@include \"\"\n");
    refuse(fixture, main_file, "sub/one.cfg:1", "cannot include a file", "it is a directory");
}

static void a_pipe_that_is_included_does_not_hang(void **state)
{
    struct fixture *fixture = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/pipe", fixture->scratch.directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse(fixture, "@include \"pipe\"\n", "a.cfg:1", "cannot include a file",
           "not a regular file");
}

static void one_file_may_be_included_twice(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root;
    int n = 0;

    scratch_write(&fixture->scratch, "sub/one.cfg", "n = 7;\n");
    root = open_text(fixture, "a = {\n@include \"sub/one.cfg\"\n};\nb = {\n@include "
                              "\"sub/one.cfg\"\n};\n");
    assert_true(cfg_int(cfg_group(root, "a"), "n", 7, 7, &n));
    assert_true(cfg_int(cfg_group(root, "b"), "n", 7, 7, &n));
    assert_false(cfg_int(cfg_group(root, "b"), "n", 0, 6, &n));
    assert_one_problem(&fixture->problems, "/sub/one.cfg:1", "invalid setting b.n", "it is 7");
}

static void includes_nest_ten_levels_deep(void **state)
{
    struct fixture *fixture = *state;
    struct cfg root;
    int n = 0;

    for (int i = 1; i <= 10; i++) {
        char name[16];
        char text[64];

        snprintf(name, sizeof(name), "%d.cfg", i);
        snprintf(text, sizeof(text), i < 10 ? "@include \"%d.cfg\"\n" : "n = %d;\n", i + 1);
        scratch_write(&fixture->scratch, name, text);
    }
    root = open_text(fixture, "@include \"1.cfg\"\n");
    assert_true(cfg_int(root, "n", 11, 11, &n));
    scratch_write(&fixture->scratch, "0.cfg", "@include \"1.cfg\"\n");
    refuse(fixture, "@include \"0.cfg\"\n", "9.cfg:1", "cannot read the configuration",
           "include file nesting too deep");
}

static void a_file_that_includes_itself(void **state)
{
    struct fixture *fixture = *state;

    assert_null(cfg_open(scratch_write(&fixture->scratch, "a.cfg", "\n@include \"a.cfg\"\n"),
                         &fixture->problems));
    assert_one_problem(&fixture->problems, "a.cfg:2", "cannot read the configuration",
                       "include file nesting too deep");
    assert_string_equal(fixture->problems.items[0].hint,
                        "at most 10 levels are possible: does a file include itself?");
}

static void a_hundred_files_are_enough(void **state)
{
    struct fixture *fixture = *state;
    char text[4096];
    size_t len = 0;

    for (int i = 1; i <= 100; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%d.cfg", i);
        scratch_write(&fixture->scratch, name, "");
        if (i == 100)
            open_text(fixture, text);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "@include \"%s\"\n", name);
    }
    refuse(fixture, text, "a.cfg:100", "cannot include a file", "more than 100 files");
}

/* Else libconfig would open 20 to the power of 6 files. */
static void every_opening_of_a_file_counts(void **state)
{
    struct fixture *fixture = *state;
    char text[1024] = "";
    size_t len = 0;

    for (int i = 1; i <= 6; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%d.cfg", i);
        scratch_write(&fixture->scratch, name, text);
        len = 0;
        for (int n = 0; n < 20; n++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "@include \"%s\"\n", name);
        if (i == 1)
            open_text(fixture, text); /* 20 */
    }
    refuse(fixture, text, "a.cfg", "cannot read the configuration", "more than 100 includes");
    scratch_write(&fixture->scratch, "2.cfg",
                  "@include \"1.cfg\"\n@include \"1.cfg\"\n@include \"1.cfg\"\n");
    len = 0;
    for (int n = 0; n < 25; n++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "@include \"2.cfg\"\n");
    open_text(fixture, text); /* 25 and 75 */
    snprintf(text + len, sizeof(text) - len, "@include \"1.cfg\"\n");
    refuse(fixture, text, "a.cfg", "cannot read the configuration", "more than 100 includes");
}

static void the_main_file_may_end_in_a_comment_or_begin_with_a_mark(void **state)
{
    struct fixture *fixture = *state;
    int n = 0;

    scratch_write(&fixture->scratch, "sub/one.cfg", "n = 7;");
    assert_true(cfg_int(open_text(fixture, "n = 7; # end"), "n", 7, 7, &n));
    assert_true(cfg_int(open_text(fixture, "n = 7; // end"), "n", 7, 7, &n));
    assert_true(cfg_int(open_text(fixture, "\xef\xbb\xbf"
                                           "@include \"sub/one.cfg\" m = 8;"),
                        "n", 7, 7, &n));
    assert_true(cfg_int(cfg_root(fixture->file), "m", 8, 8, &n));
}

static void a_full_mebibyte_is_read(void **state)
{
    struct fixture *fixture = *state;
    char *large = malloc(1 << 20);
    const char *path;
    int n = 0;

    assert_non_null(large);
    memset(large, '#', 1 << 20);
    snprintf(large, 8, "n = 7;");
    large[6] = '#';
    path = scratch_write_bytes(&fixture->scratch, "a.cfg", large, 1 << 20);
    fixture->file = cfg_open(path, &fixture->problems);
    assert_problem_count(&fixture->problems, 0);
    assert_true(cfg_int(cfg_root(fixture->file), "n", 7, 7, &n));
    free(large);
}

/* A path without a directory, and one that is relative: what libconfig calls the includes
   differs. */
static void relative_paths(void **state)
{
    static const char *const paths[] = { "a.cfg", "./a.cfg", "sub/../a.cfg" };
    static const char *const places[] = { "\"sub/one.cfg:2\"", "\"./sub/one.cfg:2\"",
                                          "\"sub/../sub/one.cfg:2\"" };
    struct fixture *fixture = *state;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    scratch_write(&fixture->scratch, "sub/one.cfg", "\nn = 7;\n");
    scratch_write(&fixture->scratch, "a.cfg", "@include \"sub/one.cfg\"\n");
    assert_int_equal(chdir(fixture->scratch.directory), 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct cfg_file *file = cfg_open(paths[i], &fixture->problems);
        int n;

        assert_non_null(file);
        assert_false(cfg_int(cfg_root(file), "n", 0, 1, &n));
        assert_problem_count(&fixture->problems, 1);
        assert_true(has_problem(&fixture->problems, places[i]));
        error_list_release(&fixture->problems);
        cfg_close(file);
    }
    assert_int_equal(fchdir(before), 0);
    close(before);
}

static char *contents_of(struct fixture *fixture, const char *text)
{
    char *contents;

    open_text(fixture, text);
    contents = cfg_contents(fixture->file);
    assert_non_null(contents);
    return contents;
}

/* What digests rest on: the same settings are the same contents, and any other setting shows. */
static void contents_are_what_the_files_say(void **state)
{
    static const char *const same[] = {
        "a = 1; b = { c = \"x\"; };",
        "# comment\na = 1;\n\nb : {\n\tc = /* */ \"x\"\n}\n",
        "a = 1; b = {\n@include \"sub/c.cfg\"\n};",
    };
    static const char *const different[] = {
        "a = 2; b = { c = \"x\"; };",   "a = 1; b = { c = \"y\"; };",
        "a = 1; b = { d = \"x\"; };",   "a = 1; b = { c = \"x\"; }; d = ( );",
        "a = 1; b = ( \"c\", \"x\" );",
    };
    struct fixture *fixture = *state;
    char *right;

    scratch_write(&fixture->scratch, "sub/c.cfg", "c = \"x\";\n");
    right = contents_of(fixture, same[0]);
    for (size_t i = 1; i < sizeof(same) / sizeof(same[0]); i++) {
        char *contents = contents_of(fixture, same[i]);

        assert_string_equal(contents, right);
        free(contents);
    }
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++) {
        char *contents = contents_of(fixture, different[i]);

        assert_string_not_equal(contents, right);
        free(contents);
    }
    free(right);
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(included_files_are_checked),
        UNIT(an_include_that_cannot_be_read_is_named_where_it_stands),
        UNIT(a_pipe_that_is_included_does_not_hang),
        UNIT(one_file_may_be_included_twice),
        UNIT(includes_nest_ten_levels_deep),
        UNIT(a_file_that_includes_itself),
        UNIT(a_hundred_files_are_enough),
        UNIT(every_opening_of_a_file_counts),
        UNIT(the_main_file_may_end_in_a_comment_or_begin_with_a_mark),
        UNIT(a_full_mebibyte_is_read),
        UNIT(relative_paths),
        UNIT(contents_are_what_the_files_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
