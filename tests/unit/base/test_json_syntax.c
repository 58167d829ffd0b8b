#include "base/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_DEPTH = 64 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Reads a copy without a byte to spare, so that sanitizers see a read beyond the end. */
static int read_exact(struct json_doc *doc, struct slice text, unsigned max_depth,
                      struct json_fault *fault)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);
    int result;

    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    result = json_read(doc, (struct slice){ copy, text.len }, max_depth, fault);
    free(copy);
    return result;
}

static void texts_that_are_json(void **state)
{
    static const char *const cases[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "7",
        "-7",
        "10",
        "1.5",
        "0.5",
        "-0.5",
        "1e5",
        "1E5",
        "1e+5",
        "1e-5",
        "0e0",
        "0E+0",
        "1.25e10",
        "-1.25E-10",
        "1e400",
        "1e00",
        "123456789012345678901234567890",
        "0.1000000000000000000000000000000000001",
        "\"\"",
        "\" \"",
        "\"plain\"",
        "\"eight by\"",
        "\"İÜŞĞçöı\"",
        "\"\xF0\x9F\x98\x80\"",
        "\"\x7f\"",
        "\"\xE2\x80\xA8\xE2\x80\xA9\"",
        "\"\xEF\xBB\xBF\"",
        "\"\xEF\xBF\xBF\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0001\"",
        "\"\\u001f\\u001F\"",
        "\"\\u00e9\\u0130\\uFFFF\\uabcd\\uABCD\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"",
        "\"\\ud83d\\ude00\\ud83d\\ude00\"",
        "\"\\\\u0000\"",
        "\"\\\\ud800\"",
        "\"/*no comment*/\"",
        "\"a\\u0062c\"",
        "[]",
        "[ ]",
        "[\n]",
        "[0]",
        "[null]",
        "[null,true,false,0,\"\",[],{}]",
        "[1 , 2\t,\r\n3 ]",
        "[[],[[]],[[[]]]]",
        "[1.0]",
        "[-1]",
        "[\"]\"]",
        "{}",
        "{ }",
        "{\t\r\n }",
        "{\"a\":1}",
        "{\"a\" : 1}",
        "{ \"a\"\n:\n1 }",
        "{\"\":0}",
        "{\"a\":1,\"b\":2}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":{\"a\":{\"a\":{}}}}",
        "{\"a\":[{\"b\":[{}]}]}",
        "{\"\\n\":1}",
        "{\"{\":\"}\"}",
        "{\"İ\":\"ı\"}",
        " {}",
        "{} ",
        "\t\n\r [] \t\n\r",
        "\n\n1\n",
    };
    struct json_doc doc;

    (void)state;
    json_doc_init(&doc);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_fault fault;

        if (read_exact(&doc, slice_of(cases[i]), MAX_DEPTH, &fault) != 0)
            fail_msg("refused at %zu: %s", fault.offset, cases[i]);
    }
    json_doc_release(&doc);
}

struct fault_case {
    const char *text;
    size_t offset;
};

static void assert_faults(const struct fault_case *cases, size_t count, enum json_fault_kind kind)
{
    struct json_doc doc;

    json_doc_init(&doc);
    for (size_t i = 0; i < count; i++) {
        struct json_fault fault;

        if (read_exact(&doc, slice_of(cases[i].text), MAX_DEPTH, &fault) == 0)
            fail_msg("accepted: %s", cases[i].text);
        if (fault.kind != kind || fault.offset != cases[i].offset)
            fail_msg("fault %d at %zu: %s", (int)fault.kind, fault.offset, cases[i].text);
        assert_int_equal(doc.count, 0);
    }
    json_doc_release(&doc);
}

static void scalars_that_are_not_json(void **state)
{
    static const struct fault_case cases[] = {
        { "", 0 },
        { " ", 1 },
        { "\n", 1 },
        { "\xEF\xBB\xBF{}", 0 }, /* the caller takes the byte order mark away */
        { "{}\xEF\xBB\xBF", 2 },
        { "\xC2\xA0{}", 0 }, /* other space than JSON's */
        { "\x0b{}", 0 },
        { "\x0c{}", 0 },
        { "{}\x0c", 2 },
        { "n", 1 },
        { "nul", 3 },
        { "nulL", 3 },
        { "nullx", 4 },
        { "Null", 0 },
        { "True", 0 },
        { "TRUE", 0 },
        { "tru", 3 },
        { "truth", 3 },
        { "true1", 4 },
        { "truefalse", 4 },
        { "fals", 4 },
        { "falsy", 4 },
        { "undefined", 0 },
        { "NaN", 0 },
        { "nan", 1 },
        { "Infinity", 0 },
        { "-Infinity", 1 },
        { "-", 1 },
        { "--1", 1 },
        { "+1", 0 },
        { "01", 1 },
        { "-01", 2 },
        { "00", 1 },
        { "-00", 2 },
        { "1.", 2 },
        { "1.e5", 2 },
        { ".5", 0 },
        { "-.5", 1 },
        { "1e", 2 },
        { "1e+", 3 },
        { "1e-", 3 },
        { "1e1.5", 3 },
        { "1ee5", 2 },
        { "1.2.3", 3 },
        { "1 2", 2 },
        { "1,2", 1 },
        { "0x10", 1 },
        { "1a", 1 },
        { "1_000", 1 },
        { "\xD9\xA1", 0 }, /* an Arabic digit */
    };

    (void)state;
    assert_faults(cases, COUNT_OF(cases), JSON_FAULT_SYNTAX);
}

static void strings_that_are_not_json(void **state)
{
    static const struct fault_case cases[] = {
        { "\"", 1 },
        { "\"abc", 4 },
        { "\"abcdefgh", 9 },
        { "\"a\\", 3 },
        { "\"a\\\"", 4 },
        { "\"\\", 2 },
        { "\"\\x41\"", 2 },
        { "\"\\'\"", 2 },
        { "\"\\a\"", 2 },
        { "\"\\0\"", 2 },
        { "\"\\U0041\"", 2 },
        { "\"\\\n\"", 2 },
        { "\"\\u\"", 3 },
        { "\"\\u1\"", 4 },
        { "\"\\u12\"", 5 },
        { "\"\\u123\"", 6 },
        { "\"\\u123", 6 },
        { "\"\\u12", 5 },
        { "\"\\u", 3 },
        { "\"\\u12G4\"", 5 },
        { "\"\\u-123\"", 3 },
        { "\"\\u 123\"", 3 },
        { "\"\\u0x41\"", 4 },
        { "\"\\ud83d\\u\"", 9 },
        { "\"\\ud83d\\uZZZZ\"", 9 },
        { "\"\\ud83d\\", 8 },
        { "\"\n\"", 1 },
        { "\"\t\"", 1 },
        { "\"\r\"", 1 },
        { "\"\x01\"", 1 },
        { "\"\x1f\"", 1 },
        { "\"12345678\x1f\"", 9 },
        { "'a'", 0 },
        { "\"a\"\"b\"", 3 },
        { "\"a\"b", 3 },
        { "abc", 0 },
    };

    (void)state;
    assert_faults(cases, COUNT_OF(cases), JSON_FAULT_SYNTAX);
}

static void containers_that_are_not_json(void **state)
{
    static const struct fault_case cases[] = {
        { "[", 1 },
        { "[ ", 2 },
        { "[1", 2 },
        { "[1,", 3 },
        { "[1,]", 3 },
        { "[,]", 1 },
        { "[,1]", 1 },
        { "[1,,2]", 3 },
        { "[1 2]", 3 },
        { "[1;2]", 2 },
        { "[1:2]", 2 },
        { "[\"a\":1]", 4 },
        { "[1}", 2 },
        { "[}", 1 },
        { "[1]]", 3 },
        { "[1],", 3 },
        { "[]1", 2 },
        { "[][]", 2 },
        { "]", 0 },
        { "[\"a\n\"]", 3 },
        { "[1,\n2", 5 },
        { "[[1]", 4 },
        { "[(1)]", 1 },
        { "{", 1 },
        { "{\"", 2 },
        { "{\"a", 3 },
        { "{\"a\"", 4 },
        { "{\"a\"}", 4 },
        { "{\"a\":", 5 },
        { "{\"a\":}", 5 },
        { "{\"a\":1", 6 },
        { "{\"a\":1,", 7 },
        { "{\"a\":1,}", 7 },
        { "{,}", 1 },
        { "{,\"a\":1}", 1 },
        { "{\"a\":1,,\"b\":2}", 7 },
        { "{\"a\":1 \"b\":2}", 7 },
        { "{\"a\" 1}", 5 },
        { "{\"a\"::1}", 5 },
        { "{\"a\",1}", 4 },
        { "{\"a\"=1}", 4 },
        { "{a:1}", 1 },
        { "{'a':1}", 1 },
        { "{1:1}", 1 },
        { "{null:1}", 1 },
        { "{[]:1}", 1 },
        { "{\"a\":1]", 6 },
        { "{\"a\":1}}", 7 },
        { "{\"a\":1}x", 7 },
        { "{\"a\":1};", 7 },
        { "{\"a\":1}{\"b\":2}", 7 },
        { "{\"a\":1}\n{\"b\":2}", 8 },
        { "{\"a\n\":1}", 3 },
        { "}", 0 },
        { ":", 0 },
        { ",", 0 },
        { "\\u007b}", 0 },
        { "// no\n{}", 0 },
        { "/* no */{}", 0 },
        { "{}/* no */", 2 },
        { "{}# no", 2 },
        { "<a/>", 0 },
    };

    (void)state;
    assert_faults(cases, COUNT_OF(cases), JSON_FAULT_SYNTAX);
}

static void a_raw_nul_is_not_json(void **state)
{
    static const struct {
        struct slice text;
        size_t offset;
    } cases[] = {
        { { "\0", 1 }, 0 },    { { "{}\0", 3 }, 2 },        { { "\"a\0b\"", 5 }, 2 },
        { { "[1\0]", 4 }, 2 }, { { "{\"a\0\":1}", 8 }, 3 }, { { "\"\\u00\0\"", 7 }, 5 },
        { { "nul\0", 4 }, 3 }, { { "1\0", 2 }, 1 },
    };
    struct json_doc doc;

    (void)state;
    json_doc_init(&doc);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_fault fault;

        assert_int_equal(read_exact(&doc, cases[i].text, MAX_DEPTH, &fault), -1);
        assert_int_equal(fault.kind, JSON_FAULT_SYNTAX);
        assert_int_equal(fault.offset, cases[i].offset);
    }
    json_doc_release(&doc);
}

static void bytes_that_are_not_utf8_are_found_before_all_else(void **state)
{
    static const struct fault_case cases[] = {
        { "\"\x80\"", 1 },
        { "\"\xC0\x80\"", 1 },
        { "\"\xE0\x80\x80\"", 1 },
        { "\"\xED\xA0\x80\"", 1 },
        { "\"\xF4\x90\x80\x80\"", 1 },
        { "\"\xC3\"", 1 },
        { "{\"\xFF\":1}", 2 },
        { "{}\xFF", 2 },
        { "\xFF{}", 0 },
        { "{not json\xFF", 9 },
        { "[\"\\u0000\",\"\\ud800\",1.,\"\xFF\"]", 23 },
        { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\xFF", 70 },
        { "\xFF\xFE{\x7d", 0 }, /* as UTF-16 begins */
    };

    (void)state;
    assert_faults(cases, COUNT_OF(cases), JSON_FAULT_UTF8);
}

static void syntax_comes_before_escapes(void **state)
{
    static const struct fault_case cases[] = {
        { "[\"\\u0000\",]", 10 }, { "[\"\\ud800\",]", 10 },  { "{\"\\u0000\":\"\\udc00\"", 18 },
        { "\"\\ud800", 7 },       { "[\"\\ud800\\x\"]", 9 }, { "{\"\\ud83d\":1,\"\\ud83d\":2", 22 },
    };

    (void)state;
    assert_faults(cases, COUNT_OF(cases), JSON_FAULT_SYNTAX);
}

static void nul_escapes(void **state)
{
    static const struct fault_case cases[] = {
        { "\"\\u0000\"", 1 },
        { "\"abc\\u0000def\"", 4 },
        { "{\"\\u0000\":1}", 2 },
        { "{\"a\":[{\"b\":\"\\u0000\"}]}", 12 },
        { "[\"\\u0000\",\"\\u0000\"]", 2 },
        { "[\"\\ud800\",\"\\u0000\"]", 11 }, /* comes before a lone surrogate, wherever it stands */
        { "\"\\udc00\\u0000\"", 7 },
        { "\"\\ud800\\u0000\"", 7 },
        { "{\"a\":\"\\u0000\",\"a\":1}", 6 }, /* also where another member hides it */
    };

    (void)state;
    assert_faults(cases, COUNT_OF(cases), JSON_FAULT_NUL_ESCAPE);
}

static void lone_surrogates(void **state)
{
    static const struct fault_case cases[] = {
        { "\"\\ud800\"", 1 },
        { "\"\\uDBFF\"", 1 },
        { "\"\\udc00\"", 1 },
        { "\"\\uDFFF\"", 1 },
        { "\"a\\ud800b\"", 2 },
        { "\"\\ud800\\n\"", 1 },
        { "\"\\ud800\\u0041\"", 1 },
        { "\"\\ud800\\ud800\"", 1 },
        { "\"\\ud800\\ud800\\udc00\"", 1 },
        { "\"\\ud800\\udc00\\udc00\"", 13 },
        { "\"\\udc00\\ud800\"", 1 },
        { "\"\\ud800 \\udc00\"", 1 },
        { "\"\\ud800\\\\udc00\"", 1 },
        { "{\"\\ud800\":1}", 2 },
        { "{\"\\ud800\":1,\"\\ud800\":2}", 2 },
        { "{\"\\ud800\":1,\"\\udc00\":2,\"a\":3}", 2 },
        { "[\"\\ud83d\\ude00\",\"\\ude00\"]", 17 },
    };

    (void)state;
    assert_faults(cases, COUNT_OF(cases), JSON_FAULT_LONE_SURROGATE);
}

/* Nests count arrays, or objects, around what is in them. */
static char *nested(const char *open, size_t count, const char *inside, const char *close)
{
    size_t open_len = strlen(open);
    char *text = malloc(count * (open_len + strlen(close)) + strlen(inside) + 1);
    char *at = text;

    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, inside);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, close);
    return text;
}

static void assert_depth(const char *open, size_t count, const char *inside, const char *close,
                         unsigned max_depth, bool fits)
{
    char *text = nested(open, count, inside, close);
    struct json_doc doc;
    struct json_fault fault;

    json_doc_init(&doc);
    assert_int_equal(read_exact(&doc, slice_of(text), max_depth, &fault), fits ? 0 : -1);
    if (!fits) {
        assert_int_equal(fault.kind, JSON_FAULT_DEPTH);
        assert_int_equal(fault.offset,
                         strlen(open) * (max_depth < JSON_MAX_DEPTH ? max_depth : JSON_MAX_DEPTH));
    }
    json_doc_release(&doc);
    free(text);
}

static void depth_counts_objects_and_arrays(void **state)
{
    (void)state;
    assert_depth("[", 64, "", "]", 64, true);
    assert_depth("[", 64, "1", "]", 64, true);
    assert_depth("[", 65, "", "]", 64, false);
    assert_depth("{\"a\":", 64, "1", "}", 64, true);
    assert_depth("{\"a\":", 65, "1", "}", 64, false);
    assert_depth("[", 1, "1", "]", 1, true);
    assert_depth("[", 2, "1", "]", 1, false);
    assert_depth("[", 0, "1", "]", 1, true);
    assert_depth("[", JSON_MAX_DEPTH, "1", "]", 1000000, true);
    assert_depth("[", JSON_MAX_DEPTH + 1, "1", "]", 1000000, false);
    assert_depth("[", 1000000, "1", "]", 1000000, false);
}

static void of_syntax_and_depth_the_first_in_the_text_counts(void **state)
{
    struct json_doc doc;
    struct json_fault fault;

    (void)state;
    json_doc_init(&doc);
    assert_int_equal(json_read(&doc, SLICE_LITERAL("[[1,]]"), 1, &fault), -1);
    assert_int_equal(fault.kind, JSON_FAULT_DEPTH);
    assert_int_equal(fault.offset, 1);
    assert_int_equal(json_read(&doc, SLICE_LITERAL("[1,,[[]]]"), 1, &fault), -1);
    assert_int_equal(fault.kind, JSON_FAULT_SYNTAX);
    assert_int_equal(fault.offset, 3);
    assert_int_equal(json_read(&doc, SLICE_LITERAL("[\"\\u0000\",[]]"), 1, &fault), -1);
    assert_int_equal(fault.kind, JSON_FAULT_DEPTH);
    json_doc_release(&doc);
}

static void no_text_is_no_json(void **state)
{
    struct json_doc doc;
    struct json_fault fault;

    (void)state;
    json_doc_init(&doc);
    assert_int_equal(json_read(&doc, (struct slice){ NULL, 0 }, MAX_DEPTH, &fault), -1);
    assert_int_equal(fault.kind, JSON_FAULT_SYNTAX);
    json_doc_release(&doc);
}

/* Every beginning of a document is refused where it ends: nothing is read beyond, and nothing is
   complete too early. */
static void every_beginning_of_a_document_is_refused(void **state)
{
    static const char text[] = "{\"id\":\"İ\\ud83d\\ude00\\n\",\"list\":[-1.5e+3,true,false,null,{"
                               "\"a\":{}}],\"\\u0061\":[]}";
    struct json_doc doc;
    struct json_fault fault;

    (void)state;
    json_doc_init(&doc);
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        assert_int_equal(read_exact(&doc, (struct slice){ text, len }, MAX_DEPTH, &fault), -1);
        assert_in_range(fault.offset, len > 0 ? len - 1 : 0, len);
    }
    assert_int_equal(read_exact(&doc, (struct slice){ text, sizeof(text) - 1 }, MAX_DEPTH, &fault),
                     0);
    json_doc_release(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_json),
        cmocka_unit_test(scalars_that_are_not_json),
        cmocka_unit_test(strings_that_are_not_json),
        cmocka_unit_test(containers_that_are_not_json),
        cmocka_unit_test(a_raw_nul_is_not_json),
        cmocka_unit_test(bytes_that_are_not_utf8_are_found_before_all_else),
        cmocka_unit_test(syntax_comes_before_escapes),
        cmocka_unit_test(nul_escapes),
        cmocka_unit_test(lone_surrogates),
        cmocka_unit_test(depth_counts_objects_and_arrays),
        cmocka_unit_test(of_syntax_and_depth_the_first_in_the_text_counts),
        cmocka_unit_test(no_text_is_no_json),
        cmocka_unit_test(every_beginning_of_a_document_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
