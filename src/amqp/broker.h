/*
 * What the broker said of itself when the connection began (connection.start).
 */
#ifndef KOPRU_AMQP_BROKER_H
#define KOPRU_AMQP_BROKER_H

#include "amqp/library.h"

#include <stdbool.h>
#include <stdint.h>

struct amqp_broker {
    char version[32]; /* of RabbitMQ: "4.0.5"; "" for another product, or if it does not say. The
                         beginning of a longer one */
};

/* server_properties: as rabbitmq-c keeps them for the connection. */
struct amqp_broker amqp_broker_of(const amqp_table_t *server_properties);

/* Whether it is RabbitMQ 4.0 or newer: its quorum queues drop a message, or dead-letter it, that
   came back RETURNS_LIMIT times (model/returns.h) and comes back once more, unless a policy or an
   argument says otherwise; and no message is larger than 16 MiB, unless its max_message_size
   does. */
bool amqp_broker_has_defaults_of_4(const struct amqp_broker *broker);

/* The max_message_size that the broker has by default, in bytes. AMQP does not tell what it has. */
int64_t amqp_broker_default_max_message_bytes(const struct amqp_broker *broker);

#endif
