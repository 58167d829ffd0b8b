#include "cmd/memory.h"

#define MIB (INT64_C(1) << 20)

enum { MESSAGE_COPIES = 3, BROKER_DEFAULT_MIB = 128, FIXED_MIB = 48 };

void memory_bound_compute(const struct settings *settings, struct memory_bound *bound)
{
    bound->fixed_bytes = FIXED_MIB * MIB;
    bound->in_hand_bytes = settings->limits.max_bytes_in_hand;
    bound->queue_count = settings->queue_count;
    bound->largest_message_bytes = BROKER_DEFAULT_MIB * MIB;
    if (bound->largest_message_bytes < settings->limits.max_message_bytes)
        bound->largest_message_bytes = settings->limits.max_message_bytes;
    bound->total_bytes =
        bound->fixed_bytes + bound->in_hand_bytes * (int64_t)bound->queue_count + MESSAGE_COPIES * bound->largest_message_bytes;
}
