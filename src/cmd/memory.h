/*
 * The most memory that kopru run takes, by the formula of its promise: a fixed part, what may be in hand of each queue, and three
 * times the largest message.
 */
#ifndef KOPRU_CMD_MEMORY_H
#define KOPRU_CMD_MEMORY_H

#include "config/settings.h"

#include <stddef.h>
#include <stdint.h>

struct memory_bound {
    int64_t fixed_bytes;           /* the program, its libraries, threads and connections */
    int64_t in_hand_bytes;         /* limits.max_bytes_in_hand */
    size_t queue_count;            /* times in_hand_bytes */
    int64_t largest_message_bytes; /* that the broker admits: RabbitMQ's default, since AMQP does not tell; times three */
    int64_t total_bytes;
};

/* The broker allocates nothing for us: a message beyond limits.max_message_bytes still passes through memory whole, on its way
   to the dead letters. Hence the broker's limit and not ours. */
void memory_bound_compute(const struct settings *settings, struct memory_bound *bound);

#endif
