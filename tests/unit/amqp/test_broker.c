#include "amqp/broker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static amqp_table_entry_t text(const char *name, const char *value)
{
    amqp_table_entry_t entry = { .key = amqp_cstring_bytes(name) };

    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

static struct amqp_broker broker_of(const char *product, const char *version)
{
    amqp_table_entry_t entries[] = { text("copyright", "somebody's"), text("product", product),
                                     text("version", version) };
    const amqp_table_t properties = { 3, entries };

    return amqp_broker_of(&properties);
}

static void the_version_decides_what_is_set_unasked(void **state)
{
    static const struct {
        const char *version;
        bool as_4;
    } cases[] = { { "3.10.8", false }, { "3.13.7", false },     { "4.0.5", true },
                  { "4.3.6", true },   { "4.0.0-rc.1", true },  { "10.1.0", true },
                  { "", false },       { "four of 40", false }, { "4\x1b[31m", false } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amqp_broker broker = broker_of("RabbitMQ", cases[i].version);

        assert_int_equal(amqp_broker_has_defaults_of_4(&broker), cases[i].as_4);
        assert_int_equal(amqp_broker_default_max_message_bytes(&broker), (cases[i].as_4 ? 16 : 128)
                                                                             << 20);
    }
    assert_string_equal(broker_of("RabbitMQ", "4.0.5").version, "4.0.5");
    assert_string_equal(broker_of("RabbitMQ", "4.2.0-alpha.7+20260301.0123456789abcdef").version,
                        "4.2.0-alpha.7+20260301.01234567");
}

static void another_product_has_versions_of_its_own(void **state)
{
    struct amqp_broker broker = broker_of("LavinMQ", "4.0.5");
    const amqp_table_t none = { 0 };

    (void)state;
    assert_string_equal(broker.version, "");
    assert_false(amqp_broker_has_defaults_of_4(&broker));
    broker = amqp_broker_of(&none);
    assert_string_equal(broker.version, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_decides_what_is_set_unasked),
        cmocka_unit_test(another_product_has_versions_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
