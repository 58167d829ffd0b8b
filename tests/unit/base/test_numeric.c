#include "base/numeric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct written_case {
    const char *text;
    const char *written;
};

static void numbers_are_written_as_numeric_prints_them(void **state)
{
    static const struct written_case cases[] = {
        { "0", "0" },
        { "-0", "0" },
        { "0.0", "0.0" },
        { "-0.00", "0.00" },
        { "0e5", "0" },
        { "0e-2", "0.00" },
        { "0.00e1", "0.0" },
        { "-0e-3", "0.000" },
        { "7", "7" },
        { "-7", "-7" },
        { "1.10", "1.10" },
        { "1e5", "100000" },
        { "1E+5", "100000" },
        { "1.0e1", "10" },
        { "1.10e1", "11.0" },
        { "1.25e1", "12.5" },
        { "1.25e2", "125" },
        { "1.25e4", "12500" },
        { "1e-2", "0.01" },
        { "12e-1", "1.2" },
        { "12e-2", "0.12" },
        { "12e-3", "0.012" },
        { "-1.5e-3", "-0.0015" },
        { "0.001e3", "1" },
        { "0.001e2", "0.1" },
        { "0.0010e2", "0.10" },
        { "100e-2", "1.00" },
        { "1e00002", "100" },
        { "123456789012345678901234567890", "123456789012345678901234567890" },
        { "-9.99999999999999999999e20", "-999999999999999999999" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct numeric number;
        struct buffer out;

        buffer_init(&out, 4096);
        assert_true(numeric_parse(slice_of(cases[i].text), &number));
        assert_true(numeric_fits(&number));
        numeric_write(&number, &out);
        assert_string_equal(out.data, cases[i].written);
        buffer_release(&out);
    }
}

static void what_rfc_8259_does_not_call_a_number_is_none(void **state)
{
    static const char *const cases[] = {
        "",         "-",         "+1",    "01",  "-01", "00",  ".5", "1.",  "1.e5",  "1e",  "1e+",
        "1e-",      "1e1.5",     "1e5e5", "--1", "1-1", " 1",  "1 ", "1,5", "1_000", "NaN", "-NaN",
        "Infinity", "-Infinity", "0x10",  "1f",  "١",   "1e٥", "e5", "-e5", "1..2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct numeric number;

        if (numeric_parse(slice_of(cases[i]), &number))
            fail_msg("accepted: %s", cases[i]);
    }
}

static void scan_takes_the_longest_number_and_says_where_it_failed(void **state)
{
    struct numeric number;
    size_t fault_at = 99;

    (void)state;
    assert_int_equal(numeric_scan(SLICE_LITERAL("-12.50e+3,"), &number, &fault_at), 9);
    assert_true(number.negative);
    assert_true(slice_is(number.integer, "12"));
    assert_true(slice_is(number.fraction, "50"));
    assert_int_equal(number.exponent, 3);
    assert_int_equal(numeric_scan(SLICE_LITERAL("01"), NULL, NULL), 1);
    assert_int_equal(numeric_scan(SLICE_LITERAL("1.x"), NULL, &fault_at), 0);
    assert_int_equal(fault_at, 2);
    assert_int_equal(numeric_scan(SLICE_LITERAL("-"), NULL, &fault_at), 0);
    assert_int_equal(fault_at, 1);
    assert_int_equal(numeric_scan(SLICE_LITERAL("5e+"), NULL, &fault_at), 0);
    assert_int_equal(fault_at, 3);
}

static struct numeric parsed(struct slice text)
{
    struct numeric number;

    assert_true(numeric_parse(text, &number));
    return number;
}

static void the_limits_are_1000_digits_and_exponents_within_1000(void **state)
{
    char digits[1002];
    struct numeric number;

    (void)state;
    memset(digits, '9', sizeof(digits));
    number = parsed((struct slice){ digits, 1000 });
    assert_true(numeric_fits(&number));
    number = parsed((struct slice){ digits, 1001 });
    assert_false(numeric_fits(&number));
    digits[1] = '.';
    number = parsed((struct slice){ digits, 1001 });
    assert_true(numeric_fits(&number));
    number = parsed((struct slice){ digits, 1002 });
    assert_false(numeric_fits(&number));
    number = parsed(SLICE_LITERAL("1e1000"));
    assert_true(numeric_fits(&number));
    number = parsed(SLICE_LITERAL("1e1001"));
    assert_false(numeric_fits(&number));
    number = parsed(SLICE_LITERAL("1e-1000"));
    assert_true(numeric_fits(&number));
    number = parsed(SLICE_LITERAL("1e-1001"));
    assert_false(numeric_fits(&number));
    number = parsed(SLICE_LITERAL("0e99999999999999999999999999"));
    assert_false(numeric_fits(&number));
    number = parsed(SLICE_LITERAL("0e-4294967296"));
    assert_false(numeric_fits(&number));
}

static void the_buffers_maximum_holds(void **state)
{
    struct numeric number = parsed(SLICE_LITERAL("1e1000"));
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    numeric_write(&number, &out);
    assert_true(buffer_failed(&out));
    buffer_release(&out);
    buffer_init(&out, 1001);
    numeric_write(&number, &out);
    assert_false(buffer_failed(&out));
    assert_int_equal(out.len, 1001);
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_numeric_prints_them),
        cmocka_unit_test(what_rfc_8259_does_not_call_a_number_is_none),
        cmocka_unit_test(scan_takes_the_longest_number_and_says_where_it_failed),
        cmocka_unit_test(the_limits_are_1000_digits_and_exponents_within_1000),
        cmocka_unit_test(the_buffers_maximum_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
