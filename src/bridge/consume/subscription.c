#include "bridge/consume/subscription.h"

#include "base/clock.h"
#include "base/log.h"
#include "bridge/timing.h"

/*
 * A subscription ends in one of two ways. It fails, in any state: the connection is closed, the
 * broker takes back what is unacknowledged, and the next subscription begins with that. Or the
 * daemon stops, and it walks through the states below to FINISHED. Stopping takes several steps
 * because a quorum queue of RabbitMQ 3.10 takes back what is on its way to a cancelled consumer in
 * any order, and because the row must not claim a subscription that the broker no longer counts.
 */
static const struct {
    enum subscription_state from;
    enum subscription_event event;
    enum subscription_state to;
} ARROWS[] = {
    { SUBSCRIPTION_CONNECTING, SUBSCRIPTION_ON_CONNECTED, SUBSCRIPTION_JOINING },
    { SUBSCRIPTION_JOINING, SUBSCRIPTION_ON_ALONE, SUBSCRIPTION_SUBSCRIBING },
    { SUBSCRIPTION_SUBSCRIBING, SUBSCRIPTION_ON_CONFIRMED, SUBSCRIPTION_CONSUMING },

    { SUBSCRIPTION_JOINING, SUBSCRIPTION_ON_STOP, SUBSCRIPTION_FINISHED },
    { SUBSCRIPTION_CONSUMING, SUBSCRIPTION_ON_STOP, SUBSCRIPTION_STOPPING },
    { SUBSCRIPTION_STOPPING, SUBSCRIPTION_ON_CANCEL, SUBSCRIPTION_CANCELLED },
    { SUBSCRIPTION_STOPPING, SUBSCRIPTION_ON_LEAVE, SUBSCRIPTION_FINISHED },
    { SUBSCRIPTION_CANCELLED, SUBSCRIPTION_ON_EXHAUSTED, SUBSCRIPTION_DRAINED },
    { SUBSCRIPTION_DRAINED, SUBSCRIPTION_ON_ALL_ACKED, SUBSCRIPTION_FINISHED },
};

enum subscription_state subscription_state_after(enum subscription_state state,
                                                 enum subscription_event event)
{
    for (size_t i = 0; i < sizeof(ARROWS) / sizeof(ARROWS[0]); i++) {
        if (ARROWS[i].from == state && ARROWS[i].event == event)
            return ARROWS[i].to;
    }
    return state;
}

void subscription_apply(struct subscription *subscription, enum subscription_event event)
{
    subscription->state = subscription_state_after(subscription->state, event);
}

void subscription_init(struct subscription *subscription, struct queue *queue,
                       struct writers *writers, const struct consume_settings *settings,
                       struct consume_history *history)
{
    *subscription = (struct subscription){
        .queue = queue,
        .writers = writers,
        .settings = settings,
        .history = history,
        .redelivered = { .writers = writers,
                         .queue = queue->name,
                         .max_messages = (size_t)settings->prefetch },
    };
    unacked_init(&subscription->unacked);
}

void subscription_release(struct subscription *subscription)
{
    if (subscription->broker != NULL)
        subscription->queue->ports.broker.close(subscription->broker);
    writers_abandon(subscription->writers);
    unacked_release(&subscription->unacked);
}

size_t subscription_room(const struct subscription *subscription)
{
    return redelivered_room(&subscription->redelivered,
                            subscription->settings->max_unacknowledged_bytes);
}

/* A successor acquires the lease when it was not renewed for a while, and then waits some
   heartbeats. By the end of that wait this consumer must be gone, because what it gave back later
   would come after newer messages. */
static bool lease_expired(const struct subscription *subscription, const struct lease_view *lease)
{
    const struct broker_port *port = &subscription->queue->ports.broker;
    int64_t limit_ms =
        LEASE_EXPIRES_MS +
        (int64_t)PREDECESSOR_HEARTBEATS * 1000 * port->heartbeat_s(subscription->broker) -
        FENCE_MARGIN_MS;

    return clock_boot_ms() - lease->renewed_at_ms > limit_ms;
}

/* A daemon that stops does not wait for what only time or a person can mend: that comes back at the
   next start. Nor does it wait for deliveries that are still on their way while there is no room
   for them and none becomes free. */
static const char *reason_to_give_up(const struct subscription *subscription)
{
    bool drained = subscription_has_reached(subscription, SUBSCRIPTION_DRAINED);
    bool full = subscription_has_reached(subscription, SUBSCRIPTION_CANCELLED) &&
                subscription->unacked.bytes >= subscription_room(subscription);
    size_t stuck;

    if ((!drained && !full) || subscription->unacked.count == 0)
        return NULL;
    if (writers_breaker_is_open(subscription->writers))
        return "the breaker is open, so the unacknowledged messages go back to the broker";
    stuck = writers_stuck(subscription->writers);
    if (stuck > 0 && unacked_uncommitted(&subscription->unacked) <= stuck)
        return "the quarantined messages could not be committed, so they go back to the broker";
    return NULL;
}

const char *subscription_reason_to_leave(const struct subscription *subscription)
{
    struct lease_view lease = queue_lease_view(&subscription->queue->lease);
    const struct message *oldest = subscription->unacked.oldest;

    if (!lease.held || lease.epoch != subscription->epoch)
        return "another instance holds the lease";
    if (lease_expired(subscription, &lease))
        return "the lease was not renewed for too long, so another instance may have acquired it";
    if (writers_have_failed(subscription->writers))
        return "a writer could not go on";
    if (oldest != NULL && clock_monotonic_ms() - oldest->arrived_at_ms > UNACKNOWLEDGED_LIMIT_MS)
        return "messages were unacknowledged for too long, so the broker gets them back until the "
               "database is there";
    return reason_to_give_up(subscription);
}

static int fail_to_begin(const struct subscription *subscription, const char *why,
                         struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "the subscription does not begin",
                     subscription->queue->name, "%s", why);
}

/* Waits until the doorbell rings, for timeout_ms at most. Returns 0, or -1 when the connection
   fails or there is a reason to leave. */
static int wait_to_begin(struct subscription *subscription, int timeout_ms, struct error *err)
{
    struct queue *queue = subscription->queue;
    const char *why = subscription_reason_to_leave(subscription);

    if (why != NULL)
        return fail_to_begin(subscription, why, err);
    liveness_beat(&queue->counters.consumer);
    if (queue->ports.broker.idle(subscription->broker, queue->consumer.fd, timeout_ms, err) != 0)
        return -1;
    doorbell_clear(&queue->consumer);
    return 0;
}

/* Messages came back so often that the broker may soon drop them: takes them later, so that whoever
   is called has time to find out why. Returns 0, also when the daemon stops, or -1 when the
   connection fails or the lease is lost meanwhile. */
static int wait_for_returns(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;
    uint32_t returns = returns_highest(&subscription->history->returns);
    int wait_ms = subscription->history->returns.acked ? 0 : returns_wait_ms(returns);
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;

    if (wait_ms == 0)
        return 0;
    log_event(LOG_WARNING, "delivery_limit_wait",
              "messages came back so often that the broker may soon drop them, so they are not "
              "taken again at once",
              LOG_TEXT("queue", queue->name), LOG_NUMBER("returns", returns),
              LOG_NUMBER("assumed_limit", RETURNS_LIMIT), LOG_NUMBER("wait_ms", wait_ms));
    counters_stage(&queue->counters, STAGE_RETURNS);
    while (!queue_is_stopping(queue) && clock_left_ms(deadline_ms) > 0) {
        int left_ms = clock_left_ms(deadline_ms);

        if (wait_to_begin(subscription, left_ms < IDLE_WAIT_MS ? left_ms : IDLE_WAIT_MS, err) != 0)
            return -1;
    }
    return 0;
}

/* Waits until the broker has dropped a silent predecessor or the last connection of this instance,
   whose deliveries it may hand out again, late. Returns as above. */
static int wait_for_predecessor(struct subscription *subscription, struct broker_queue_state *state,
                                struct error *err)
{
    struct queue *queue = subscription->queue;
    const struct broker_port *port = &queue->ports.broker;
    const int64_t began_ms = clock_monotonic_ms();
    bool told = false;

    for (;;) {
        const char *why;

        liveness_beat(&queue->counters.consumer);
        if (port->inspect(subscription->broker, queue->name, state, err) != 0)
            return -1;
        why = subscription_reason_to_leave(subscription);
        if (why != NULL)
            return fail_to_begin(subscription, why, err);
        if (queue_is_stopping(queue))
            return 0;
        if (handover_is_over(queue_lease_view(&queue->lease).handover, state->consumers,
                             clock_monotonic_ms() - began_ms,
                             port->heartbeat_s(subscription->broker))) {
            queue_lease_clear_handover(&queue->lease, subscription->epoch);
            return 0;
        }
        if (!told)
            log_event(LOG_WARNING, "waiting_for_predecessor",
                      "the broker may still hold deliveries for another consumer",
                      LOG_TEXT("queue", queue->name), LOG_NUMBER("consumers", state->consumers));
        told = true;
        counters_stage(&queue->counters, STAGE_PREDECESSOR);
        queue_pause(queue, PREDECESSOR_CHECK_MS);
        if (port->idle(subscription->broker, -1, 0, err) != 0)
            return -1;
    }
}

/* Waits until the row no longer claims that the broker counts this consumer, which is not true for
   now. Returns as above. */
static int wait_until_retracted(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;

    while (!queue_is_stopping(queue) && !queue_lease_retract(&queue->lease)) {
        if (wait_to_begin(subscription, IDLE_WAIT_MS, err) != 0)
            return -1;
    }
    return 0;
}

static int subscribe(struct subscription *subscription, const struct broker_queue_state *state,
                     struct error *err)
{
    struct queue *queue = subscription->queue;
    int prefetch = prefetch_begin(&subscription->history->prefetch);

    subscription->takes_one = returns_are_last(returns_highest(&subscription->history->returns));
    if (subscription->takes_one)
        prefetch = 1;
    subscription_apply(subscription, SUBSCRIPTION_ON_ALONE);
    /* This comes before the request, because its answer may be lost and the subscription still
       exist. */
    queue_lease_leave_behind(&queue->lease, HANDOVER_CLOSED);
    subscription->prefetch = prefetch;
    if (queue->ports.broker.subscribe(subscription->broker, queue->name, prefetch, err) != 0)
        return -1;
    subscription_apply(subscription, SUBSCRIPTION_ON_CONFIRMED);
    queue_lease_subscribed(&queue->lease, subscription->epoch);
    stalled_reset(&subscription->history->stalled);
    others_begin(&subscription->history->others, state->consumers);
    redelivered_begin(&subscription->redelivered, prefetch, state->messages > 0);
    subscription->last_delivery_ms = clock_monotonic_ms();
    counters_subscribed(&queue->counters, prefetch);
    log_event(LOG_INFO, "consuming", "the queue is being consumed", LOG_TEXT("queue", queue->name),
              LOG_TEXT("entity", queue->entity), LOG_NUMBER("prefetch", prefetch),
              LOG_NUMBER("writers", subscription->writers->count),
              LOG_NUMBER("epoch", subscription->epoch));
    return 0;
}

int subscription_begin(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;
    const struct broker_port *port = &queue->ports.broker;
    struct broker_queue_state state;

    subscription->epoch = queue_lease_view(&queue->lease).epoch;
    counters_stage(&queue->counters, STAGE_CONNECTING);
    if (port->open(port->context, &subscription->broker, err) != 0)
        return -1;
    subscription_apply(subscription, SUBSCRIPTION_ON_CONNECTED);
    writers_begin(subscription->writers, subscription->epoch);
    returns_begin(&subscription->history->returns, queue_lease_returns(&queue->lease));
    if (wait_for_returns(subscription, err) != 0)
        return -1;
    subscription->history->returns.acked = false;
    if (wait_for_predecessor(subscription, &state, err) != 0 ||
        wait_until_retracted(subscription, err) != 0)
        return -1;
    if (queue_is_stopping(queue)) { /* the predecessor may not be gone yet: take nothing any more */
        subscription_apply(subscription, SUBSCRIPTION_ON_STOP);
        return 0;
    }
    return subscribe(subscription, &state, err);
}
