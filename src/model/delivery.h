/*
 * One message as the broker delivered it. One allocation holds everything; delivery_free() ends it.
 */
#ifndef KOPRU_MODEL_DELIVERY_H
#define KOPRU_MODEL_DELIVERY_H

#include "base/slice.h"

#include <stdint.h>

struct delivery {
    uint64_t tag; /* valid only on the channel it came from */
    bool redelivered;
    bool has_timestamp;
    uint64_t timestamp_s; /* AMQP property: seconds since 1970-01-01 UTC, as the publisher says */
    struct slice body;    /* the exact bytes */
    struct slice
        content_type; /* text that PostgreSQL can store; data is NULL if the property is absent */
    struct slice message_id; /* likewise */
    struct slice
        properties; /* a JSON object: headers, all other properties, exchange and routing key */
    size_t bytes;   /* of the whole allocation: what it counts against max_unacknowledged_bytes */
};

/* Copies the parts of source into one allocation. NULL when there is no memory. */
struct delivery *delivery_copy(const struct delivery *source);

void delivery_free(struct delivery *delivery);

#endif
