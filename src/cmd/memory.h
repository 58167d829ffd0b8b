/*
 * The most memory that `kopru run` takes, by the formula of its promise: a fixed part; for each
 * queue what may be unacknowledged and three times the largest message; for each writer what a
 * transaction takes.
 */
#ifndef KOPRU_CMD_MEMORY_H
#define KOPRU_CMD_MEMORY_H

#include "config/settings.h"

#include <stddef.h>
#include <stdint.h>

struct memory_bound {
    int64_t fixed_bytes; /* the program, its libraries, threads and connections */
    int64_t
        unacknowledged_bytes; /* limits.max_unacknowledged_bytes: messages with what they mean */
    size_t queue_count;
    int64_t writer_bytes; /* the rows of a batch, as they are and as they go to the server */
    int64_t writer_count; /* of all queues together */
    int64_t largest_message_bytes; /* that the broker admits: RabbitMQ's default, since AMQP does
                                      not tell; times three */
    int64_t total_bytes;
};

/* The broker allocates nothing for us: a message beyond limits.max_message_bytes still passes
   through memory whole, on its way to the dead letters. Hence the broker's limit and not ours, and
   for each queue: each may receive one at the same time. */
void memory_bound_compute(const struct settings *settings, struct memory_bound *bound);

#endif
