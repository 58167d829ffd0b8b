#include "amqp/late_mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static amqp_table_entry_t header(const char *name, amqp_field_value_t value)
{
    return (amqp_table_entry_t){
        .key = { strlen(name), (void *)(uintptr_t)name },
        .value = value,
    };
}

static amqp_field_value_t number(int64_t value)
{
    return (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_I64, .value.i64 = value };
}

/* The mark of a message with a header of the publisher's, and this one. */
static const char *mark_of(amqp_table_entry_t entry, bool redelivered)
{
    amqp_table_entry_t entries[] = { header("source", number(1)), entry };
    const amqp_basic_properties_t properties = { ._flags = AMQP_BASIC_HEADERS_FLAG,
                                                 .headers = { 2, entries } };

    return amqp_late_mark(&properties, redelivered);
}

static void a_message_without_marks_has_none(void **state)
{
    static const char *const others[] = { "x-deaths", "X-Death", "death", "x-retries", "", "x-" };
    const amqp_basic_properties_t none = { 0 };
    const amqp_basic_properties_t empty = { ._flags = AMQP_BASIC_HEADERS_FLAG };

    (void)state;
    assert_null(amqp_late_mark(&none, false));
    assert_null(amqp_late_mark(&empty, false));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_null(mark_of(header(others[i], number(1)), false));
}

/* As RabbitMQ 3.10 and its plugins write them; whatever the header holds. */
static void what_brokers_add_is_a_mark(void **state)
{
    static const char *const marks[] = {
        "x-death",     "x-first-death-queue",   "x-last-death-queue",
        "x-shovelled", "x-shovelled-timestamp", "x-received-from",
        "x-delay"
    };
    const amqp_field_value_t list = { .kind = AMQP_FIELD_KIND_ARRAY };

    (void)state;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        assert_string_equal(mark_of(header(marks[i], list), false), marks[i]);
        assert_string_equal(mark_of(header(marks[i], number(0)), true), marks[i]);
    }
}

/* A quorum queue counts its own redeliveries, and shows 0 with some first deliveries. RabbitMQ 4.3
   shows x-acquired-count alone for what a consumer gave back. */
static void a_count_of_deliveries_is_one_where_the_flag_is_missing(void **state)
{
    static const char *const counts[] = { "x-delivery-count", "x-acquired-count" };
    const amqp_field_value_t byte = { .kind = AMQP_FIELD_KIND_U8, .value.u8 = 1 };
    const amqp_field_value_t text = { .kind = AMQP_FIELD_KIND_UTF8 };

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_string_equal(mark_of(header(counts[i], number(1)), false), counts[i]);
        assert_string_equal(mark_of(header(counts[i], byte), false), counts[i]);
        assert_null(mark_of(header(counts[i], number(1)), true));
        assert_null(mark_of(header(counts[i], number(0)), false));
        assert_null(mark_of(header(counts[i], number(-1)), false));
        assert_null(mark_of(header(counts[i], text), false));
    }
}

/* The one that the delivery-limit looks at, not how often a consumer had the message. */
static void the_count_of_deliveries_is_read(void **state)
{
    static const struct {
        int64_t header;
        uint32_t count;
    } cases[] = { { 0, 0 }, { 1, 1 }, { 20, 20 }, { -1, 0 }, { INT64_MAX, UINT32_MAX } };
    amqp_basic_properties_t properties = { 0 };

    (void)state;
    assert_int_equal(amqp_delivery_count(&properties), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        amqp_table_entry_t entries[] = { header("x-death", number(7)),
                                         header("x-delivery-count", number(cases[i].header)),
                                         header("x-acquired-count", number(30)) };

        properties = (amqp_basic_properties_t){ ._flags = AMQP_BASIC_HEADERS_FLAG,
                                                .headers = { 3, entries } };
        assert_int_equal(amqp_delivery_count(&properties), cases[i].count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_without_marks_has_none),
        cmocka_unit_test(what_brokers_add_is_a_mark),
        cmocka_unit_test(a_count_of_deliveries_is_one_where_the_flag_is_missing),
        cmocka_unit_test(the_count_of_deliveries_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
