#include "cmd/memory.h"

#define MIB (INT64_C(1) << 20)

enum { MESSAGE_COPIES = 3, BROKER_DEFAULT_MIB = 128, FIXED_MIB = 48, WRITER_MIB = 32 };

/* A body of one to one and a half kilobytes with its properties and rows. */
enum { USUAL_MESSAGE_BYTES = 8192 };

void memory_bound_compute(const struct settings *settings, struct memory_bound *bound)
{
    int64_t queues = (int64_t)settings->queue_count;

    *bound = (struct memory_bound){
        .fixed_bytes = FIXED_MIB * MIB,
        .in_hand_bytes = settings->limits.max_unacknowledged_bytes,
        .queue_count = settings->queue_count,
        .writer_bytes = WRITER_MIB * MIB,
        .largest_message_bytes = BROKER_DEFAULT_MIB * MIB,
    };
    for (size_t i = 0; i < settings->queue_count; i++)
        bound->writer_count += settings->queues[i].writers;
    if (bound->largest_message_bytes < settings->limits.max_message_bytes)
        bound->largest_message_bytes = settings->limits.max_message_bytes;
    bound->total_bytes =
        bound->fixed_bytes +
        queues * (bound->in_hand_bytes + MESSAGE_COPIES * bound->largest_message_bytes) +
        bound->writer_count * bound->writer_bytes;
}

int memory_prefetch(const struct settings *settings, const struct queue_settings *queue)
{
    int64_t fitting = settings->limits.max_unacknowledged_bytes / USUAL_MESSAGE_BYTES;

    if (fitting < 1)
        fitting = 1;
    return queue->prefetch < fitting ? queue->prefetch : (int)fitting;
}
