/*
 * The consumer thread of a queue: waits for the lease, subscribes, maps deliveries, holds back the
 * redelivered messages with which a subscription begins, hands messages to the writers, and
 * acknowledges what is committed. It never waits for SQL while it is subscribed, so heartbeats and
 * cancellation work during an outage of the database.
 *
 * It acknowledges with basic.ack, in the order of arrival: a committed message waits for those
 * before it, except behind quarantined ones, where it is acknowledged alone once half of the
 * prefetch or of max_unacknowledged_bytes is used. Dead letters are acknowledged like all others;
 * basic.reject and basic.nack are never sent. A subscription that fails is followed by the next one
 * after a wait (RETRY_POLICY): the broker then delivers again what was unacknowledged.
 *
 *     consumer_init(&consumer, &queue, &writers, &settings)
 *     consumer_start(&consumer, &err)
 *     queue_stop(&queue)
 *     consumer_join(&consumer)
 */
#ifndef KOPRU_BRIDGE_CONSUME_CONSUMER_H
#define KOPRU_BRIDGE_CONSUME_CONSUMER_H

#include "bridge/consume/subscription.h"

struct consumer {
    struct queue *queue;
    struct writers *writers;
    struct consume_settings settings;
    pthread_t thread;
    struct consume_history history;
    atomic_bool gave_up; /* something unacknowledged was not committed when it stopped */
};

/* Queue and writers must outlive it. */
void consumer_init(struct consumer *consumer, struct queue *queue, struct writers *writers,
                   const struct consume_settings *settings);

/* Returns 0, or -1 when the system refuses a thread. */
int consumer_start(struct consumer *consumer, struct error *err);

/* Waits until the thread has left, which it does after queue_stop(). */
void consumer_join(struct consumer *consumer);

/* After that: whether all that was unacknowledged was committed and acknowledged. */
static inline bool consumer_acknowledged_all(const struct consumer *consumer)
{
    return !atomic_load(&consumer->gave_up);
}

#endif
