#include "amqp/broker.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MIB (INT64_C(1) << 20)

enum { FIRST_WITH_THESE_DEFAULTS = 4 };

static struct slice text_of(const amqp_table_t *properties, const char *name)
{
    for (int i = 0; i < properties->num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->entries[i];

        if (slice_is(amqp_bytes_slice(entry->key), name) &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8)
            return amqp_bytes_slice(entry->value.value.bytes);
    }
    return SLICE_LITERAL("");
}

/* It comes from the network and goes to logs and terminals. */
static bool is_plain(struct slice version)
{
    for (size_t i = 0; i < version.len; i++)
        if (!isalnum((unsigned char)version.data[i]) && strchr(".+-~", version.data[i]) == NULL)
            return false;
    return true;
}

struct amqp_broker amqp_broker_of(const amqp_table_t *server_properties)
{
    struct slice version = text_of(server_properties, "version");
    struct amqp_broker broker = { "" };
    const size_t max_len = sizeof(broker.version) - 1;

    if (slice_is(text_of(server_properties, "product"), "RabbitMQ") && is_plain(version) &&
        version.len > 0)
        memcpy(broker.version, version.data, version.len < max_len ? version.len : max_len);
    return broker;
}

bool amqp_broker_has_defaults_of_4(const struct amqp_broker *broker)
{
    return strtol(broker->version, NULL, 10) >= FIRST_WITH_THESE_DEFAULTS;
}

int64_t amqp_broker_default_max_message_bytes(const struct amqp_broker *broker)
{
    return (amqp_broker_has_defaults_of_4(broker) ? 16 : 128) * MIB;
}
