#include "base/json_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_printed(struct json_out *out, enum json_out_style style, const char *expected)
{
    struct buffer text;

    buffer_init(&text, 4096);
    assert_int_equal(json_out_print(out, style, &text), 0);
    assert_string_equal(text.data, expected);
    buffer_release(&text);
    json_out_free(out);
}

static void assert_fails(struct json_out *out)
{
    struct buffer text;

    buffer_init(&text, 4096);
    assert_int_equal(json_out_print(out, JSON_OUT_PLAIN, &text), -1);
    assert_int_equal(text.len, 0);
    buffer_release(&text);
    json_out_free(out);
}

static struct json_out *document(void)
{
    struct json_out *out = json_out_new();

    json_out_object(out, NULL);
    json_out_text(out, "text", "a");
    json_out_text(out, "no_text", NULL);
    json_out_array(out, "array");
    json_out_integer(out, NULL, INT64_MIN);
    json_out_bool(out, NULL, true);
    json_out_object(out, NULL);
    json_out_end(out);
    json_out_end(out);
    json_out_null(out, "null");
    json_out_end(out);
    return out;
}

static void prints_all_types(void **state)
{
    (void)state;
    assert_printed(
        document(), JSON_OUT_PLAIN,
        "{\"text\":\"a\",\"no_text\":null,\"array\":[-9223372036854775808,true,{}],\"null\":null}");
}

static void pretty_differs_only_in_space(void **state)
{
    struct json_out *out = document();
    struct buffer text;
    char packed[256];
    size_t len = 0;

    (void)state;
    buffer_init(&text, 4096);
    assert_int_equal(json_out_print(out, JSON_OUT_PRETTY, &text), 0);
    assert_non_null(strchr(text.data, '\n'));
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != ' ' && text.data[i] != '\n')
            packed[len++] = text.data[i];
    packed[len] = '\0';
    buffer_release(&text);
    assert_printed(out, JSON_OUT_PLAIN, packed);
}

static void pretty_has_one_layout(void **state)
{
    struct json_out *out = json_out_new();
    struct buffer text;

    (void)state;
    json_out_object(out, NULL);
    json_out_text(out, "text", "a");
    json_out_array(out, "none");
    json_out_end(out);
    json_out_array(out, "some");
    json_out_object(out, NULL);
    json_out_end(out);
    json_out_null(out, NULL);
    json_out_raw(out, NULL, SLICE_LITERAL("{\"b\": [1]}"));
    json_out_end(out);
    json_out_end(out);
    buffer_init(&text, 4096);
    assert_int_equal(json_out_print(out, JSON_OUT_PRETTY, &text), 0);
    assert_string_equal(text.data, "{\n"
                                   "  \"text\": \"a\",\n"
                                   "  \"none\": [],\n"
                                   "  \"some\": [\n"
                                   "    {},\n"
                                   "    null,\n"
                                   "    {\"b\": [1]}\n"
                                   "  ]\n"
                                   "}");
    buffer_release(&text);
    json_out_free(out);
}

static void raw_text_survives(void **state)
{
    struct json_out *out = json_out_new();

    (void)state;
    json_out_array(out, NULL);
    json_out_raw(out, NULL, SLICE_LITERAL("123456789012345678901234567890"));
    json_out_raw(out, NULL, SLICE_LITERAL("{\"a\": 1.10}"));
    json_out_raw(out, NULL, (struct slice){ "-0.0garbage", 4 });
    json_out_end(out);
    assert_printed(out, JSON_OUT_PLAIN, "[123456789012345678901234567890,{\"a\": 1.10},-0.0]");
}

static void strings_are_escaped_no_more_than_needed(void **state)
{
    struct json_out *out = json_out_new();

    (void)state;
    json_out_object(out, NULL);
    json_out_string(out, "a/\"b\"", SLICE_LITERAL("İŞĞ / \"\\\n\x01\0x"));
    json_out_string(out, "empty", (struct slice){ NULL, 0 });
    json_out_end(out);
    assert_printed(out, JSON_OUT_PLAIN,
                   "{\"a/\\\"b\\\"\":\"İŞĞ / \\\"\\\\\\n\\u0001\\u0000x\",\"empty\":\"\"}");
}

static void only_control_characters_are_escaped(void **state)
{
    struct json_out *out = json_out_new();

    (void)state;
    json_out_array(out, NULL);
    json_out_text(out, NULL, "\b\f\n\r\t\x01\x1f\x7f");
    json_out_text(out, NULL, "\xe2\x80\xa8\xc2\x80"); /* U+2028, U+0080 */
    json_out_end(out);
    assert_printed(out, JSON_OUT_PLAIN,
                   "[\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\",\"\xe2\x80\xa8\xc2\x80\"]");
}

static void what_is_no_utf8_is_replaced(void **state)
{
    struct json_out *out = json_out_new();

    (void)state;
    json_out_array(out, NULL);
    json_out_text(out, NULL,
                  "a\xff"
                  "b\xc4\xb0\xc4");
    json_out_text(out, NULL, "\xc4");
    json_out_end(out);
    assert_printed(out, JSON_OUT_PLAIN,
                   "[\"a\xef\xbf\xbd"
                   "b\xc4\xb0\xef\xbf\xbd\",\"\xef\xbf\xbd\"]");
}

static void a_scalar_is_a_document(void **state)
{
    struct json_out *out = json_out_new();

    (void)state;
    json_out_integer(out, NULL, 7);
    assert_printed(out, JSON_OUT_PLAIN, "7");
}

static void misuse_fails_at_the_end(void **state)
{
    struct json_out *out;

    (void)state;
    assert_fails(json_out_new()); /* nothing in it */

    out = json_out_new();
    json_out_object(out, NULL); /* not ended */
    assert_fails(out);

    out = json_out_new();
    json_out_array(out, NULL);
    json_out_end(out);
    json_out_end(out); /* ended twice */
    assert_fails(out);

    out = json_out_new();
    json_out_integer(out, NULL, 1);
    json_out_integer(out, NULL, 2); /* two documents */
    assert_fails(out);

    out = json_out_new();
    json_out_object(out, NULL);
    json_out_integer(out, NULL, 1); /* a member without a name */
    json_out_end(out);
    assert_fails(out);

    out = json_out_new();
    json_out_array(out, NULL);
    json_out_integer(out, "name", 1); /* an element with a name */
    json_out_end(out);
    assert_fails(out);

    out = json_out_new();
    json_out_raw(out, NULL, (struct slice){ NULL, 0 }); /* no JSON text */
    assert_fails(out);
}

static void nesting_is_bounded(void **state)
{
    struct json_out *out = json_out_new();

    (void)state;
    for (int i = 0; i < 33; i++)
        json_out_array(out, NULL);
    for (int i = 0; i < 33; i++)
        json_out_end(out);
    assert_fails(out);
}

static void no_memory_is_harmless(void **state)
{
    (void)state;
    json_out_object(NULL, NULL);
    json_out_array(NULL, "a");
    json_out_text(NULL, "a", "b");
    json_out_integer(NULL, "a", 1);
    json_out_bool(NULL, "a", true);
    json_out_null(NULL, "a");
    json_out_end(NULL);
    assert_fails(NULL);
}

static void a_document_that_does_not_fit_fails(void **state)
{
    struct json_out *out = document();
    struct buffer text;

    (void)state;
    buffer_init(&text, 10);
    assert_int_equal(json_out_print(out, JSON_OUT_PLAIN, &text), -1);
    buffer_release(&text);
    json_out_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_all_types),
        cmocka_unit_test(pretty_differs_only_in_space),
        cmocka_unit_test(pretty_has_one_layout),
        cmocka_unit_test(raw_text_survives),
        cmocka_unit_test(strings_are_escaped_no_more_than_needed),
        cmocka_unit_test(only_control_characters_are_escaped),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(a_scalar_is_a_document),
        cmocka_unit_test(misuse_fails_at_the_end),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(no_memory_is_harmless),
        cmocka_unit_test(a_document_that_does_not_fit_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
