#include "amqp/properties.h"

#include "base/json_canonical.h"
#include "base/json_read.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buffer out;

static int set_up(void **state)
{
    (void)state;
    buffer_init(&out, AMQP_PROPERTIES_MAX_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&out);
    return 0;
}

static amqp_bytes_t bytes_of(struct slice text)
{
    return (amqp_bytes_t){ text.len, (void *)(uintptr_t)text.data };
}

#define BYTES(literal) bytes_of(SLICE_LITERAL(literal))

/* Checks that the text is JSON that PostgreSQL accepts. */
static void assert_storable(void)
{
    struct json_doc doc;
    struct json_fault fault;

    assert_false(buffer_failed(&out));
    json_doc_init(&doc);
    assert_int_equal(json_read(&doc, buffer_slice(&out), 1000, &fault), 0);
    json_doc_release(&doc);
}

static void assert_written(const amqp_basic_properties_t *properties, const char *expected)
{
    buffer_clear(&out);
    amqp_properties_write(properties, SLICE_LITERAL("e"), SLICE_LITERAL("k"), &out);
    assert_string_equal(out.data, expected);
    assert_storable();
}

static void assert_header(amqp_field_value_t value, const char *expected)
{
    amqp_table_entry_t entry = { .key = BYTES("h"), .value = value };
    amqp_basic_properties_t properties = { ._flags = AMQP_BASIC_HEADERS_FLAG,
                                           .headers = { 1, &entry } };
    char text[512];

    snprintf(text, sizeof(text),
             "{\"exchange\":\"e\",\"routing_key\":\"k\",\"headers\":{\"h\":%s}}", expected);
    assert_written(&properties, text);
}

static void test_no_properties(void **state)
{
    const amqp_basic_properties_t none = { 0 };

    (void)state;
    assert_written(&none, "{\"exchange\":\"e\",\"routing_key\":\"k\"}");
}

static void test_exchange_and_key_are_escaped(void **state)
{
    const amqp_basic_properties_t none = { 0 };

    (void)state;
    buffer_clear(&out);
    amqp_properties_write(&none, SLICE_LITERAL(""), SLICE_LITERAL("a\"\\\n\xff"), &out);
    assert_string_equal(out.data, "{\"exchange\":\"\",\"routing_key\":\"base64:YSJcCv8=\"}");
    buffer_clear(&out);
    amqp_properties_write(&none, SLICE_LITERAL(""), SLICE_LITERAL("\u015f\"\\\n"), &out);
    assert_string_equal(out.data, "{\"exchange\":\"\",\"routing_key\":\"\u015f\\\"\\\\\\n\"}");
}

static void test_every_property(void **state)
{
    const amqp_basic_properties_t all = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                  AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                  AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                  AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_EXPIRATION_FLAG |
                  AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG |
                  AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_CLUSTER_ID_FLAG,
        .content_type = BYTES("application/json"),
        .content_encoding = BYTES("gzip"),
        .delivery_mode = 2,
        .priority = 9,
        .correlation_id = BYTES("c"),
        .reply_to = BYTES("r"),
        .expiration = BYTES("60000"),
        .message_id = BYTES("m"),
        .timestamp = UINT64_MAX,
        .type = BYTES("t"),
        .user_id = BYTES("u"),
        .app_id = BYTES("a"),
        .cluster_id = BYTES(""),
    };

    (void)state;
    assert_written(&all,
                   "{\"exchange\":\"e\",\"routing_key\":\"k\",\"delivery_mode\":2,\"priority\":9,"
                   "\"timestamp\":18446744073709551615,\"content_encoding\":\"gzip\",\"correlation_"
                   "id\":\"c\",\"reply_to\":\"r\","
                   "\"expiration\":\"60000\",\"type\":\"t\",\"user_id\":\"u\",\"app_id\":\"a\","
                   "\"cluster_id\":\"\",\"headers\":{}}");
}

static void test_integers(void **state)
{
    (void)state;
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1 },
                  "true");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 0 },
                  "false");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_I8, .value.i8 = INT8_MIN }, "-128");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_U8, .value.u8 = UINT8_MAX }, "255");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_I16, .value.i16 = INT16_MIN },
                  "-32768");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_U16, .value.u16 = UINT16_MAX },
                  "65535");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_I32, .value.i32 = INT32_MIN },
                  "-2147483648");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_U32, .value.u32 = UINT32_MAX },
                  "4294967295");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_I64, .value.i64 = INT64_MIN },
                  "-9223372036854775808");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_U64, .value.u64 = UINT64_MAX },
                  "18446744073709551615");
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_TIMESTAMP, .value.u64 = 1628812800 },
        "1628812800");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_VOID }, "null");
}

static void test_fractions(void **state)
{
    (void)state;
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F32, .value.f32 = 0.1f }, "0.1");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F32, .value.f32 = 16777217.0f },
                  "16777216");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F64, .value.f64 = 0.1 }, "0.1");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F64, .value.f64 = 1.0 / 3 },
                  "0.3333333333333333");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F64, .value.f64 = 5e-324 },
                  "4.9406564584125e-324");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F64, .value.f64 = -1e300 },
                  "-1e+300");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F64, .value.f64 = NAN }, "\"NaN\"");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F64, .value.f64 = INFINITY },
                  "\"Infinity\"");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_F32, .value.f32 = -INFINITY },
                  "\"-Infinity\"");
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_DECIMAL, .value.decimal = { 2, 12345 } },
        "12345e-2");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_DECIMAL,
                                        .value.decimal = { 255, UINT32_MAX } },
                  "4294967295e-255");
}

static void test_strings(void **state)
{
    (void)state;
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = BYTES("\u0130stanbul") },
        "\"\u0130stanbul\"");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = BYTES("") },
                  "\"\"");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = { 0, NULL } },
                  "\"\"");
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = BYTES("a\0b") },
        "\"base64:YQBi\"");
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = BYTES("\xc4") },
        "\"base64:xA==\"");
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = BYTES("\xed\xa0\x80") },
        "\"base64:7aCA\"");
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_BYTES, .value.bytes = BYTES("abcd") },
        "\"base64:YWJjZA==\"");
    assert_header((amqp_field_value_t){ .kind = AMQP_FIELD_KIND_BYTES, .value.bytes = BYTES("") },
                  "\"base64:\"");
}

static void test_nested(void **state)
{
    amqp_field_value_t elements[] = {
        { .kind = AMQP_FIELD_KIND_I32, .value.i32 = 1 },
        { .kind = AMQP_FIELD_KIND_ARRAY, .value.array = { 0, NULL } },
        { .kind = AMQP_FIELD_KIND_TABLE, .value.table = { 0, NULL } },
    };
    amqp_table_entry_t entries[] = {
        { .key = BYTES("a\"b"),
          .value = { .kind = AMQP_FIELD_KIND_ARRAY, .value.array = { 3, elements } } },
        { .key = BYTES("\xff"), .value = { .kind = AMQP_FIELD_KIND_VOID } },
        { .key = BYTES(""), .value = { .kind = AMQP_FIELD_KIND_VOID } },
    };

    (void)state;
    assert_header(
        (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_TABLE, .value.table = { 3, entries } },
        "{\"a\\\"b\":[1,[],{}],\"base64:/w==\":null,\"\":null}");
}

static void test_depth_is_bounded(void **state)
{
    enum { LEVELS = 10000 };
    amqp_field_value_t *levels = calloc(LEVELS + 1, sizeof(*levels));
    amqp_table_entry_t entry = { .key = BYTES("h") };
    amqp_basic_properties_t properties = { ._flags = AMQP_BASIC_HEADERS_FLAG,
                                           .headers = { 1, &entry } };
    const char *note;

    (void)state;
    assert_non_null(levels);
    for (int i = 0; i < LEVELS; i++)
        levels[i] = (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_ARRAY,
                                          .value.array = { 1, &levels[i + 1] } };
    levels[LEVELS] = (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_VOID };
    entry.value = levels[0];
    buffer_clear(&out);
    amqp_properties_write(&properties, SLICE_LITERAL(""), SLICE_LITERAL(""), &out);
    assert_storable();
    note = strstr(out.data, "\"nested too deeply\"");
    assert_non_null(note);
    assert_int_equal(strspn(strchr(out.data, '['), "["), AMQP_PROPERTIES_MAX_DEPTH - 1);

    entry.value =
        levels[LEVELS - (AMQP_PROPERTIES_MAX_DEPTH - 1)]; /* the deepest that is written */
    buffer_clear(&out);
    amqp_properties_write(&properties, SLICE_LITERAL(""), SLICE_LITERAL(""), &out);
    assert_storable();
    assert_null(strstr(out.data, "too deeply"));
    free(levels);
}

/* The largest text that a content header can become stays below the limit in properties.h. */
static void test_worst_expansion(void **state)
{
    static char worst_bytes[] = "\xff";
    enum { FRAME_BYTES = 131072, ENTRY_BYTES = 3 };
    int count = FRAME_BYTES / ENTRY_BYTES;
    amqp_table_entry_t *entries = calloc((size_t)count, sizeof(*entries));
    amqp_basic_properties_t properties = { ._flags = AMQP_BASIC_HEADERS_FLAG,
                                           .headers = { count, entries } };

    (void)state;
    assert_non_null(entries);
    for (int i = 0; i < count; i++) {
        entries[i].key = (amqp_bytes_t){ 1, worst_bytes };
        entries[i].value.kind = AMQP_FIELD_KIND_VOID;
    }
    buffer_clear(&out);
    amqp_properties_write(&properties, SLICE_LITERAL(""), SLICE_LITERAL(""), &out);
    assert_false(buffer_failed(&out));
    assert_true(out.len / FRAME_BYTES >= 6);
    free(entries);
}

static void test_text(void **state)
{
    static const struct {
        struct slice bytes;
        const char *text;
    } cases[] = {
        { SLICE_LITERAL("application/json"), "application/json" },
        { SLICE_LITERAL("\u015f\"\\"), "\u015f\"\\" },
        { SLICE_LITERAL(""), "" },
        { SLICE_LITERAL("\0"), "base64:AA==" },
        { SLICE_LITERAL("\xfe\xff"), "base64:/v8=" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&out);
        amqp_text_write(cases[i].bytes, &out);
        assert_int_equal(out.len, strlen(cases[i].text));
        assert_memory_equal(out.data != NULL ? out.data : "", cases[i].text, out.len);
    }
}

static void test_full_buffer_fails(void **state)
{
    struct buffer small;
    const amqp_basic_properties_t none = { 0 };

    (void)state;
    buffer_init(&small, 10);
    amqp_properties_write(&none, SLICE_LITERAL("exchange"), SLICE_LITERAL("\xff"), &small);
    assert_true(buffer_failed(&small));
    buffer_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_properties),
        cmocka_unit_test(test_exchange_and_key_are_escaped),
        cmocka_unit_test(test_every_property),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_worst_expansion),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_full_buffer_fails),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
