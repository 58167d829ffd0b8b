#include "bridge/consumer.h"

#include "base/clock.h"
#include "base/log.h"
#include "bridge/policy.h"
#include "bridge/subscription.h"
#include "bridge/writer.h"

/* A clock that is wrong beyond belief counts as none. */
static void take_timestamp(struct change *change, const struct delivery *delivery)
{
    uint64_t latest = (uint64_t)(clock_wall_s() + FUTURE_TIMESTAMP_S);

    change->has_time = delivery->has_timestamp &&
                       delivery->timestamp_s >= (uint64_t)POSTGRES_EPOCH_S &&
                       delivery->timestamp_s <= latest;
    if (change->has_time)
        change->source_time_pg_us = ((int64_t)delivery->timestamp_s - POSTGRES_EPOCH_S) * 1000000;
}

static void note_order(struct subscription *subscription, struct message *message)
{
    struct stream *stream = subscription->stream;
    bool late = message->delivery->redelivered && !subscription->run.open;

    if (late && atomic_fetch_add(&stream->late, 1) == 0)
        log_event(
            LOG_WARNING, "late_redelivery",
            "the broker returned a message out of order; an older state may show for a moment",
            LOG_TEXT("queue", subscription_queue(subscription)),
            LOG_TEXT("hint",
                     "a quorum queue keeps the order under a policy with a delivery-limit"));
    if (message->change == NULL)
        return;
    take_timestamp(message->change, message->delivery);
    message->change->may_be_late = late || stream->settings.order_by_timestamp;
}

/* Maps the delivery and gives it to the run or to its writer. -1 when there is no memory: the
   delivery is freed and comes back. */
static int accept(struct subscription *subscription, struct delivery *delivery, struct error *err)
{
    const struct mapper_port *port = &subscription->stream->ports.mapper;
    struct message *message = message_new(delivery, port->arena_limit(port->context));
    enum map_outcome outcome;

    if (message == NULL) {
        delivery_free(delivery);
        return error_no_memory(err);
    }
    outcome = port->map(subscription->mapper, delivery->body, &message->arena, &message->change,
                        &message->refusal);
    if (outcome == MAP_NO_MEMORY) {
        message_free(message);
        return error_no_memory(err);
    }
    message->refused = outcome == MAP_REFUSED;
    if (message->refused)
        message->change = NULL;
    message->arrived_at_ms = subscription->last_delivery_ms;
    if (!delivery->redelivered)
        run_end(&subscription->run, subscription->stream, "first_delivery");
    note_order(subscription, message);
    in_hand_add(&subscription->in_hand, message);
    if (subscription->run.open)
        run_hold(&subscription->run, subscription->stream, message, subscription->in_hand.count);
    else
        writer_enqueue(writer_for(subscription->stream, message), message, message);
    return 0;
}

static bool is_silent(const struct subscription *subscription)
{
    return !subscription->expects_first && subscription->in_hand.count < subscription->run.window &&
           clock_monotonic_ms() - subscription->last_delivery_ms >= LEADING_RUN_SILENCE_MS;
}

/* Nothing is taken until there is room, or, once all was delivered, until all is done. A leading
   run for which there is no room goes on afterwards: it is committed in parts, in order. */
static int wait_for_room(struct subscription *subscription, struct error *err)
{
    struct stream *stream = subscription->stream;
    int result;

    if (subscription->drained)
        run_end(&subscription->run, stream, "cancel");
    else
        run_release(&subscription->run, stream, "max_unacknowledged_bytes");
    result = stream->ports.broker.idle(subscription->broker, stream->wake_fd, IDLE_WAIT_MS, err);
    subscription->last_delivery_ms = clock_monotonic_ms(); /* the silence was ours */
    if (!subscription->drained)
        window_full(&stream->window);
    if (result != 0 && window_lost(&stream->window, subscription->in_hand.count))
        log_event(
            LOG_WARNING, "prefetch_reduced",
            "the connection was lost while there was no room for more: fewer messages are taken "
            "ahead from now on",
            LOG_TEXT("queue", subscription_queue(subscription)),
            LOG_NUMBER("messages", subscription->in_hand.count),
            LOG_TEXT("hint",
                     "raise limits.max_unacknowledged_bytes, or lower prefetch of the queue"));
    return result;
}

/* While the breaker is open one message must be in hand, to be tried; more would only become old. A
   leading run is taken as a whole. */
static bool breaker_holds(const struct subscription *subscription)
{
    return breaker_is_open(&subscription->stream->breaker) && subscription->in_hand.count > 0 &&
           !subscription->run.open && !subscription->cancelled;
}

/* Messages that the broker sent and that are not here yet; each acknowledgement lets it send more.
 */
static bool is_under_way(const struct subscription *subscription)
{
    int64_t last_ms = subscription->last_delivery_ms > subscription->last_ack_ms
                          ? subscription->last_delivery_ms
                          : subscription->last_ack_ms;

    return subscription->in_hand.count < (size_t)subscription->prefetch &&
           clock_monotonic_ms() - last_ms < UNDER_WAY_MS;
}

/* A quorum queue of RabbitMQ 3.10 takes back what is under way to a cancelled consumer in any
   order, and an older message would come after a newer one. So the daemon that stops first lets the
   broker send all that it may. */
static bool holds_acks(const struct subscription *subscription)
{
    return subscription->stop_began_ms != 0 && !subscription->cancelled &&
           clock_monotonic_ms() - subscription->stop_began_ms < UNDER_WAY_LIMIT_MS;
}

/* One wait for a delivery, for done messages, or for the end of the run's silence. */
static int wait_and_take(struct subscription *subscription, struct error *err)
{
    struct stream *stream = subscription->stream;
    const struct broker_port *port = &stream->ports.broker;
    int timeout_ms = holds_acks(subscription) ? UNDER_WAY_MS
                     : subscription->run.open ? LEADING_RUN_SILENCE_MS
                                              : IDLE_WAIT_MS;
    struct delivery *delivery = NULL;
    int result;

    if (subscription->drained || breaker_holds(subscription) ||
        subscription->in_hand.bytes >= run_room(&subscription->run, stream))
        return wait_for_room(subscription, err);
    window_room(&stream->window);
    result = port->next(subscription->broker, stream->wake_fd,
                        subscription->cancelled ? 0 : timeout_ms, &delivery, err);
    if (result == 1) {
        subscription->last_delivery_ms = clock_monotonic_ms();
        subscription->expects_first = false;
        starved_end(&stream->starved);
        atomic_store(&stream->last_message_us, stream_now_us());
        atomic_fetch_add(&stream->delivered, 1);
        return accept(subscription, delivery, err);
    }
    subscription->drained = result == 0 && subscription->cancelled;
    if (result == 0 && is_silent(subscription))
        run_end(&subscription->run, stream, "silence");
    return result;
}

static void note_ack(struct subscription *subscription)
{
    subscription->useful = true;
    if (subscription->in_hand.count < subscription->run.window && subscription->run.open)
        subscription->last_delivery_ms =
            clock_monotonic_ms(); /* more may come from now on: the silence was ours */
    subscription->last_ack_ms = clock_monotonic_ms();
}

/* Of messages, or of bytes. */
static bool is_half_full(const struct subscription *subscription)
{
    return subscription->in_hand.count >= (size_t)subscription->prefetch / 2 ||
           subscription->in_hand.bytes >= run_room(&subscription->run, subscription->stream) / 2;
}

/* A parked message would stop the queue once a window of others is committed behind it. No message
   of its id is among these: they are parked as well. */
static int acknowledge_behind_parked(struct subscription *subscription, struct error *err)
{
    const struct broker_port *port = &subscription->stream->ports.broker;
    uint64_t tags[256];
    size_t count;
    int result = 0;

    if (!is_half_full(subscription) || stream_parked(subscription->stream) == 0)
        return 0;
    do {
        count = in_hand_settle_behind(&subscription->in_hand, tags, sizeof(tags) / sizeof(tags[0]));
        for (size_t i = 0; i < count && result == 0; i++)
            result = port->ack_one(subscription->broker, tags[i], err);
        if (count > 0)
            note_ack(subscription);
    } while (result == 0 && count == sizeof(tags) / sizeof(tags[0]));
    return result;
}

static int acknowledge(struct subscription *subscription, struct error *err)
{
    uint64_t tag;

    if (holds_acks(subscription))
        return 0;
    if (in_hand_settle(&subscription->in_hand, &tag)) {
        note_ack(subscription);
        if (subscription->stream->ports.broker.ack(subscription->broker, tag, err) != 0)
            return -1;
    }
    return acknowledge_behind_parked(subscription, err);
}

/* The daemon stops: take nothing more, once no successor trusts the count of consumers. What was
   delivered stays ours until then, and is not counted. While the database is away nobody can be
   told; without anything in hand there is nothing to wait for. */
static int begin_to_stop(struct subscription *subscription, bool *leave, struct error *err)
{
    struct stream *stream = subscription->stream;

    if (subscription->stop_began_ms == 0)
        subscription->stop_began_ms = clock_monotonic_ms();
    if (holds_acks(subscription) && is_under_way(subscription))
        return 0;
    if (!stream_hide(stream)) {
        *leave = subscription->in_hand.count == 0 && !stream_place(stream).database_ok;
        return 0;
    }
    stream_leave_behind(stream, OUTSTANDING_UNCOUNTED);
    subscription->cancelled = true;
    return stream->ports.broker.cancel(subscription->broker, err);
}

/* All is acknowledged: the answer to any question means that the broker has read that. */
static int finish(struct subscription *subscription, struct error *err)
{
    struct stream *stream = subscription->stream;
    struct broker_queue_state state;

    if (subscription->begun &&
        stream->ports.broker.inspect(subscription->broker, subscription_queue(subscription), &state,
                                     err) != 0)
        return -1;
    if (subscription->begun)
        stream_settled(stream, subscription->epoch);
    return 0;
}

/* When nothing is in hand. Returns -1 when another subscription is worth its while. */
static int look_around(struct subscription *subscription, struct error *err)
{
    struct stream *stream = subscription->stream;
    struct broker_queue_state state;
    int starved;

    if (subscription->cancelled || subscription->in_hand.count > 0) {
        starved_begin(&stream->starved);
        return 0;
    }
    if (window_may_grow(&stream->window, stream_window(stream)))
        return error_set(err, ERROR_UNAVAILABLE, "the subscription ends",
                         subscription_queue(subscription),
                         "there was room for some time: more messages are taken ahead from now on");
    starved =
        starved_look(&stream->starved, &stream->ports.broker, subscription->broker, &state, err);
    if (starved <= 0)
        return starved;
    atomic_fetch_add(&stream->tally.starved, 1);
    error_set(err, ERROR_UNAVAILABLE, "the subscription ends", subscription_queue(subscription),
              "%u messages are ready and none is delivered, to %u consumers", state.messages,
              state.consumers);
    return error_hint(err, "another consumer may have its turn (single active consumer), or the "
                           "broker forgot this one");
}

/* Consumes until the daemon stops (0) or the subscription has to end (-1). */
static int consume(struct subscription *subscription, struct error *err)
{
    struct stream *stream = subscription->stream;
    bool leave = false;

    while (!leave) {
        const char *why;

        stream_clear_wake(stream);
        if (acknowledge(subscription, err) != 0 || look_around(subscription, err) != 0)
            return -1;
        tally_in_hand(&stream->tally, &subscription->in_hand);
        why = subscription_reason_to_leave(subscription);
        if (why != NULL)
            return error_set(err, ERROR_UNAVAILABLE, "the subscription ends",
                             subscription_queue(subscription), "%s", why);
        if (atomic_load(&stream->stopping) && !subscription->cancelled &&
            begin_to_stop(subscription, &leave, err) != 0)
            return -1;
        if (subscription->drained && subscription->in_hand.count == 0)
            return finish(subscription, err);
        if (!leave && wait_and_take(subscription, err) < 0)
            return -1;
    }
    return 0;
}

/* One connection from open to close. Returns 0 when the daemon stops and all is acknowledged, else
   -1. *useful tells whether it is worth beginning the next one soon. */
static int run_subscription(struct stream *stream, void *mapper, bool *useful, struct error *err)
{
    int64_t began_ms = clock_monotonic_ms();
    struct subscription subscription = { .stream = stream, .mapper = mapper };
    int result;

    in_hand_init(&subscription.in_hand);
    result = subscription_begin(&subscription, err);
    if (result == 0)
        result = consume(&subscription, err);
    /* One that only takes messages and gives them back must not be tried again and again at once:
       brokers count deliveries. */
    *useful = subscription.useful ||
              (subscription.begun && clock_monotonic_ms() - began_ms > RETRY_POLICY.cap_ms);
    if (result != 0 && subscription.in_hand.count > 0)
        atomic_store(&stream->gave_up, atomic_load(&stream->stopping));
    tally_stage(&stream->tally, STAGE_CONNECTING);
    /* Closed first: the broker takes everything back while the writers finish what they are at. */
    if (subscription.broker != NULL)
        stream->ports.broker.close(subscription.broker);
    stream_quiesce(stream);
    in_hand_release(&subscription.in_hand);
    tally_in_hand(&stream->tally, &subscription.in_hand);
    return result;
}

/* Until this instance holds the queue and the database answers. Returns false when the daemon
   stops. */
static bool wait_for_place(struct stream *stream)
{
    tally_stage(&stream->tally, STAGE_WAITING);
    pulse_rest(&stream->tally.consumer);
    pthread_mutex_lock(&stream->lock);
    while (!atomic_load(&stream->stopping) && !(stream->place.held && stream->place.database_ok))
        pthread_cond_wait(&stream->changed, &stream->lock);
    pthread_mutex_unlock(&stream->lock);
    pulse_beat(&stream->tally.consumer);
    return !atomic_load(&stream->stopping);
}

void *consumer_main(void *argument)
{
    struct stream *stream = argument;
    struct backoff backoff;
    void *mapper = NULL;

    backoff_init(&backoff, RETRY_POLICY);
    while (wait_for_place(stream)) {
        struct error err;
        bool useful = false;
        int wait_ms;

        error_no_memory(&err);
        if (mapper == NULL)
            mapper = stream->ports.mapper.open(stream->ports.mapper.context);
        if (mapper != NULL && run_subscription(stream, mapper, &useful, &err) == 0)
            break;
        if (useful)
            backoff_reset(&backoff);
        wait_ms = backoff_next_ms(&backoff);
        trouble_note(&stream->tally.broker, "broker_unavailable", &err, NULL, 0);
        log_error(LOG_WARNING, "broker_unavailable", &err,
                  (const struct log_field[]){ LOG_TEXT("queue", stream->settings.queue),
                                              LOG_NUMBER("retry_ms", wait_ms),
                                              { 0 } });
        stream_sleep(stream, wait_ms);
    }
    if (mapper != NULL)
        stream->ports.mapper.close(mapper);
    tally_stage(&stream->tally, STAGE_STOPPED);
    pulse_rest(&stream->tally.consumer);
    return NULL;
}
