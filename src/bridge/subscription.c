#include "bridge/subscription.h"

#include "base/clock.h"
#include "base/log.h"
#include "bridge/policy.h"

/* A successor takes the place when it was not renewed for a while, and waits a number of heartbeats
   for this consumer to go. By then it must be gone: what it gave back any later would come after
   newer messages. */
static bool place_expired(const struct subscription *subscription, const struct stream_place *place)
{
    const struct broker_port *port = &subscription->stream->ports.broker;
    int64_t limit_ms = LEASE_EXPIRES_MS +
                       (int64_t)ALONE_HEARTBEATS * 1000 * port->heartbeat_s(subscription->broker) -
                       FENCE_MARGIN_MS;

    return clock_monotonic_ms() - place->renewed_at_ms > limit_ms;
}

/* The end need not wait for what nothing but time or a person can mend: it comes back to the next
   start. Nor for what is still under way, when there is no room for it and none becomes free. */
static const char *reason_to_give_up(const struct subscription *subscription)
{
    struct stream *stream = subscription->stream;
    bool is_full = subscription->cancelled &&
                   subscription->in_hand.bytes >= run_room(&subscription->run, stream);
    size_t stuck = 0;

    if ((!subscription->drained && !is_full) || subscription->in_hand.count == 0)
        return NULL;
    if (breaker_is_open(&stream->breaker))
        return "the breaker is open: what is in hand goes back to the broker";
    for (int i = 0; i < stream->settings.writers; i++)
        stuck += parked_stuck(&stream->writers[i].parked);
    if (stuck > 0 && in_hand_undone(&subscription->in_hand) <= stuck)
        return "what is parked could not be committed: it goes back to the broker";
    return NULL;
}

const char *subscription_reason_to_leave(const struct subscription *subscription)
{
    struct stream_place place = stream_place(subscription->stream);
    const struct message *oldest = subscription->in_hand.oldest;

    if (!place.held || place.epoch != subscription->epoch)
        return "another instance holds the queue";
    if (place_expired(subscription, &place))
        return "the right to write was not renewed for too long, another instance may have taken "
               "the queue over";
    if (atomic_load(&subscription->stream->broken))
        return "a writer could not go on";
    if (oldest != NULL && clock_monotonic_ms() - oldest->arrived_at_ms > HOLD_LIMIT_MS)
        return "messages were in hand for too long, the broker takes them back until the database "
               "is there";
    return reason_to_give_up(subscription);
}

/* A predecessor that is silent, or our own last connection, may still hold deliveries, which the
   broker will hand out again, late: wait until the broker has dropped it. Returns -1 when the
   connection fails or the place is lost meanwhile, 0 otherwise, also when the daemon stops. */
static int wait_until_alone(struct subscription *subscription, struct broker_queue_state *state,
                            struct error *err)
{
    struct stream *stream = subscription->stream;
    const struct broker_port *port = &stream->ports.broker;
    const int64_t began_ms = clock_monotonic_ms();
    bool told = false;

    for (;;) {
        const char *why;

        pulse_beat(&stream->tally.consumer);
        if (port->inspect(subscription->broker, subscription_queue(subscription), state, err) != 0)
            return -1;
        why = subscription_reason_to_leave(subscription);
        if (why != NULL)
            return error_set(err, ERROR_UNAVAILABLE, "the subscription does not begin",
                             subscription_queue(subscription), "%s", why);
        if (atomic_load(&stream->stopping))
            return 0;
        if (outstanding_gone(atomic_load(&stream->outstanding), state->consumers,
                             clock_monotonic_ms() - began_ms,
                             port->heartbeat_s(subscription->broker))) {
            stream_settled(stream, subscription->epoch);
            return 0;
        }
        if (!told)
            log_event(LOG_WARNING, "waiting_for_predecessor",
                      "the broker may still hold deliveries for another consumer",
                      LOG_TEXT("queue", subscription_queue(subscription)),
                      LOG_NUMBER("consumers", state->consumers));
        told = true;
        tally_stage(&stream->tally, STAGE_ALONE);
        stream_sleep(stream, ALONE_CHECK_MS);
        if (port->idle(subscription->broker, -1, 0, err) != 0)
            return -1;
    }
}

/* Until no successor can read in the row that the broker counts us, for now it does not. Returns as
   above. */
static int wait_until_hidden(struct subscription *subscription, struct error *err)
{
    struct stream *stream = subscription->stream;

    while (!atomic_load(&stream->stopping) && !stream_hide(stream)) {
        const char *why = subscription_reason_to_leave(subscription);

        if (why != NULL)
            return error_set(err, ERROR_UNAVAILABLE, "the subscription does not begin",
                             subscription_queue(subscription), "%s", why);
        pulse_beat(&stream->tally.consumer);
        if (stream->ports.broker.idle(subscription->broker, stream->wake_fd, IDLE_WAIT_MS, err) !=
            0)
            return -1;
        stream_clear_wake(stream);
    }
    return 0;
}

int subscription_begin(struct subscription *subscription, struct error *err)
{
    struct stream *stream = subscription->stream;
    const struct broker_port *port = &stream->ports.broker;
    struct stream_place place = stream_place(stream);
    struct broker_queue_state state;
    int prefetch;

    subscription->epoch = place.epoch;
    tally_stage(&stream->tally, STAGE_CONNECTING);
    if (port->open(port->context, &subscription->broker, err) != 0)
        return -1;
    atomic_store(&stream->epoch, place.epoch);
    atomic_store(&stream->broken, false);
    if (wait_until_alone(subscription, &state, err) != 0 ||
        wait_until_hidden(subscription, err) != 0)
        return -1;
    if (atomic_load(&stream->stopping)) { /* perhaps not alone yet: take nothing any more */
        subscription->cancelled = true;
        subscription->drained = true;
        return 0;
    }
    subscription->begun = true;
    stream_leave_behind(
        stream,
        OUTSTANDING_CLOSED); /* an answer that never comes must not hide that it was subscribed */
    prefetch = window_begin(&stream->window, stream_window(stream));
    subscription->prefetch = prefetch;
    if (port->subscribe(subscription->broker, subscription_queue(subscription), prefetch, err) != 0)
        return -1;
    atomic_store(&stream->tally.window, prefetch);
    starved_begin(&stream->starved);
    stream_counted(stream, subscription->epoch);
    run_begin(&subscription->run, prefetch);
    subscription->expects_first = state.messages > 0;
    subscription->last_delivery_ms = clock_monotonic_ms();
    tally_stage(&stream->tally, STAGE_CONSUMING);
    log_event(LOG_INFO, "consuming", "the queue is being consumed",
              LOG_TEXT("queue", subscription_queue(subscription)),
              LOG_TEXT("entity", stream->settings.entity), LOG_NUMBER("prefetch", prefetch),
              LOG_NUMBER("writers", stream->settings.writers), LOG_NUMBER("epoch", place.epoch));
    return 0;
}
