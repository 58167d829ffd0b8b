#include "amqp/consumer.h"

#include "amqp/connect.h"
#include "amqp/incoming.h"
#include "amqp/wire.h"
#include "base/clock.h"
#include "model/returns.h"

#include <poll.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * rabbitmq-c's own amqp_consume_message() is not used. Its timeout covers the first frame of a
 * delivery and not the header and the body after it, and it sends heartbeats only while it reads,
 * whereas backpressure means not to read for minutes. So this file sends the methods itself
 * (wire.h) and takes one frame at a time: the parts of a delivery go to incoming.h, an answer
 * changes the state below, and a close ends the connection. Every wait ends at a deadline, when
 * wake_fd becomes readable, or when the next heartbeat is due.
 */

/* Where basic.consume and basic.cancel have led. */
enum consumer_state {
    CONSUMER_NONE,
    CONSUMER_ACTIVE,
    CONSUMER_CANCELLING, /* basic.cancel was sent; until basic.cancel-ok, deliveries may follow */
};

struct amqp_consumer {
    struct wire wire;
    struct incoming incoming;
    enum consumer_state state;
    char *queue; /* the consumed queue, for error texts; NULL before the first subscribe */
    struct broker_queue_state answer;
    unsigned unanswered; /* how many questions of ask() the broker has not answered yet */
    bool is_answered;    /* the last of them is answered, and nobody has taken the answer yet */
};

static const char CONSUMER_TAG[] = "kopru";
static const char PRIORITY[] = "x-priority";
static const char LOST[] = "lost the connection to the broker";

int amqp_endpoint_check(const struct amqp_endpoint *endpoint, struct error *err)
{
    struct amqp_target target;
    int result = amqp_target_init(&target, endpoint, err);

    amqp_target_release(&target);
    return result;
}

static void consumer_close(void *handle)
{
    struct amqp_consumer *consumer = handle;

    if (consumer == NULL)
        return;
    wire_release(&consumer->wire);
    incoming_release(&consumer->incoming);
    free(consumer->queue);
    free(consumer);
}

static int consumer_open(void *context, void **out, struct error *err)
{
    struct amqp_target target;
    struct amqp_consumer *consumer = calloc(1, sizeof(*consumer));
    int result;

    if (consumer == NULL)
        return error_no_memory(err);
    incoming_init(&consumer->incoming);
    result = amqp_target_init(&target, context, err);
    if (result == 0)
        result = wire_open(&consumer->wire, &target, err);
    amqp_target_release(&target);
    if (result == 0)
        *out = consumer;
    else
        consumer_close(consumer);
    return result;
}

static void consumer_interrupt(void *handle)
{
    struct amqp_consumer *consumer = handle;

    wire_interrupt(&consumer->wire);
}

static int consumer_heartbeat_s(const void *handle)
{
    const struct amqp_consumer *consumer = handle;

    return consumer->wire.heartbeat_s;
}

static int consumer_longest_call_ms(const void *handle)
{
    const struct amqp_consumer *consumer = handle;

    return 4 * consumer->wire.rpc_timeout_ms; /* two methods in one call, each sent and answered */
}

static int check_queue_name(const char *queue, const char *what, struct error *err)
{
    size_t len = strlen(queue);

    if (len >= 1 && len <= 255)
        return 0;
    error_set(err, ERROR_CONFIG, what, queue, "a queue's name has 1 to 255 bytes");
    return error_hint(err, "check queues in the configuration");
}

/* Gives back the memory in which the library keeps decoded frames. */
static void release_frames(struct amqp_consumer *consumer)
{
    if (!incoming_needs_frames(&consumer->incoming))
        amqp_maybe_release_buffers(consumer->wire.connection);
}

static int consumer_inspect(void *handle, const char *queue, struct broker_queue_state *state,
                            struct error *err)
{
    static const char what[] = "cannot inspect the queue";
    struct amqp_consumer *consumer = handle;
    amqp_queue_declare_t request = { .queue = amqp_cstring_bytes(queue), .passive = 1 };
    const amqp_queue_declare_ok_t *found;
    amqp_method_t answer;

    if (check_queue_name(queue, what, err) != 0)
        return -1;
    if (wire_call(&consumer->wire, AMQP_QUEUE_DECLARE_METHOD, &request,
                  AMQP_QUEUE_DECLARE_OK_METHOD, &answer, what, queue, err) != 0)
        return -1;
    found = answer.decoded;
    *state = (struct broker_queue_state){ found->message_count, found->consumer_count };
    release_frames(consumer);
    return 0;
}

static int consumer_subscribe(void *handle, const char *queue, int prefetch, struct error *err)
{
    static const char what[] = "cannot subscribe to the queue";
    struct amqp_consumer *consumer = handle;
    struct wire *wire = &consumer->wire;
    amqp_basic_qos_t limit = { .prefetch_count = (uint16_t)prefetch };
    /* The default priority, but named: every queue takes it except a stream, which refuses an
       argument that it does not know. So a subscription to a stream never begins. */
    amqp_table_entry_t usual = { .key = amqp_cstring_bytes(PRIORITY),
                                 .value = { .kind = AMQP_FIELD_KIND_I32 } };
    amqp_basic_consume_t request = { .queue = amqp_cstring_bytes(queue),
                                     .consumer_tag = amqp_cstring_bytes(CONSUMER_TAG),
                                     .arguments = { 1, &usual } };
    amqp_method_t answer;

    if (check_queue_name(queue, what, err) != 0)
        return -1;
    if (prefetch < 1 || prefetch > UINT16_MAX) {
        error_set(err, ERROR_CONFIG, what, queue, "prefetch %d is not a number from 1 to 65535",
                  prefetch);
        return error_hint(err, "check prefetch of the queue in the configuration");
    }
    free(consumer->queue);
    consumer->queue = strdup(queue);
    if (consumer->queue == NULL)
        return error_no_memory(err);
    if (wire_call(wire, AMQP_BASIC_QOS_METHOD, &limit, AMQP_BASIC_QOS_OK_METHOD, &answer, what,
                  queue, err) != 0 ||
        wire_call(wire, AMQP_BASIC_CONSUME_METHOD, &request, AMQP_BASIC_CONSUME_OK_METHOD, &answer,
                  what, queue, err) != 0)
        return -1;
    consumer->state = CONSUMER_ACTIVE;
    release_frames(consumer);
    return 0;
}

int amqp_consumer_check_access(void *handle, const char *queue, struct error *err)
{
    static const char what[] = "cannot subscribe to the queue";
    struct amqp_consumer *consumer = handle;
    struct wire *wire = &consumer->wire;
    amqp_table_entry_t impossible = { .key = amqp_cstring_bytes(PRIORITY) };
    amqp_basic_qos_t limit = { .prefetch_count = 1 };
    amqp_basic_consume_t request = { .queue = amqp_cstring_bytes(queue),
                                     .consumer_tag = amqp_cstring_bytes(CONSUMER_TAG) };
    amqp_method_t answer;

    impossible.value.kind = AMQP_FIELD_KIND_UTF8;
    impossible.value.value.bytes = amqp_cstring_bytes("no number");
    request.arguments = (amqp_table_t){ 1, &impossible };
    if (check_queue_name(queue, what, err) != 0 ||
        wire_call(wire, AMQP_BASIC_QOS_METHOD, &limit, AMQP_BASIC_QOS_OK_METHOD, &answer, what,
                  queue, err) != 0)
        return -1;
    if (wire_call(wire, AMQP_BASIC_CONSUME_METHOD, &request, AMQP_BASIC_CONSUME_OK_METHOD, &answer,
                  what, queue, err) == 0)
        return 0;
    /* The broker refused the argument's value, so it had found nothing wrong with the permission,
       and the queue is of a type that has priorities. A stream refuses the argument itself, with an
       error of another kind. */
    return wire->state == WIRE_CHANNEL_GONE && err->kind == ERROR_UNAVAILABLE ? 0 : -1;
}

struct amqp_broker amqp_consumer_broker(const void *handle)
{
    const struct amqp_consumer *consumer = handle;

    return consumer->wire.broker;
}

int amqp_consumer_is_quorum(void *handle, const char *queue, bool *is_quorum, struct error *err)
{
    static const char what[] = "cannot learn the type of the queue";
    struct amqp_consumer *consumer = handle;
    struct wire *wire = &consumer->wire;
    amqp_table_entry_t of_streams = { .key = amqp_cstring_bytes("x-stream-offset") };
    amqp_basic_consume_t request = { .queue = amqp_cstring_bytes(queue),
                                     .consumer_tag = amqp_cstring_bytes(CONSUMER_TAG),
                                     .arguments = { 1, &of_streams } };
    amqp_method_t answer;

    of_streams.value.kind = AMQP_FIELD_KIND_UTF8;
    of_streams.value.value.bytes = amqp_cstring_bytes("next");
    if (wire_call(wire, AMQP_BASIC_CONSUME_METHOD, &request, AMQP_BASIC_CONSUME_OK_METHOD, &answer,
                  what, queue, err) == 0)
        return error_set(err, ERROR_UNAVAILABLE, what, queue, "it takes an argument of streams");
    *is_quorum = strstr(err->why, "of queue type rabbit_quorum_queue") != NULL;
    return *is_quorum || strstr(err->why, "of queue type") != NULL ? 0 : -1;
}

static int consumer_ask(void *handle, struct error *err)
{
    static const char what[] = "cannot inspect the queue";
    struct amqp_consumer *consumer = handle;
    amqp_queue_declare_t request = { .queue = amqp_cstring_bytes(consumer->queue), .passive = 1 };
    int status;

    consumer->is_answered = false;
    if (wire_prepare_send(&consumer->wire, what, err) != 0)
        return -1;
    status = amqp_send_method(consumer->wire.connection, AMQP_CHANNEL, AMQP_QUEUE_DECLARE_METHOD,
                              &request);
    consumer->unanswered++;
    return status == AMQP_STATUS_OK ? 0 : wire_fail(&consumer->wire, what, status, err);
}

static bool consumer_answered(void *handle, struct broker_queue_state *state)
{
    struct amqp_consumer *consumer = handle;
    bool is_answered = consumer->is_answered;

    if (is_answered)
        *state = consumer->answer;
    consumer->is_answered = false;
    return is_answered;
}

static void take_answer(struct amqp_consumer *consumer, const amqp_queue_declare_ok_t *answer)
{
    consumer->answer = (struct broker_queue_state){ answer->message_count, answer->consumer_count };
    consumer->is_answered = --consumer->unanswered == 0;
}

static int end_by_broker(struct amqp_consumer *consumer, struct error *err)
{
    /* Our own basic.cancel may have crossed the broker's; its answer still comes. */
    if (consumer->state != CONSUMER_ACTIVE)
        return 0;
    consumer->wire.state = WIRE_CHANNEL_GONE;
    error_set(err, ERROR_UNAVAILABLE, "the broker ended the subscription", consumer->queue,
              "it sent basic.cancel");
    return error_hint(err,
                      "the queue was deleted, or its leader is moving to another node; or, from "
                      "RabbitMQ 4.3 on, messages were unacknowledged for longer than its "
                      "consumer timeout, because the database was away or slow");
}

/* Takes a frame that is not part of a delivery. Returns 0 when consuming goes on. */
static int take_other(struct amqp_consumer *consumer, const amqp_frame_t *frame, struct error *err)
{
    const amqp_method_t *method = &frame->payload.method;

    if (frame->frame_type == AMQP_FRAME_HEARTBEAT)
        return 0;
    switch (frame->frame_type == AMQP_FRAME_METHOD ? method->id : 0) {
    case AMQP_CONNECTION_BLOCKED_METHOD: /* it concerns publishers only */
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        return 0;
    case AMQP_QUEUE_DECLARE_OK_METHOD:
        take_answer(consumer, method->decoded);
        return 0;
    case AMQP_BASIC_CANCEL_OK_METHOD:
        consumer->state = CONSUMER_NONE;
        return 0;
    case AMQP_BASIC_CANCEL_METHOD:
        return end_by_broker(consumer, err);
    case AMQP_CHANNEL_CLOSE_METHOD:
        return wire_closed_by_broker(&consumer->wire, method, "the broker closed the channel",
                                     consumer->queue, err);
    case AMQP_CONNECTION_CLOSE_METHOD:
        return wire_closed_by_broker(&consumer->wire, method, LOST, consumer->wire.name, err);
    default:
        return wire_fail(&consumer->wire, LOST, AMQP_STATUS_UNEXPECTED_STATE, err);
    }
}

static bool is_content(const amqp_frame_t *frame)
{
    return frame->channel == AMQP_CHANNEL &&
           (frame->frame_type == AMQP_FRAME_HEADER || frame->frame_type == AMQP_FRAME_BODY ||
            (frame->frame_type == AMQP_FRAME_METHOD &&
             frame->payload.method.id == AMQP_BASIC_DELIVER_METHOD));
}

/* Takes the frames that have arrived, up to one whole delivery, without waiting. Returns 1 with the
   delivery, 0 when nothing more has arrived, or -1. */
static int drain(struct amqp_consumer *consumer, struct delivery **delivery, struct error *err)
{
    amqp_frame_t frame;
    int status;

    while ((status = wire_take_frame(&consumer->wire, 0, &frame)) == AMQP_STATUS_OK) {
        int taken = 0;

        if (is_content(&frame)) {
            taken = incoming_take(&consumer->incoming, &frame, delivery, &status);
            if (taken < 0)
                return wire_fail(&consumer->wire, "cannot take a message from the broker", status,
                                 err);
        } else if (take_other(consumer, &frame, err) != 0) {
            return -1;
        }
        release_frames(consumer);
        if (taken > 0)
            return 1;
    }
    return status == AMQP_STATUS_TIMEOUT ? 0 : wire_fail(&consumer->wire, LOST, status, err);
}

static int consumer_next(void *handle, int wake_fd, int timeout_ms, struct delivery **delivery,
                         struct error *err)
{
    struct amqp_consumer *consumer = handle;
    struct wire *wire = &consumer->wire;
    int64_t now_ms = clock_monotonic_ms();
    int64_t deadline_ms = now_ms + timeout_ms;
    bool is_ending = consumer->state == CONSUMER_CANCELLING;
    bool was_answered = consumer->is_answered;
    int ready = 0;

    *delivery = NULL;
    if (wire_require_open(wire, LOST, err) != 0)
        return -1;
    if (is_ending) { /* 0 must mean that every delivery was handed over, so only the broker's
                        basic.cancel-ok may end the wait */
        deadline_ms = now_ms + wire->rpc_timeout_ms;
        wake_fd = -1;
    }
    for (;;) {
        int got = wire_keep_alive(wire, now_ms, err) == 0 ? drain(consumer, delivery, err) : -1;

        if (got != 0)
            return got;
        if ((ready & WIRE_WAKE) != 0 || (is_ending && consumer->state == CONSUMER_NONE) ||
            (!is_ending && consumer->is_answered && !was_answered))
            return 0;
        if (clock_left_ms(deadline_ms) == 0)
            return is_ending
                       ? wire_fail(wire, "cannot end the subscription", AMQP_STATUS_TIMEOUT, err)
                       : 0;
        ready = wire_wait(wire, POLLIN, wake_fd, wire_patience_ms(wire, deadline_ms));
        now_ms = clock_monotonic_ms();
    }
}

static int consumer_idle(void *handle, int wake_fd, int timeout_ms, struct error *err)
{
    struct amqp_consumer *consumer = handle;
    struct wire *wire = &consumer->wire;
    int64_t now_ms = clock_monotonic_ms();
    int64_t deadline_ms = now_ms + timeout_ms;
    int ready = 0;

    if (wire_require_open(wire, LOST, err) != 0)
        return -1;
    for (;;) {
        if ((ready & WIRE_INPUT) != 0) /* POLLRDHUP: the broker closed the connection */
            return wire_fail(wire, LOST, AMQP_STATUS_CONNECTION_CLOSED, err);
        if (wire_keep_alive(wire, now_ms, err) != 0)
            return -1;
        if ((ready & WIRE_WAKE) != 0 || clock_left_ms(deadline_ms) == 0)
            return 0;
        ready = wire_wait(wire, POLLRDHUP, wake_fd, wire_patience_ms(wire, deadline_ms));
        now_ms = clock_monotonic_ms();
    }
}

static int send_ack(struct amqp_consumer *consumer, uint64_t tag, bool multiple, struct error *err)
{
    static const char what[] = "cannot acknowledge";
    int status;

    if (wire_prepare_send(&consumer->wire, what, err) != 0)
        return -1;
    status = amqp_basic_ack(consumer->wire.connection, AMQP_CHANNEL, tag, multiple);
    return status == AMQP_STATUS_OK ? 0 : wire_fail(&consumer->wire, what, status, err);
}

static int consumer_ack(void *consumer, uint64_t tag, struct error *err)
{
    return send_ack(consumer, tag, true, err);
}

static int consumer_ack_one(void *consumer, uint64_t tag, struct error *err)
{
    return send_ack(consumer, tag, false, err);
}

static int consumer_cancel(void *handle, struct error *err)
{
    static const char what[] = "cannot end the subscription";
    struct amqp_consumer *consumer = handle;
    amqp_basic_cancel_t method = { .consumer_tag = amqp_cstring_bytes(CONSUMER_TAG) };
    int status;

    if (consumer->state != CONSUMER_ACTIVE)
        return wire_require_open(&consumer->wire, what, err);
    if (wire_prepare_send(&consumer->wire, what, err) != 0)
        return -1;
    /* amqp_basic_cancel() is not used: until the answer comes, it would keep every delivery that is
       still on its way in memory, however many there are. */
    status = amqp_send_method(consumer->wire.connection, AMQP_CHANNEL, AMQP_BASIC_CANCEL_METHOD,
                              &method);
    if (status != AMQP_STATUS_OK)
        return wire_fail(&consumer->wire, what, status, err);
    consumer->state = CONSUMER_CANCELLING;
    return 0;
}

static int consumer_default_delivery_limit(const void *handle)
{
    const struct amqp_consumer *consumer = handle;

    return amqp_broker_has_defaults_of_4(&consumer->wire.broker) ? RETURNS_LIMIT : 0;
}

struct broker_port amqp_broker_port(const struct amqp_endpoint *endpoint)
{
    return (struct broker_port){
        /* The port's contexts are not const, because others write to theirs. This one is only
           read, by consumer_open(). */
        .context = (void *)(uintptr_t)endpoint,
        .open = consumer_open,
        .close = consumer_close,
        .inspect = consumer_inspect,
        .subscribe = consumer_subscribe,
        .next = consumer_next,
        .idle = consumer_idle,
        .ack = consumer_ack,
        .ack_one = consumer_ack_one,
        .cancel = consumer_cancel,
        .ask = consumer_ask,
        .answered = consumer_answered,
        .heartbeat_s = consumer_heartbeat_s,
        .default_delivery_limit = consumer_default_delivery_limit,
        .interrupt = consumer_interrupt,
        .longest_call_ms = consumer_longest_call_ms,
    };
}
