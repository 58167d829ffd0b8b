#include "base/arena.h"
#include "base/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_DEPTH = 64, COUNT_MANY = 100000 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void read_valid(struct json_doc *doc, const char *text)
{
    struct json_fault fault;

    assert_int_equal(json_read(doc, slice_of(text), MAX_DEPTH, &fault), 0);
}

static void assert_slice(struct slice actual, const char *expected)
{
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.len);
}

static void values_know_their_type_and_their_text(void **state)
{
    static const char *const texts[] = { "null",     "false",      "true",          "-1.50e+3",
                                         "\"x\\n\"", "[ 1, [2] ]", "{ \"a\" : {} }" };
    struct json_doc doc;
    const struct json_node *element;
    size_t i = 0;

    (void)state;
    json_doc_init(&doc);
    read_valid(&doc, " [null,false , true,-1.50e+3,\"x\\n\",[ 1, [2] ] ,{ \"a\" : {} }] ");
    assert_int_equal(doc.nodes[0].type, JSON_ARRAY);
    assert_int_equal(doc.nodes[0].end, doc.count);
    for (element = json_first(&doc, doc.nodes); element != NULL;
         element = json_next(&doc, doc.nodes, element)) {
        assert_int_equal(element->type, (enum json_type)i);
        assert_slice(json_text(&doc, element), texts[i]);
        i++;
    }
    assert_int_equal(i, COUNT_OF(texts));
    json_doc_release(&doc);
}

static void containers_know_what_is_in_them(void **state)
{
    struct json_doc doc;
    const struct json_node *outer;
    const struct json_node *inner;

    (void)state;
    json_doc_init(&doc);
    read_valid(&doc, "[[],[[1],2],3]");
    outer = json_first(&doc, doc.nodes);
    assert_null(json_first(&doc, outer));
    outer = json_next(&doc, doc.nodes, outer);
    inner = json_first(&doc, outer);
    assert_slice(json_text(&doc, json_first(&doc, inner)), "1");
    inner = json_next(&doc, outer, inner);
    assert_slice(json_text(&doc, inner), "2");
    assert_null(json_next(&doc, outer, inner));
    outer = json_next(&doc, doc.nodes, outer);
    assert_slice(json_text(&doc, outer), "3");
    assert_null(json_next(&doc, doc.nodes, outer));
    json_doc_release(&doc);
}

static void strings_are_decoded(void **state)
{
    static const struct {
        const char *text;
        const char *decoded;
    } cases[] = {
        { "\"\"", "" },
        { "\"plain\"", "plain" },
        { "\"İSTANBUL(Avrupa)\"", "İSTANBUL(Avrupa)" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"a\\u0062c\"", "abc" },
        { "\"\\u0130\\u00fc\"", "İü" },
        { "\"\\u20AC\\u20ac\"", "€€" },
        { "\"\\ud83d\\ude00!\"", "😀!" },
        { "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF" },
        { "\"\\u0001\\u001f\\u007f\"", "\x01\x1f\x7f" },
        { "\"\\\\u0041\"", "\\u0041" },
    };
    struct json_doc doc;
    struct arena arena;

    (void)state;
    json_doc_init(&doc);
    arena_init(&arena, 65536);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char object[128];

        read_valid(&doc, cases[i].text);
        assert_slice(json_string(&doc, doc.nodes, &arena), cases[i].decoded);
        snprintf(object, sizeof(object), "{%s:1}", cases[i].text);
        read_valid(&doc, object);
        assert_slice(json_name(&doc, &doc.nodes[1], &arena), cases[i].decoded);
        assert_ptr_equal(json_member(&doc, doc.nodes, slice_of(cases[i].decoded)), &doc.nodes[1]);
    }
    arena_release(&arena);
    json_doc_release(&doc);
}

static void only_escaped_strings_take_memory(void **state)
{
    struct json_doc doc;
    struct arena none;

    (void)state;
    json_doc_init(&doc);
    arena_init(&none, 0);
    read_valid(&doc, "{\"plain\":\"text\",\"\\u0061\":\"\\n\"}");
    assert_slice(json_name(&doc, &doc.nodes[1], &none), "plain");
    assert_slice(json_string(&doc, &doc.nodes[1], &none), "text");
    assert_null(json_name(&doc, &doc.nodes[2], &none).data);
    assert_null(json_string(&doc, &doc.nodes[2], &none).data);
    arena_release(&none);
    json_doc_release(&doc);
}

static void members_are_found_by_their_decoded_name(void **state)
{
    struct json_doc doc;

    (void)state;
    json_doc_init(&doc);
    read_valid(&doc, "{\"id\":1,\"\":2,\"\\u0069d2\":3,\"a\\\"b\":{\"deep\":4},\"id\\\\\":5}");
    assert_slice(json_text(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL("id"))), "1");
    assert_slice(json_text(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL(""))), "2");
    assert_slice(json_text(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL("id2"))), "3");
    assert_slice(json_text(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL("a\"b"))),
                 "{\"deep\":4}");
    assert_slice(json_text(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL("id\\"))), "5");
    assert_null(json_member(&doc, doc.nodes, SLICE_LITERAL("deep")));
    assert_null(json_member(&doc, doc.nodes, SLICE_LITERAL("i")));
    assert_null(json_member(&doc, doc.nodes, SLICE_LITERAL("ID")));
    assert_null(json_member(&doc, doc.nodes, SLICE_LITERAL("\\u0069d2")));
    read_valid(&doc, "[\"id\",1]");
    assert_null(json_member(&doc, doc.nodes, SLICE_LITERAL("id")));
    json_doc_release(&doc);
}

static void assert_members(struct json_doc *doc, const char *text, const char *expected)
{
    const struct json_node *member;
    char found[256] = "";
    char *at = found;

    read_valid(doc, text);
    for (member = json_first(doc, doc->nodes); member != NULL;
         member = json_next(doc, doc->nodes, member))
        at += snprintf(at, sizeof(found) - (size_t)(at - found), "%.*s ",
                       SLICE_ARG(json_text(doc, member)));
    assert_string_equal(found, expected);
}

static void of_equal_names_the_last_wins(void **state)
{
    struct json_doc doc;

    (void)state;
    json_doc_init(&doc);
    assert_members(&doc, "{\"a\":1,\"a\":2}", "2 ");
    assert_members(&doc, "{\"a\":1,\"b\":2,\"a\":3}", "2 3 ");
    assert_members(&doc, "{\"a\":1,\"a\":2,\"a\":3,\"a\":4}", "4 ");
    assert_members(&doc, "{\"a\":1,\"\\u0061\":2}", "2 ");
    assert_members(&doc, "{\"\\u0061\":1,\"a\":2}", "2 ");
    assert_members(&doc, "{\"\\u0061\":1,\"\\u0061\":2}", "2 ");
    assert_members(&doc, "{\"\\ud83d\\ude00\":1,\"😀\":2}", "2 ");
    assert_members(&doc, "{\"\\/\":1,\"/\":2,\"\\u002f\":3}", "3 ");
    assert_members(&doc, "{\"\":1,\"\":2}", "2 ");
    assert_members(&doc, "{\"a\":{\"x\":1},\"a\":{\"y\":2}}", "{\"y\":2} ");
    assert_members(&doc, "{\"a\":1,\"A\":2,\"a \":3,\"aa\":4}", "1 2 3 4 ");
    assert_members(&doc, "{\"\\u0061b\":1,\"a\\u0063\":2,\"\\\\u0061b\":3}", "1 2 3 ");
    assert_members(&doc, "{\"a\":{\"a\":1}}", "{\"a\":1} ");
    assert_slice(json_text(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL("a"))), "{\"a\":1}");
    assert_members(&doc, "{\"a\":1,\"a\":2}", "2 ");
    assert_slice(json_text(&doc, json_member(&doc, doc.nodes, SLICE_LITERAL("a"))), "2");
    json_doc_release(&doc);
}

/* An object of `count` members of which each `period`th repeats a name; its last `period` members
   win. */
static char *object_with_duplicates(size_t count, size_t period)
{
    char *text = malloc(count * 32 + 3);
    char *at = text;

    assert_non_null(text);
    *at++ = '{';
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s\"%s%zu\":%zu", i == 0 ? "" : ",", i % 3 == 0 ? "\\u006e" : "n",
                      i % period, i);
    sprintf(at, "}");
    return text;
}

/* Small objects and large ones find duplicates in different ways. That the large way is not
   quadratic shows in the time the whole test would take: five thousand million comparisons. */
static void objects_of_any_size_keep_the_last_of_equal_names(void **state)
{
    static const size_t counts[] = { 1, 2, 3, 15, 16, 17, 18, 33, 100, 1000, COUNT_MANY };
    struct json_doc doc;

    (void)state;
    json_doc_init(&doc);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        for (size_t period = 1; period <= counts[i]; period = period * 2 + 1) {
            char *text = object_with_duplicates(counts[i], period);
            const struct json_node *member;
            size_t expected = counts[i] - period;

            read_valid(&doc, text);
            for (member = json_first(&doc, doc.nodes); member != NULL;
                 member = json_next(&doc, doc.nodes, member))
                assert_int_equal(strtoul(json_text(&doc, member).data, NULL, 10), expected++);
            assert_int_equal(expected, counts[i]);
            free(text);
        }
    }
    json_doc_release(&doc);
}

static void a_document_can_be_read_after_a_refused_or_a_huge_one(void **state)
{
    char *huge = object_with_duplicates(COUNT_MANY, COUNT_MANY);
    struct json_doc doc;
    struct json_fault fault;
    uint32_t huge_capacity;

    (void)state;
    json_doc_init(&doc);
    assert_int_equal(json_read(&doc, SLICE_LITERAL("[1,2,"), MAX_DEPTH, &fault), -1);
    read_valid(&doc, "[3]");
    assert_slice(json_text(&doc, json_first(&doc, doc.nodes)), "3");
    read_valid(&doc, huge);
    assert_int_equal(doc.count, COUNT_MANY + 1);
    huge_capacity = doc.capacity;
    read_valid(&doc, "[4]");
    assert_true(doc.capacity < huge_capacity);
    assert_slice(json_text(&doc, json_first(&doc, doc.nodes)), "4");
    json_doc_release(&doc);
    free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_know_their_type_and_their_text),
        cmocka_unit_test(containers_know_what_is_in_them),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(only_escaped_strings_take_memory),
        cmocka_unit_test(members_are_found_by_their_decoded_name),
        cmocka_unit_test(of_equal_names_the_last_wins),
        cmocka_unit_test(objects_of_any_size_keep_the_last_of_equal_names),
        cmocka_unit_test(a_document_can_be_read_after_a_refused_or_a_huge_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
