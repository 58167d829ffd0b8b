#include "config/cfg_text.h"

#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Checks a text as a whole. Returns the number of its problems, and its includes as "line:name " in
   includes. */
static size_t check(const char *contents, bool is_included, struct error_list *problems,
                    char *includes, size_t size)
{
    struct cfg_text text;
    struct slice name;
    size_t len = 0;

    includes[0] = '\0';
    cfg_text_init(&text, "dir/a.cfg", slice_of(contents), is_included, problems);
    while (cfg_text_next_include(&text, &name))
        len += (size_t)snprintf(includes + len, size - len, "%u:%.*s ", text.line, SLICE_ARG(name));
    assert_int_equal(*text.at, '\0');
    assert_int_equal(text.failed, problems->count > 0);
    return problems->count;
}

static void accept(const char *contents, bool is_included)
{
    struct error_list problems;
    char includes[64];

    error_list_init(&problems);
    check(contents, is_included, &problems, includes, sizeof(includes));
    assert_problem_count(&problems, 0);
    assert_string_equal(includes, "");
    error_list_release(&problems);
}

static void refuse_as(const char *contents, bool is_included, unsigned line, const char *why)
{
    struct error_list problems;
    char includes[64];
    char place[32];

    snprintf(place, sizeof(place), "dir/a.cfg:%u", line);
    error_list_init(&problems);
    check(contents, is_included, &problems, includes, sizeof(includes));
    assert_one_problem(&problems, place, "cannot read the configuration", why);
    assert_true(problems.items[0].hint[0] != '\0');
    error_list_release(&problems);
}

static void refuse(const char *contents, unsigned line, const char *why)
{
    refuse_as(contents, false, line, why);
    refuse_as(contents, true, line, why);
}

static void integers_that_every_release_reads_alike(void **state)
{
    static const char *const right[] = {
        "0",
        "7",
        "+7",
        "-7",
        "2147483647",
        "-2147483648",
        "2147483648L",
        "-2147483649LL",
        "0x0",
        "0x7FFFFFFF",
        "0x80000000L",
        "0xffffffffffL",
        "010L",
        "0x0001",
        "9223372036854775807L",
        "-9223372036854775808L",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        char contents[64];

        snprintf(contents, sizeof(contents), "a=%s;\n", right[i]);
        accept(contents, true);
    }
}

static void integers_that_libconfig_would_wrap(void **state)
{
    static const char *const wrong[] = {
        "2147483648",  "+2147483648", "-2147483649",         "4294967301",
        "4294967296",  "0x80000000",  "0xFFFFFFFF",          "0Xffffffffff",
        "0x100000001", "-4294967301", "9223372036854775807", "00004294967296",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char contents[64];

        snprintf(contents, sizeof(contents), "a = 1;\nb = [ 2,%s ];\n", wrong[i]);
        refuse(contents, 2, "more than 32 bits lacks the suffix L");
    }
}

static void integers_that_nothing_holds(void **state)
{
    static const char *const wrong[] = {
        "9223372036854775808",  "9223372036854775808L", "-9223372036854775809L",
        "0x8000000000000000L",  "0xFFFFFFFFFFFFFFFFL",  "99999999999999999999999999",
        "0x10000000000000000L",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char contents[64];

        snprintf(contents, sizeof(contents), "\n\na : %s", wrong[i]);
        refuse(contents, 3, "larger than 64 bits");
    }
}

/* libconfig 1.5 reads 10, 1.7 reads 8; and 1.7 refuses 08 without a reason. */
static void integers_that_look_octal(void **state)
{
    (void)state;
    refuse("a = 010;", 1, "begins with 0");
    refuse("a = 08;", 1, "begins with 0");
    refuse("a = -007;", 1, "begins with 0");
    refuse("a = 00;", 1, "begins with 0");
}

static void digits_that_are_no_integer(void **state)
{
    static const char *const right[] = {
        "4294967296.5",
        "1.4294967296",
        ".4294967296",
        "4294967296e2",
        "1e4294967296",
        "1E-4294967296",
        "-4294967296.0e+01",
        "007.5",
        "010e1",
        "4294967296.",
        "\"4294967296 010\"",
        "true /* 4294967296 */",
        "true; # 4294967296\n",
        "true; // 010\n",
        "true; x-4294967296 = 1",
        "true; *4294967296-010 = 1",
        "\"\\\" 4294967296\"",
        "\"\\\\\" /* 010 */",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        char contents[64];

        snprintf(contents, sizeof(contents), "a=%s;\n", right[i]);
        accept(contents, true);
    }
    refuse("a = 1.5; b = 4294967296;", 1, "lacks the suffix L");
    refuse("a = \"\\\\\"; b = 4294967296;", 1, "lacks the suffix L");
    refuse("a = 5e; b = 4294967296;", 1, "lacks the suffix L");
    refuse("/* 1\n */ b = 4294967296;", 2, "lacks the suffix L");
    refuse("# 1\nb = 4294967296;", 2, "lacks the suffix L");
}

static void strings_and_comments_that_swallow_the_rest(void **state)
{
    (void)state;
    refuse("a = \"open;\nb = 2;\n", 1, "a string is not closed on its line");
    refuse("a = 1;\nb = \"open\\\"", 2, "a string is not closed on its line");
    refuse("a = \"open\\", 1, "a string is not closed on its line");
    refuse("\n/* open\nb = \"", 2, "a comment that starts here is never closed");
    refuse("/*/", 1, "a comment that starts here is never closed");
    accept("/**/ a = \"/* \\\\\" \"# //\"; /* \" */", true);
}

static void what_no_string_may_hold(void **state)
{
    (void)state;
    refuse("a = \"x\\x00y\";", 1, "a string holds a NUL character");
    refuse("a = \"x\\X00\";", 1, "a string holds a NUL character");
    refuse("a = \"\\\\\\x00\";", 1, "a string holds a NUL character");
    accept("a = \"\\\\x00 \\x01 \\x0 x00\";", true);
}

static void files_that_are_no_text(void **state)
{
    static const char nul[] = "a = 1;\0b = \"open";
    struct error_list problems;
    struct cfg_text text;
    struct slice name;

    (void)state;
    refuse("\xff\xfe"
           "a",
           1, "the file is not text");
    refuse("\xfe\xff"
           "a",
           1, "the file is not text");
    refuse("\xef\xbb\xbf"
           "a = 1;",
           1, "byte order mark");
    error_list_init(&problems);
    cfg_text_init(&text, "dir/a.cfg", SLICE_LITERAL(nul), false, &problems);
    assert_false(cfg_text_next_include(&text, &name));
    assert_true(text.failed);
    assert_one_problem(&problems, "dir/a.cfg:1", "cannot read", "the file is not text");
    error_list_release(&problems);
    cfg_text_init(&text, "dir/a.cfg", (struct slice){ NULL, 0 }, false, &problems);
    assert_false(cfg_text_next_include(&text, &name));
    assert_false(text.failed);
}

/* libconfig 1.5 refuses such a comment; behind an include 1.7 lets it swallow the line that goes
   on. */
static void a_comment_at_the_end_of_an_include(void **state)
{
    static const char *const endings[] = { "a = 1; # end", "a = 1; // end", "\n#" };

    (void)state;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        struct error_list problems;
        struct cfg_text text;
        struct slice name;

        refuse_as(endings[i], true, i == 2 ? 2 : 1, "ends in a comment without a line break");
        error_list_init(&problems);
        cfg_text_init(&text, "dir/a.cfg", slice_of(endings[i]), false, &problems);
        assert_false(cfg_text_next_include(&text, &name));
        assert_false(text.failed);
        assert_true(text.ends_in_comment);
    }
    accept("a = 1; # end\n", true);
    accept("a = 1; /* end */", true);
}

static void includes_are_found_where_libconfig_follows_them(void **state)
{
    struct error_list problems;
    char includes[64];

    (void)state;
    error_list_init(&problems);
    assert_int_equal(check("@include \"a.cfg\"\n \t@include\t \"b/c.cfg\" x = 1;\n"
                           "# @include \"no\"\n/*\n@include \"no\" */\nx = \"@include\"\n"
                           "  @include \"\xc3\xbc.cfg\"\r\n",
                           true, &problems, includes, sizeof(includes)),
                     0);
    assert_string_equal(includes, "1:a.cfg 2:b/c.cfg 7:\xc3\xbc.cfg ");
    error_list_release(&problems);
}

static void includes_that_cannot_be_followed(void **state)
{
    (void)state;
    refuse("@include file\n", 1, "not followed by a path in quotes");
    refuse("a = 1;\n@include\n", 2, "not followed by a path in quotes");
    refuse("@include", 1, "not followed by a path in quotes");
    refuse("@include \"open\n", 1, "not followed by a path in quotes");
    refuse("@include\"a.cfg\"\n", 1, "not followed by a path in quotes");
    refuse("@include \"sm\xe1\x72t.cfg\"\n", 1, "the path is not UTF-8");
    refuse("@include \"\x1b[2J.cfg\"\n", 1, "the path is not UTF-8 or holds a control character");
    refuse("@include \"a\\b.cfg\"\n", 1, "the path of an include holds a backslash");
    refuse("\n@include \"/etc/a.cfg\"\n", 2, "the path of an include is absolute");
}

static void every_problem_is_found(void **state)
{
    struct error_list problems;
    char includes[64];

    (void)state;
    error_list_init(&problems);
    assert_int_equal(check("a = 4294967296;\nb = \"open\n@include x\n@include \"y\"\nc = 010;\n/*",
                           true, &problems, includes, sizeof(includes)),
                     5);
    assert_string_equal(includes, "4:y ");
    assert_true(has_problem(&problems, "dir/a.cfg:1\""));
    assert_true(has_problem(&problems, "dir/a.cfg:2\""));
    assert_true(has_problem(&problems, "dir/a.cfg:3\""));
    assert_true(has_problem(&problems, "dir/a.cfg:5\""));
    assert_true(has_problem(&problems, "dir/a.cfg:6\""));
    error_list_release(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_that_every_release_reads_alike),
        cmocka_unit_test(integers_that_libconfig_would_wrap),
        cmocka_unit_test(integers_that_nothing_holds),
        cmocka_unit_test(integers_that_look_octal),
        cmocka_unit_test(digits_that_are_no_integer),
        cmocka_unit_test(strings_and_comments_that_swallow_the_rest),
        cmocka_unit_test(what_no_string_may_hold),
        cmocka_unit_test(files_that_are_no_text),
        cmocka_unit_test(a_comment_at_the_end_of_an_include),
        cmocka_unit_test(includes_are_found_where_libconfig_follows_them),
        cmocka_unit_test(includes_that_cannot_be_followed),
        cmocka_unit_test(every_problem_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
