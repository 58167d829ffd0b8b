/*
 * The most memory that `kopru run` takes, by the formula of its promise: a fixed part; for each
 * queue its unacknowledged messages and three times the largest message; for each writer the memory
 * of a transaction.
 */
#ifndef KOPRU_CMD_MEMORY_H
#define KOPRU_CMD_MEMORY_H

#include "amqp/broker.h"
#include "config/settings.h"

#include <stddef.h>
#include <stdint.h>

struct memory_bound {
    int64_t fixed_bytes; /* the program, its libraries, threads and connections, and for each queue
                            the message that it maps */
    int64_t unacknowledged_bytes; /* limits.max_unacknowledged_bytes: messages with their rows */
    size_t queue_count;
    int64_t writer_bytes; /* the rows of a batch or of one entity, as they are stored and as they go
                             to the server */
    int64_t writer_count; /* of all queues together */
    int64_t largest_message_bytes; /* what a broker of this version admits by default: AMQP does not
                                      tell what this one admits */
    int64_t total_bytes;
};

/* A message beyond limits.max_message_bytes still passes through memory as a whole, on its way to
   the dead letters. So the broker's limit counts here and not limits.max_message_bytes, and it
   counts once for each queue, because each may receive such a message at the same time. broker: as
   it said when it was asked; zeroed if it was not. */
void memory_bound_compute(const struct settings *settings, const struct amqp_broker *broker,
                          struct memory_bound *bound);

#endif
