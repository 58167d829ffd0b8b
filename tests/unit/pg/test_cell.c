#include "pg/cell.h"

#include "pg/binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(Oid type, const struct value *value, const char *bytes, size_t len)
{
    struct buffer out;

    buffer_init(&out, 4096);
    pg_cell_value(&out, type, value);
    assert_false(buffer_failed(&out));
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
    buffer_release(&out);
}

static void a_null_has_no_bytes(void **state)
{
    (void)state;
    expect(NUMERIC_OID, &(struct value){ .present = false }, "\xff\xff\xff\xff", 4);
}

static void jsonb_carries_its_version(void **state)
{
    const struct value value = value_of_text(SLICE_LITERAL("{}"));

    (void)state;
    expect(JSONB_OID, &value, "\0\0\0\3\1{}", 7);
}

/* Length, number of digits, weight, sign, scale, then digits of base 10,000 as numeric_send has
   them, before it strips zeros. */
static void numerics_are_digits_of_base_ten_thousand(void **state)
{
    static const struct {
        struct slice text;
        const char *bytes;
        size_t len;
    } cases[] = {
        { SLICE_LITERAL("0"), "\0\0\0\x0a\0\1\0\0\0\0\0\0\0\0", 14 },
        { SLICE_LITERAL("-7"), "\0\0\0\x0a\0\1\0\0\x40\0\0\0\0\7", 14 },
        { SLICE_LITERAL("0.0"), "\0\0\0\x0c\0\2\0\0\0\0\0\1\0\0\0\0", 16 },
        { SLICE_LITERAL("12345.678"), "\0\0\0\x0e\0\3\0\1\0\0\0\3\0\1\x09\x29\x1a\x7c", 18 },
        { SLICE_LITERAL("10000"), "\0\0\0\x0c\0\2\0\1\0\0\0\0\0\1\0\0", 16 },
        { SLICE_LITERAL("0.00010"), "\0\0\0\x0e\0\3\0\0\0\0\0\5\0\0\0\1\0\0", 18 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct value value = value_of_text(cases[i].text);

        expect(NUMERIC_OID, &value, cases[i].bytes, cases[i].len);
    }
}

static void what_outgrows_the_buffer_fails(void **state)
{
    const struct value value = value_of_text(SLICE_LITERAL("12345.678"));
    struct buffer out;

    (void)state;
    buffer_init(&out, 10);
    pg_cell_value(&out, NUMERIC_OID, &value);
    assert_true(buffer_failed(&out));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_null_has_no_bytes),
        cmocka_unit_test(jsonb_carries_its_version),
        cmocka_unit_test(numerics_are_digits_of_base_ten_thousand),
        cmocka_unit_test(what_outgrows_the_buffer_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
