#include "bridge/consume/consumer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "bridge/consume/acceptance.h"
#include "bridge/timing.h"

/*
 * One loop, woken by the socket and by the doorbell, and each turn looks at everything: what is
 * committed is acknowledged, reasons to end are looked for, and one delivery is taken if there is
 * room. There is no queue between this thread and the writers that could overflow, and no lock is
 * held while it waits: backpressure is not to read the socket, so the broker keeps the rest.
 */

/* Waits, without taking a delivery, until there is room or, once everything was delivered, until
   everything is committed. Redelivered messages for which there is no room yet follow later, so
   they are committed in parts, in order. */
static int wait_for_room(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;
    bool drained = subscription_has_reached(subscription, SUBSCRIPTION_DRAINED);
    int result;

    if (drained)
        redelivered_end(&subscription->redelivered, "cancel");
    else
        redelivered_release(&subscription->redelivered, "max_unacknowledged_bytes");
    result = queue->ports.broker.idle(subscription->broker, queue->consumer.fd, IDLE_WAIT_MS, err);
    subscription->last_delivery_ms = clock_monotonic_ms(); /* the silence was ours */
    if (!drained)
        prefetch_note_full(&subscription->history->prefetch);
    if (result != 0 && prefetch_lost(&subscription->history->prefetch, subscription->unacked.count))
        log_event(
            LOG_WARNING, "prefetch_reduced",
            "the connection was lost while there was no room for more messages, so fewer are "
            "prefetched from now on",
            LOG_TEXT("queue", queue->name), LOG_NUMBER("messages", subscription->unacked.count),
            LOG_TEXT("hint",
                     "raise limits.max_unacknowledged_bytes, or lower prefetch of the queue"));
    return result;
}

/* While the breaker is open, it needs one message to try; more would only grow old. Redelivered
   messages are taken as a whole. */
static bool breaker_holds(const struct subscription *subscription)
{
    return writers_breaker_is_open(subscription->writers) && subscription->unacked.count > 0 &&
           !subscription->redelivered.open &&
           !subscription_has_reached(subscription, SUBSCRIPTION_CANCELLED);
}

/* Whether messages that the broker sent may not have arrived yet; each acknowledgement lets it send
   more. */
static bool is_under_way(const struct subscription *subscription)
{
    int64_t last_ms = subscription->last_delivery_ms > subscription->last_ack_ms
                          ? subscription->last_delivery_ms
                          : subscription->last_ack_ms;

    return subscription->unacked.count < (size_t)subscription->prefetch &&
           clock_monotonic_ms() - last_ms < UNDER_WAY_MS;
}

/* A quorum queue of RabbitMQ 3.10 takes back what is on its way to a cancelled consumer in any
   order, and an older message would come after a newer one. So the daemon that stops first lets the
   broker send all that it may, and acknowledges nothing meanwhile. */
static bool holds_acks(const struct subscription *subscription)
{
    return subscription->state == SUBSCRIPTION_STOPPING &&
           clock_monotonic_ms() - subscription->stop_began_ms < UNDER_WAY_LIMIT_MS;
}

/* Returns how long to wait for a delivery. */
static int wait_ms(const struct subscription *subscription)
{
    if (subscription_has_reached(subscription, SUBSCRIPTION_CANCELLED))
        return 0;
    if (holds_acks(subscription))
        return UNDER_WAY_MS;
    return subscription->redelivered.open ? REDELIVERED_SILENCE_MS : IDLE_WAIT_MS;
}

/* Waits once: for a delivery, for committed messages, for an answer of the broker, or for the
   silence with which the redelivered messages may have ended. */
static int wait_and_take(struct subscription *subscription, void *mapper, struct error *err)
{
    struct queue *queue = subscription->queue;
    struct delivery *delivery = NULL;
    int result;

    if (subscription_has_reached(subscription, SUBSCRIPTION_DRAINED) ||
        breaker_holds(subscription) ||
        subscription->unacked.bytes >= subscription_room(subscription))
        return wait_for_room(subscription, err);
    prefetch_note_room(&subscription->history->prefetch);
    result = queue->ports.broker.next(subscription->broker, queue->consumer.fd,
                                      wait_ms(subscription), &delivery, err);
    if (result == 1) {
        subscription->redelivered.first_expected = false;
        stalled_end(&subscription->history->stalled);
        others_delivered(&subscription->history->others);
        counters_delivery(&queue->counters);
        return acceptance_take(subscription, mapper, delivery, err);
    }
    if (result == 0)
        subscription_apply(subscription, SUBSCRIPTION_ON_EXHAUSTED);
    return result;
}

static void note_ack(struct subscription *subscription)
{
    int64_t now_ms = clock_monotonic_ms();

    subscription->useful = true;
    subscription->history->returns.acked = true;
    subscription->last_ack_ms = now_ms;
    if (subscription->unacked.count < subscription->redelivered.prefetch &&
        subscription->redelivered.open)
        subscription->last_delivery_ms =
            now_ms; /* more may come from now on: the silence was ours */
}

/* Whether half of the messages or half of the bytes that may be unacknowledged are. */
static bool is_half_full(const struct subscription *subscription)
{
    return subscription->unacked.count >= (size_t)subscription->prefetch / 2 ||
           subscription->unacked.bytes >= subscription_room(subscription) / 2;
}

/* A quarantined message would stop the queue once a whole prefetch of other messages is
   committed behind it. No message of its id is acknowledged before it, because those are
   quarantined as well. */
static int acknowledge_behind_quarantined(struct subscription *subscription, struct error *err)
{
    const struct broker_port *port = &subscription->queue->ports.broker;
    uint64_t tags[256];
    const size_t max = sizeof(tags) / sizeof(tags[0]);
    size_t count;
    int result = 0;

    if (!is_half_full(subscription) || writers_quarantined(subscription->writers) == 0)
        return 0;
    do {
        count = unacked_take_committed_behind(&subscription->unacked, tags, max);
        for (size_t i = 0; i < count && result == 0; i++)
            result = port->ack_one(subscription->broker, tags[i], err);
        if (count > 0)
            note_ack(subscription);
    } while (result == 0 && count == max);
    return result;
}

static int acknowledge(struct subscription *subscription, struct error *err)
{
    uint64_t tag;

    if (holds_acks(subscription))
        return 0;
    if (unacked_take_committed(&subscription->unacked, &tag)) {
        note_ack(subscription);
        if (subscription->queue->ports.broker.ack(subscription->broker, tag, err) != 0)
            return -1;
    }
    return acknowledge_behind_quarantined(subscription, err);
}

/* The daemon stops. First the redelivered messages come to their end: the broker sends no more of
   them to a cancelled subscription, and what is held so far may be older than the rows. The
   subscription is cancelled once no successor trusts the count of consumers, because a cancelled
   consumer may still have deliveries and is not counted. While the database is away the row cannot
   be written, and without unacknowledged messages there is nothing to wait for. */
static int begin_to_stop(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;

    if (subscription->state == SUBSCRIPTION_CONSUMING)
        subscription->stop_began_ms = clock_monotonic_ms();
    subscription_apply(subscription, SUBSCRIPTION_ON_STOP);
    if ((holds_acks(subscription) && is_under_way(subscription)) ||
        subscription->redelivered.held > 0)
        return 0;
    if (!queue_lease_retract(&queue->lease)) {
        if (subscription->unacked.count == 0 && !queue_lease_view(&queue->lease).database_ok)
            subscription_apply(subscription, SUBSCRIPTION_ON_LEAVE);
        return 0;
    }
    queue_lease_leave_behind(&queue->lease, HANDOVER_UNCOUNTED);
    subscription_apply(subscription, SUBSCRIPTION_ON_CANCEL);
    return queue->ports.broker.cancel(subscription->broker, err);
}

/* Everything is acknowledged. When the broker answers any question after that, it has read the
   acknowledgements. */
static int finish(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;
    struct broker_queue_state state;

    if (queue->ports.broker.inspect(subscription->broker, queue->name, &state, err) != 0)
        return -1;
    queue_lease_clear_handover(&queue->lease, subscription->epoch);
    subscription_apply(subscription, SUBSCRIPTION_ON_ALL_ACKED);
    return 0;
}

/* Whether the broker has yet to answer another question than the caller's. Only one is open at a
   time, because an answer does not say which question it belongs to. */
static bool another_question_is_open(const struct subscription *subscription, bool own_is_open)
{
    const struct consume_history *history = subscription->history;

    return !own_is_open &&
           (history->others.asked || history->stalled.asked || subscription->redelivered.asked);
}

/* Tells people when another client consumes the queue, too: its share of the messages never comes
   here. */
static int look_at_others(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;
    struct others *others = &subscription->history->others;
    bool changed = false;
    int result;

    if (subscription_has_reached(subscription, SUBSCRIPTION_CANCELLED) ||
        another_question_is_open(subscription, others->asked))
        return 0;
    result = others_check(others, &queue->ports.broker, subscription->broker, &changed, err);
    if (result <= 0)
        return result;
    counters_other_consumers(&queue->counters, others->told);
    if (changed && others->told > 0)
        log_event(LOG_WARNING, "other_consumers",
                  "other clients consume the queue as well: their messages never come here",
                  LOG_TEXT("queue", queue->name), LOG_NUMBER("others", others->told),
                  LOG_TEXT("hint", "find them with rabbitmqctl list_consumers and stop them; what "
                                   "they took has to be published again"));
    else if (changed)
        log_event(LOG_INFO, "other_consumers_gone", "no other client consumes the queue any more",
                  LOG_TEXT("queue", queue->name));
    return 0;
}

/* Looks for a reason to begin another subscription while nothing is unacknowledged. Returns -1 when
   there is one. */
static int check_for_better(struct subscription *subscription, struct error *err)
{
    struct queue *queue = subscription->queue;
    struct broker_queue_state state;
    int stalled;

    if (subscription_has_reached(subscription, SUBSCRIPTION_CANCELLED) ||
        subscription->unacked.count > 0) {
        stalled_reset(&subscription->history->stalled);
        return 0;
    }
    if (subscription->takes_one &&
        !returns_are_last(returns_highest(&subscription->history->returns)))
        return error_set(err, ERROR_UNAVAILABLE, "the subscription ends", queue->name,
                         "what came back too often is committed, so messages need not be taken one "
                         "at a time any more");
    if (prefetch_may_grow(&subscription->history->prefetch))
        return error_set(
            err, ERROR_UNAVAILABLE, "the subscription ends", queue->name,
            "there was room for some time, so more messages are prefetched from now on");
    if (another_question_is_open(subscription, subscription->history->stalled.asked))
        return 0;
    stalled = stalled_check(&subscription->history->stalled, &queue->ports.broker,
                            subscription->broker, &state, err);
    if (stalled <= 0)
        return stalled;
    atomic_fetch_add(&queue->counters.stalled, 1);
    error_set(err, ERROR_UNAVAILABLE, "the subscription ends", queue->name,
              "%u messages are ready and none is delivered (consumers: %u)", state.messages,
              state.consumers);
    return error_hint(err, "another consumer may have its turn (single active consumer), or the "
                           "broker forgot this one");
}

/* Asks the broker whether more redelivered messages are to come, when none has come for a while
   although the broker may deliver. */
static int look_for_more_redelivered(struct subscription *subscription, struct error *err)
{
    struct redelivered *redelivered = &subscription->redelivered;

    if (!redelivered->open || redelivered->first_expected ||
        subscription->unacked.count >= redelivered->prefetch ||
        subscription_has_reached(subscription, SUBSCRIPTION_CANCELLED) ||
        another_question_is_open(subscription, redelivered->asked))
        return 0;
    return redelivered_ask(redelivered, &subscription->queue->ports.broker, subscription->broker,
                           clock_monotonic_ms() - subscription->last_delivery_ms, err);
}

static void count_unacknowledged(const struct subscription *subscription)
{
    const struct unacked *unacked = &subscription->unacked;

    counters_unacknowledged(&subscription->queue->counters, unacked->count, unacked->bytes,
                            unacked_oldest_ms(unacked));
}

/* One turn: acknowledges, looks for reasons to end, and takes a delivery. */
static int consume_once(struct subscription *subscription, void *mapper, struct error *err)
{
    struct queue *queue = subscription->queue;
    const char *why;

    doorbell_clear(&queue->consumer);
    if (acknowledge(subscription, err) != 0 || look_at_others(subscription, err) != 0 ||
        check_for_better(subscription, err) != 0 ||
        look_for_more_redelivered(subscription, err) != 0)
        return -1;
    acceptance_forget_returns(subscription);
    count_unacknowledged(subscription);
    why = subscription_reason_to_leave(subscription);
    if (why != NULL)
        return error_set(err, ERROR_UNAVAILABLE, "the subscription ends", queue->name, "%s", why);
    if (queue_is_stopping(queue) &&
        !subscription_has_reached(subscription, SUBSCRIPTION_CANCELLED) &&
        begin_to_stop(subscription, err) != 0)
        return -1;
    if (subscription->state == SUBSCRIPTION_DRAINED && subscription->unacked.count == 0)
        return finish(subscription, err);
    if (subscription->state == SUBSCRIPTION_FINISHED)
        return 0;
    return wait_and_take(subscription, mapper, err);
}

/* Whether the next subscription may begin soon. One that only takes messages and gives them back
   must not be repeated at once, because brokers count deliveries. */
static bool was_worth_it(const struct subscription *subscription, int64_t began_ms)
{
    return subscription->useful ||
           (subscription_has_reached(subscription, SUBSCRIPTION_SUBSCRIBING) &&
            clock_monotonic_ms() - began_ms > RETRY_POLICY.cap_ms);
}

/* One connection from open to close. Returns 0 when the daemon stops and everything is
   acknowledged, else -1. */
static int run_subscription(struct consumer *consumer, void *mapper, bool *worth_it,
                            struct error *err)
{
    struct queue *queue = consumer->queue;
    int64_t began_ms = clock_monotonic_ms();
    struct subscription subscription;
    int result;

    subscription_init(&subscription, queue, consumer->writers, &consumer->settings,
                      &consumer->history);
    result = subscription_begin(&subscription, err);
    while (result >= 0 && subscription.state != SUBSCRIPTION_FINISHED)
        result = consume_once(&subscription, mapper, err);
    *worth_it = was_worth_it(&subscription, began_ms);
    if (result < 0 && subscription.unacked.count > 0) {
        atomic_store(&consumer->gave_up, queue_is_stopping(queue));
        if (!subscription.useful)
            queue_lease_doubt_tables(&queue->lease);
    }
    counters_stage(&queue->counters, STAGE_CONNECTING);
    counters_other_consumers(&queue->counters, 0);
    subscription_release(&subscription);
    count_unacknowledged(&subscription);
    return result < 0 ? -1 : 0;
}

/* Waits until this instance holds the lease, the database answers and the tables are in order.
   Returns false when the daemon stops. */
static bool wait_for_lease(struct queue *queue)
{
    struct lease_view lease = queue_lease_view(&queue->lease);

    counters_stage(&queue->counters, STAGE_WAITING);
    liveness_rest(&queue->counters.consumer);
    while (!queue_is_stopping(queue) && !(lease.held && lease.database_ok && lease.tables_ok)) {
        doorbell_wait(&queue->consumer, -1);
        lease = queue_lease_view(&queue->lease);
    }
    liveness_beat(&queue->counters.consumer);
    return !queue_is_stopping(queue);
}

static void report_failure(struct queue *queue, const struct error *err, int retry_ms)
{
    last_error_set(&queue->counters.broker_error, "broker_unavailable", err, NULL, 0);
    log_error(LOG_WARNING, "broker_unavailable", err,
              (const struct log_field[]){
                  LOG_TEXT("queue", queue->name), LOG_NUMBER("retry_ms", retry_ms), { 0 } });
}

static void *consumer_main(void *argument)
{
    struct consumer *consumer = argument;
    struct queue *queue = consumer->queue;
    const struct mapper_port *port = &queue->ports.mapper;
    struct backoff backoff;
    void *mapper = NULL;

    backoff_init(&backoff, RETRY_POLICY);
    while (wait_for_lease(queue)) {
        struct error err;
        bool worth_it = false;
        int retry_ms;

        error_no_memory(&err);
        if (mapper == NULL)
            mapper = port->open(port->context);
        if (mapper != NULL && run_subscription(consumer, mapper, &worth_it, &err) == 0)
            break;
        if (worth_it)
            backoff_reset(&backoff);
        retry_ms = backoff_next_ms(&backoff);
        report_failure(queue, &err, retry_ms);
        queue_pause(queue, retry_ms);
    }
    if (mapper != NULL)
        port->close(mapper);
    counters_stage(&queue->counters, STAGE_STOPPED);
    liveness_rest(&queue->counters.consumer);
    return NULL;
}

void consumer_init(struct consumer *consumer, struct queue *queue, struct writers *writers,
                   const struct consume_settings *settings)
{
    *consumer = (struct consumer){ .queue = queue, .writers = writers, .settings = *settings };
    prefetch_init(&consumer->history.prefetch,
                  settings->prefetch_limit > 0 ? settings->prefetch_limit : settings->prefetch);
}

int consumer_start(struct consumer *consumer, struct error *err)
{
    return thread_start(&consumer->thread, "consumer", consumer_main, consumer, err);
}

void consumer_join(struct consumer *consumer)
{
    pthread_join(consumer->thread, NULL);
}
