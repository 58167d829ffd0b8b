#include "pg/copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct column COLUMNS[] = { { "id", VALUE_TEXT }, { "n", VALUE_INTEGER } };
static const struct table TABLE = { "things", COLUMNS, 2, 1, 0 };

/* The bytes are those of COPY ... TO STDOUT (FORMAT binary). */
static void rows_stand_between_a_header_and_a_trailer(void **state)
{
    static const char expected[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
                                   "\0\2\0\0\0\2ab\0\0\0\4\0\0\0\5"
                                   "\0\2\0\0\0\1c\377\377\377\377"
                                   "\377\377";
    const struct value first[] = { value_of_text(SLICE_LITERAL("ab")), value_of_number(5) };
    const struct value second[] = { value_of_text(SLICE_LITERAL("c")), { .present = false } };
    struct pg_copy copy;

    (void)state;
    pg_copy_init(&copy, 1024);
    pg_copy_row(&copy, &TABLE, first);
    pg_copy_row(&copy, &TABLE, second);
    assert_int_equal(pg_copy_finish(&copy), 0);
    assert_int_equal(copy.rows, 2);
    assert_int_equal(copy.bytes.len, sizeof(expected) - 1);
    assert_memory_equal(copy.bytes.data, expected, sizeof(expected) - 1);
    pg_copy_release(&copy);
}

static void too_many_rows_fail(void **state)
{
    const struct value row[] = { value_of_text(SLICE_LITERAL("ab")), value_of_number(5) };
    struct pg_copy copy;

    (void)state;
    pg_copy_init(&copy, 40);
    pg_copy_row(&copy, &TABLE, row);
    pg_copy_row(&copy, &TABLE, row);
    assert_int_equal(pg_copy_finish(&copy), -1);
    pg_copy_release(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stand_between_a_header_and_a_trailer),
        cmocka_unit_test(too_many_rows_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
