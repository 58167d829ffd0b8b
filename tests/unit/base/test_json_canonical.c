#include "base/json_canonical.h"
#include "base/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct written_case {
    const char *text;
    const char *written;
};

static void assert_canonical(const char *text, const char *expected)
{
    struct json_doc doc;
    struct json_fault fault;
    struct buffer out;

    json_doc_init(&doc);
    buffer_init(&out, 65536);
    assert_int_equal(json_read(&doc, slice_of(text), JSON_MAX_DEPTH, &fault), 0);
    json_write_canonical(&doc, doc.nodes, &out);
    assert_false(buffer_failed(&out));
    assert_string_equal(out.data, expected);
    buffer_release(&out);
    json_doc_release(&doc);
}

/* All expected texts are those of PostgreSQL's jsonb; the end-to-end tests compare many more with a
   running server. */
static void documents_are_written_as_jsonb_prints_them(void **state)
{
    static const struct written_case cases[] = {
        { " null ", "null" },
        { "true", "true" },
        { "false", "false" },
        { "[]", "[]" },
        { "[ ]", "[]" },
        { "{}", "{}" },
        { "{ }", "{}" },
        { "[1,2]", "[1, 2]" },
        { "[[],{}]", "[[], {}]" },
        { "{\"a\":1}", "{\"a\": 1}" },
        { "{\"b\":1,\"a\":2}", "{\"a\": 2, \"b\": 1}" },
        { "{\"bb\":1,\"c\":2,\"a\":3}",
          "{\"a\": 3, \"c\": 2, \"bb\": 1}" }, /* the shorter name first */
        { "{\"ü\":1,\"zz\":2,\"z\":3}", "{\"z\": 3, \"zz\": 2, \"ü\": 1}" }, /* in bytes */
        { "{\"b\":1,\"B\":2,\"_\":3}", "{\"B\": 2, \"_\": 3, \"b\": 1}" },
        { "{\"a\":1,\"\":2}", "{\"\": 2, \"a\": 1}" },
        { "{\"\\u0062\":1,\"a\":2}", "{\"a\": 2, \"b\": 1}" },
        { "{\"a\":1,\"a\":2}", "{\"a\": 2}" },
        { "{\"a\":1,\"\\u0061\":{\"b\":1,\"b\":2}}", "{\"a\": {\"b\": 2}}" },
        { "{\"z\":{\"y\":1,\"x\":[{\"w\":1,\"v\":2}]},\"a\":0}",
          "{\"a\": 0, \"z\": {\"x\": [{\"v\": 2, \"w\": 1}], \"y\": 1}}" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
        { "\"\\u0008\\u000c\\u000a\\u000d\\u0009\\u0022\\u005c\"", "\"\\b\\f\\n\\r\\t\\\"\\\\\"" },
        { "\"\\u0001\\u000B\\u001F\"", "\"\\u0001\\u000b\\u001f\"" },
        { "\"\\u007f\\u0080\"", "\"\x7f\xC2\x80\"" },
        { "\"\\u0130stanbul \\ud83d\\ude00\"", "\"İstanbul 😀\"" },
        { "\"a\\u002fb</script>\"", "\"a/b</script>\"" },
        { "[-0]", "[0]" },
        { "[-0.00]", "[0.00]" },
        { "[1e5]", "[100000]" },
        { "[1.10]", "[1.10]" },
        { "[1.0e1]", "[10]" },
        { "[1e-2]", "[0.01]" },
        { "[1E64]", "[10000000000000000000000000000000000000000000000000000000000000000]" },
        { "[1E65]", "[1E65]" }, /* here we differ: see the header */
        { "[1e-65]", "[1e-65]" },
        { "[0e99999999999]", "[0e99999999999]" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_canonical(cases[i].text, cases[i].written);
}

static void what_is_canonical_stays_as_it_is(void **state)
{
    static const char text[] = "{\"a\": [1, 2.50, -0.001, \"İ\\n\\u0001\"], \"b\": {\"c\": null, "
                               "\"dd\": [{}, []]}, \"ccc\": true}";

    (void)state;
    assert_canonical(text, text);
}

static void a_part_of_a_document_can_be_written(void **state)
{
    struct json_doc doc;
    struct json_fault fault;
    struct buffer out;

    (void)state;
    json_doc_init(&doc);
    buffer_init(&out, 4096);
    assert_int_equal(
        json_read(&doc, SLICE_LITERAL("{\"a\":{\"c\":1e1,\"b\":2},\"d\":3}"), 64, &fault), 0);
    buffer_append_text(&out, "before ");
    json_write_canonical(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL("a")), &out);
    assert_string_equal(out.data, "before {\"b\": 2, \"c\": 10}");
    buffer_release(&out);
    json_doc_release(&doc);
}

static void the_deepest_document_can_be_written(void **state)
{
    char text[JSON_MAX_DEPTH * 6 + 1];
    char expected[JSON_MAX_DEPTH * 7 + 1];
    char *at = text;
    char *place = expected;

    (void)state;
    for (int i = 0; i < JSON_MAX_DEPTH; i++) {
        at = stpcpy(at, i % 2 == 0 ? "[" : "{\"a\":");
        place = stpcpy(place, i % 2 == 0 ? "[" : "{\"a\": ");
    }
    at = stpcpy(at, "1");
    place = stpcpy(place, "1");
    for (int i = JSON_MAX_DEPTH - 1; i >= 0; i--) {
        at = stpcpy(at, i % 2 == 0 ? "]" : "}");
        place = stpcpy(place, i % 2 == 0 ? "]" : "}");
    }
    assert_canonical(text, expected);
}

/* Compares with what is expected, and its length with the length that was foretold. */
static void assert_string(struct slice text, const char *expected)
{
    struct buffer out;

    buffer_init(&out, 4096);
    json_write_string(text, &out);
    assert_string_equal(out.data, expected);
    assert_int_equal(json_string_bytes(text), out.len);
    buffer_release(&out);
}

static void strings_are_escaped_as_jsonb_escapes_them(void **state)
{
    (void)state;
    assert_string(SLICE_LITERAL("plain text of some length, İstanbul"),
                  "\"plain text of some length, İstanbul\"");
    assert_string(SLICE_LITERAL("\"\\/\b\f\n\r\t\x01\x1f\x7f€"),
                  "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f€\"");
    assert_string((struct slice){ NULL, 0 }, "\"\"");
    /* jsonb never holds one; what is written is JSON all the same */
    assert_string(SLICE_LITERAL("a\0b"), "\"a\\u0000b\"");
}

static void a_numbers_text_becomes_numerics(void **state)
{
    static const struct written_case cases[] = {
        { "1e5", "100000" },          { "-0", "0" },          { "1.50", "1.50" },
        { "-1.0E1", "-10" },          { "1e1001", "1e1001" }, { "1e-1001", "1e-1001" },
        { "no number", "no number" },
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&out);
        json_write_numeric(slice_of(cases[i].text), &out);
        assert_string_equal(out.data, cases[i].written);
    }
    buffer_clear(&out);
    json_write_numeric(SLICE_LITERAL("1e1000"), &out);
    assert_int_equal(out.len, 1001);
    buffer_clear(&out);
    json_write_numeric(SLICE_LITERAL("1e-1000"), &out);
    assert_int_equal(out.len, 1002);
    buffer_release(&out);
}

static void too_small_a_buffer_is_marked(void **state)
{
    static const char text[] = "{\"b\":[1,\"\\n\"],\"\\u0061\":1.0e1}";
    static const char written[] = "{\"a\": 10, \"b\": [1, \"\\n\"]}";
    struct json_doc doc;
    struct json_fault fault;

    (void)state;
    json_doc_init(&doc);
    assert_int_equal(json_read(&doc, slice_of(text), 64, &fault), 0);
    for (size_t max_bytes = 0; max_bytes <= strlen(written); max_bytes++) {
        struct buffer out;

        buffer_init(&out, max_bytes);
        json_write_canonical(&doc, doc.nodes, &out);
        assert_int_equal(buffer_failed(&out), max_bytes < strlen(written));
        buffer_release(&out);
    }
    json_doc_release(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_written_as_jsonb_prints_them),
        cmocka_unit_test(what_is_canonical_stays_as_it_is),
        cmocka_unit_test(a_part_of_a_document_can_be_written),
        cmocka_unit_test(the_deepest_document_can_be_written),
        cmocka_unit_test(strings_are_escaped_as_jsonb_escapes_them),
        cmocka_unit_test(a_numbers_text_becomes_numerics),
        cmocka_unit_test(too_small_a_buffer_is_marked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
