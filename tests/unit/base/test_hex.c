#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_byte_is_a_digit_or_none(void **state)
{
    static const char lower[] = "0123456789abcdef";
    static const char upper[] = "0123456789ABCDEF";

    (void)state;
    for (int c = -128; c < 256; c++) {
        const char *in_lower = c != 0 ? strchr(lower, (char)c) : NULL;
        const char *in_upper = c != 0 ? strchr(upper, (char)c) : NULL;
        ptrdiff_t value = in_lower != NULL ? in_lower - lower : -1;

        if (in_upper != NULL)
            value = in_upper - upper;
        assert_int_equal(hex_digit((char)c), value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_byte_is_a_digit_or_none) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
