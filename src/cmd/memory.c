#include "cmd/memory.h"

#include "pg/store.h"

#define MIB (INT64_C(1) << 20)

enum { MESSAGE_COPIES = 3, FIXED_MIB = 48, WRITER_MIB = 32 };

/* Times limits.max_message_bytes: a message that is read and mapped, of each queue, as JSON with 24
   bytes for each value and as rows, of which 16 are the limit. */
enum { MAPPED_PER_MESSAGE_BYTE = 40 };

void memory_bound_compute(const struct settings *settings, const struct amqp_broker *broker,
                          struct memory_bound *bound)
{
    int64_t queues = (int64_t)settings->queue_count;
    int64_t message_bytes = settings->limits.max_message_bytes;

    *bound = (struct memory_bound){
        .fixed_bytes = FIXED_MIB * MIB + queues * MAPPED_PER_MESSAGE_BYTE * message_bytes,
        .unacknowledged_bytes = settings->limits.max_unacknowledged_bytes,
        .queue_count = settings->queue_count,
        .writer_bytes = WRITER_MIB * MIB + PG_STORE_TAKES_PER_MESSAGE_BYTE * message_bytes,
        .largest_message_bytes = amqp_broker_default_max_message_bytes(broker),
    };
    for (size_t i = 0; i < settings->queue_count; i++)
        bound->writer_count += settings->queues[i].writers;
    if (bound->largest_message_bytes < settings->limits.max_message_bytes)
        bound->largest_message_bytes = settings->limits.max_message_bytes;
    bound->total_bytes =
        bound->fixed_bytes +
        queues * (bound->unacknowledged_bytes + MESSAGE_COPIES * bound->largest_message_bytes) +
        bound->writer_count * bound->writer_bytes;
}
