#include "pg/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* The expected bytes are those of PostgreSQL's array_send: dimensions, null flag, element type,
   length, lower bound, elements. */
static void expect(struct pg_array *array, const char *bytes, size_t len)
{
    assert_int_equal(pg_array_finish(array), 0);
    assert_int_equal(array->bytes.len, len);
    assert_memory_equal(array->bytes.data, bytes, len);
    pg_array_release(array);
}

static void text_with_a_null(void **state)
{
    struct pg_array array;
    struct value value = value_of_text(SLICE_LITERAL("ab"));
    struct value null = { 0 };

    (void)state;
    pg_array_init(&array, 25, 1024);
    pg_array_value(&array, &value);
    pg_array_value(&array, &null);
    expect(&array, "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\2\0\0\0\1\0\0\0\2ab\xff\xff\xff\xff", 30);
}

static void no_elements_have_no_dimension(void **state)
{
    struct pg_array array;

    (void)state;
    pg_array_init(&array, 25, 1024);
    expect(&array, "\0\0\0\0\0\0\0\0\0\0\0\x19", 12);
}

static void numbers_have_the_width_of_their_type(void **state)
{
    struct pg_array array;

    (void)state;
    pg_array_init(&array, 16, 1024);
    pg_array_integer(&array, 1);
    expect(&array, "\0\0\0\1\0\0\0\0\0\0\0\x10\0\0\0\1\0\0\0\1\0\0\0\1\1", 25);
    pg_array_init(&array, 1082, 1024);
    pg_array_integer(&array, -1);
    expect(&array, "\0\0\0\1\0\0\0\0\0\0\x04\x3a\0\0\0\1\0\0\0\1\0\0\0\4\xff\xff\xff\xff", 28);
    pg_array_init(&array, 1184, 1024);
    pg_array_integer(&array, 258);
    expect(&array, "\0\0\0\1\0\0\0\0\0\0\x04\xa0\0\0\0\1\0\0\0\1\0\0\0\x08\0\0\0\0\0\0\1\2", 32);
}

static void jsonb_carries_its_version(void **state)
{
    struct pg_array array;
    struct value value = value_of_text(SLICE_LITERAL("{}"));

    (void)state;
    pg_array_init(&array, 3802, 1024);
    pg_array_value(&array, &value);
    expect(&array, "\0\0\0\1\0\0\0\0\0\0\x0e\xda\0\0\0\1\0\0\0\1\0\0\0\3\1{}", 27);
}

static void every_type_has_an_array_of_its_element(void **state)
{
    (void)state;
    for (int type = VALUE_TEXT; type <= VALUE_INTEGER; type++) {
        const struct pg_type *found = pg_type_of((enum value_type)type);

        assert_int_equal(pg_array_element(found->array), found->element);
    }
    assert_int_equal(pg_array_element(PG_TYPE_BYTEA.array), PG_TYPE_BYTEA.element);
}

static void beyond_the_limit_is_an_error(void **state)
{
    struct pg_array array;

    (void)state;
    pg_array_init(&array, 25, 24);
    pg_array_bytes(&array, SLICE_LITERAL("12345"));
    assert_int_equal(pg_array_finish(&array), -1);
    pg_array_release(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_with_a_null),
        cmocka_unit_test(no_elements_have_no_dimension),
        cmocka_unit_test(numbers_have_the_width_of_their_type),
        cmocka_unit_test(jsonb_carries_its_version),
        cmocka_unit_test(every_type_has_an_array_of_its_element),
        cmocka_unit_test(beyond_the_limit_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
