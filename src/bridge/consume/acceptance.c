#include "bridge/consume/acceptance.h"

#include "base/clock.h"
#include "bridge/timing.h"

#include <stdio.h>

/* RabbitMQ passes on what an AMQP 1.0 publisher sent in that protocol's encoding, unless it is a
   data section. */
static void explain_amqp_value(struct refusal *refusal)
{
    if (refusal->reason != REFUSAL_INVALID_UNICODE && refusal->reason != REFUSAL_NOT_JSON)
        return;
    snprintf(
        refusal->detail, sizeof(refusal->detail),
        "the body is an AMQP 1.0 value in that protocol's encoding: the publisher must send the "
        "JSON as a data section (application-data), not as an amqp-value or amqp-sequence");
}

/* Returns the mapped message, or NULL when there is no memory: the delivery is freed and comes
   back. */
static struct message *map_delivery(struct queue *queue, void *mapper, struct delivery *delivery,
                                    int64_t arrived_at_ms)
{
    const struct mapper_port *port = &queue->ports.mapper;
    struct message *message = message_new(delivery, port->arena_limit(port->context));
    enum map_outcome outcome;

    if (message == NULL) {
        delivery_free(delivery);
        return NULL;
    }
    outcome =
        port->map(mapper, delivery->body, &message->arena, &message->change, &message->refusal);
    if (outcome == MAP_NO_MEMORY) {
        message_free(message);
        return NULL;
    }
    message->refused = outcome == MAP_REFUSED;
    if (message->refused && delivery->is_amqp_value)
        explain_amqp_value(&message->refusal);
    if (message->refused)
        message->change = NULL;
    else
        mapping_doubt_note(&queue->counters.mapping, queue->name, message->change, port, mapper);
    message->arrived_at_ms = arrived_at_ms;
    return message;
}

/* Waits until the row of the queue holds what the lease knows by now, or nothing can be written
   there. It looks again and again, because a renewal does not ring the doorbell. Returns -1 when
   the connection fails or there is a reason to leave. */
static int wait_until_in_row(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;
    int64_t since_ms = clock_boot_ms();
    struct lease_view lease = queue_lease_view(&queue->lease);

    while (!queue_is_stopping(queue) && lease.database_ok && lease.renewed_at_ms <= since_ms) {
        const char *why = subscription_reason_to_leave(subscription);

        if (why != NULL)
            return error_set(err, ERROR_UNAVAILABLE, "the subscription ends", queue->name, "%s",
                             why);
        liveness_beat(&queue->counters.consumer);
        queue_lease_write_soon(&queue->lease);
        if (queue->ports.broker.idle(subscription->broker, -1, RETURNS_NOTED_MS, err) != 0)
            return -1;
        lease = queue_lease_view(&queue->lease);
    }
    return 0;
}

/* Notes how often the message came back. What is mapped or written next may end this process, so
   the next one must be able to know first. */
static int note_returns(struct subscription *subscription, const struct delivery *delivery,
                        struct error *err)
{
    struct queue *queue = subscription->queue;
    struct returns *returns = &subscription->history->returns;
    int limit = queue->ports.broker.default_delivery_limit(subscription->broker);

    if (!returns_note(returns, queue, delivery, limit))
        return 0;
    queue_lease_set_returns(&queue->lease, returns_highest(returns));
    return wait_until_in_row(subscription, err);
}

/* Whether redelivered messages are committed with all that came back. One at a time they are not,
   and one of them may have gone behind the others when its connection was lost. */
static bool are_held_together(const struct subscription *subscription)
{
    return subscription->redelivered.open && !subscription->takes_one;
}

int acceptance_take(struct subscription *subscription, void *mapper, struct delivery *delivery,
                    struct error *err)
{
    bool redelivered = delivery->redelivered;
    struct message *message;

    if (note_returns(subscription, delivery, err) != 0) {
        delivery_free(delivery);
        return -1;
    }
    subscription->last_delivery_ms = clock_monotonic_ms();
    message = map_delivery(subscription->queue, mapper, delivery, subscription->last_delivery_ms);
    if (message == NULL)
        return error_no_memory(err);
    if (!redelivered)
        redelivered_end(&subscription->redelivered, "first_delivery");
    lateness_note(&subscription->history->lateness, subscription->queue, message,
                  redelivered && !are_held_together(subscription),
                  subscription->settings->order_by_timestamp);
    unacked_add(&subscription->unacked, message);
    if (subscription->redelivered.open)
        redelivered_hold(&subscription->redelivered, message, subscription->unacked.count);
    else
        writers_enqueue(subscription->writers, message);
    return 0;
}

void acceptance_forget_returns(struct subscription *subscription)
{
    struct returns *returns = &subscription->history->returns;
    const struct message *oldest = subscription->unacked.oldest;

    returns_forget(returns, oldest != NULL ? oldest->delivery->tag : 0,
                   subscription->redelivered.open);
    queue_lease_set_returns(&subscription->queue->lease, returns_highest(returns));
}
