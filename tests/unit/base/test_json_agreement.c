/* The reader against json-c: generated documents, whole and damaged. What the reader accepts,
   json-c accepts too, and both see the same members, types and strings. (json-c accepts more; that
   is why the reader exists.) */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#define json_type json_c_type /* json-c has an enum of that name, too */
#include "json_c.h"
#undef json_type

enum { DOCUMENTS = 20000, MAX_DEPTH = 64, MAX_BYTES = 1 << 20 };

static uint64_t random_state = 0x123462;

/* Below `limit`; the same sequence in each run. */
static unsigned random_below(unsigned limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % limit;
}

static void generate_string(struct buffer *out)
{
    static const char *const parts[] = {
        "a",
        "b",
        "name",
        "İ",
        "ş",
        "€",
        "😀",
        " ",
        "\x7f",
        "plain and long ",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b",
        "\\f",
        "\\n",
        "\\r",
        "\\t",
        "\\u0061",
        "\\u0130",
        "'",
        "/",
        "{",
        "]",
        "\\u0001",
        "\\uFFFD",
        "\\u20ac",
        "\\u001F",
        "\\ud83d\\ude00",
        "\\uDBFF\\uDFFF",
    };
    unsigned count = random_below(5);

    buffer_append_byte(out, '"');
    for (unsigned i = 0; i < count; i++)
        buffer_append_text(out, parts[random_below(sizeof(parts) / sizeof(parts[0]))]);
    buffer_append_byte(out, '"');
}

static void generate_scalar(struct buffer *out)
{
    static const char *const scalars[] = {
        "null", "true", "false", "0",    "-0",
        "1.50", "-7",   "1e5",   "2E-3", "123456789012345678901234567890"
    };

    if (random_below(2) == 0)
        generate_string(out);
    else
        buffer_append_text(out, scalars[random_below(sizeof(scalars) / sizeof(scalars[0]))]);
}

static void generate_space(struct buffer *out)
{
    static const char *const spaces[] = { "", "", "", " ", "\n", "\t\r\n " };

    buffer_append_text(out, spaces[random_below(sizeof(spaces) / sizeof(spaces[0]))]);
}

static void generate_value(struct buffer *out, unsigned depth)
{
    bool is_object = random_below(2) == 0;
    unsigned count = random_below(depth == 0 ? 25 : 5);

    generate_space(out);
    if (depth > 3 || (depth > 0 && random_below(3) == 0)) {
        generate_scalar(out);
        return;
    }
    buffer_append_byte(out, is_object ? '{' : '[');
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        if (is_object) {
            generate_space(out);
            generate_string(out);
            generate_space(out);
            buffer_append_byte(out, ':');
        }
        generate_value(out, depth + 1);
    }
    generate_space(out);
    buffer_append_byte(out, is_object ? '}' : ']');
}

/* Changes, removes or adds a byte that matters to the syntax. */
static void damage(struct buffer *out)
{
    static const char bytes[] = "{}[],:\"\\ue0-+.1tn \x01\xC3";
    size_t at = random_below((unsigned)out->len);

    if (random_below(2) == 0)
        out->data[at] = bytes[random_below(sizeof(bytes) - 1)];
    else {
        memmove(out->data + at, out->data + at + 1, out->len - at);
        out->len--;
    }
}

static void compare(const struct json_doc *doc, const struct json_node *node, json_object *other,
                    struct arena *arena);

static void compare_object(const struct json_doc *doc, const struct json_node *object,
                           json_object *other, struct arena *arena)
{
    const struct json_node *member;
    int count = 0;

    assert_int_equal(json_object_get_type(other), json_type_object);
    for (member = json_first(doc, object); member != NULL;
         member = json_next(doc, object, member)) {
        struct slice name = json_name(doc, member, arena);
        char *text = arena_copy(arena, name.data, name.len);
        json_object *value;

        assert_non_null(text);
        assert_true(json_object_object_get_ex(other, text, &value));
        assert_ptr_equal(json_member(doc, object, name), member);
        compare(doc, member, value, arena);
        count++;
    }
    assert_int_equal(json_object_object_length(other), count);
}

static void compare_array(const struct json_doc *doc, const struct json_node *array,
                          json_object *other, struct arena *arena)
{
    const struct json_node *element;
    size_t count = 0;

    assert_int_equal(json_object_get_type(other), json_type_array);
    for (element = json_first(doc, array); element != NULL;
         element = json_next(doc, array, element))
        compare(doc, element, json_object_array_get_idx(other, count++), arena);
    assert_int_equal(json_object_array_length(other), count);
}

static void compare_string(struct slice text, json_object *other)
{
    assert_int_equal(json_object_get_type(other), json_type_string);
    assert_int_equal(json_object_get_string_len(other), text.len);
    assert_memory_equal(json_object_get_string(other), text.data, text.len);
}

static void compare(const struct json_doc *doc, const struct json_node *node, json_object *other,
                    struct arena *arena)
{
    switch ((enum json_type)node->type) {
    case JSON_NULL:
        assert_null(other);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        assert_int_equal(json_object_get_type(other), json_type_boolean);
        assert_int_equal(json_object_get_boolean(other), node->type == JSON_TRUE);
        break;
    case JSON_NUMBER:
        assert_true(json_object_is_type(other, json_type_int) ||
                    json_object_is_type(other, json_type_double));
        break;
    case JSON_STRING:
        compare_string(json_string(doc, node, arena), other);
        break;
    case JSON_ARRAY:
        compare_array(doc, node, other, arena);
        break;
    case JSON_OBJECT:
        compare_object(doc, node, other, arena);
        break;
    }
}

/* Returns the number of documents that the reader accepted. */
static size_t compare_documents(bool damaged)
{
    struct json_doc doc;
    struct arena arena;
    struct buffer text;
    size_t accepted = 0;

    json_doc_init(&doc);
    arena_init(&arena, MAX_BYTES);
    buffer_init(&text, MAX_BYTES);
    for (int i = 0; i < DOCUMENTS; i++) {
        struct json_fault fault;

        buffer_clear(&text);
        arena_clear(&arena);
        generate_value(&text, 0);
        if (damaged)
            damage(&text);
        if (json_read(&doc, buffer_slice(&text), MAX_DEPTH, &fault) == 0) {
            json_object *other = json_c_read(text.data, text.len, MAX_DEPTH + 1);

            compare(&doc, doc.nodes, other, &arena);
            json_object_put(other);
            accepted++;
        }
    }
    buffer_release(&text);
    arena_release(&arena);
    json_doc_release(&doc);
    return accepted;
}

static void generated_documents_are_read_alike(void **state)
{
    (void)state;
    assert_int_equal(compare_documents(false), DOCUMENTS);
}

static void damaged_documents_that_are_accepted_are_read_alike(void **state)
{
    (void)state;
    assert_in_range(compare_documents(true), DOCUMENTS / 10, DOCUMENTS - DOCUMENTS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_documents_are_read_alike),
        cmocka_unit_test(damaged_documents_that_are_accepted_are_read_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
