/*
 * One message as the broker delivered it. One allocation holds the struct and all its texts;
 * delivery_free() frees it.
 */
#ifndef KOPRU_MODEL_DELIVERY_H
#define KOPRU_MODEL_DELIVERY_H

#include "base/slice.h"

#include <stdint.h>

struct delivery {
    uint64_t tag; /* the delivery tag; valid only on the channel that the message came from */
    bool redelivered;
    bool has_timestamp;
    bool is_amqp_value;    /* published by AMQP 1.0 without a data section: the body is in that
                              protocol's encoding */
    uint8_t priority;      /* the AMQP property; 0 where it is not set, as for the broker */
    uint64_t timestamp_s;  /* the AMQP property: seconds since 1970-01-01 UTC, by the publisher */
    const char *late_mark; /* a header which shows that the message may have come behind newer ones,
                              such as "x-death"; NULL if there is none. Static */
    uint32_t returns; /* how often a quorum queue had it back: x-delivery-count of a message that is
                         redelivered. 0 in other queues */
    struct slice body; /* the exact bytes */

    /* Properties as text that PostgreSQL can store; data is NULL if the property is not set. */
    struct slice content_type;
    struct slice message_id;

    /* A JSON object with the headers, all other properties, exchange and routing key. */
    struct slice properties;
    size_t bytes; /* of the whole allocation, counted against max_unacknowledged_bytes */
};

/* Copies source and its texts into one allocation. Returns NULL when there is no memory. */
struct delivery *delivery_copy(const struct delivery *source);

/* NULL is allowed. */
void delivery_free(struct delivery *delivery);

#endif
