#include "amqp/wire.h"

#include "amqp/connect.h"
#include "amqp/errors.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Every rule here answers a failure that was seen with rabbitmq-c. Its sends wait without a limit
 * when the socket is full, so the socket is asked first. It sends heartbeats only while it reads,
 * and kopru reads by itself. A failed send may leave half a frame on the wire, after which another
 * frame would be nonsense to the broker, so the first failure is the last send. And a broker
 * explains why it closes before it closes, but the client often notices the failed send first, so
 * the explanation is looked for among what is still unread.
 */

enum { POLITE_CLOSE_MS = 2000 };

int wire_open(struct wire *wire, const struct amqp_target *target, struct error *err)
{
    struct amqp_link link = { 0 };
    int status;

    *wire = (struct wire){ .socket = -1, .state = WIRE_DEAD };
    if (amqp_connect(&link, target, err) != 0)
        return -1;
    wire->connection = link.connection;
    wire->socket = fcntl(amqp_get_sockfd(wire->connection), F_DUPFD_CLOEXEC, 0);
    if (wire->socket < 0)
        return error_set(err, ERROR_INTERNAL, "cannot keep a connection to the broker",
                         target->name, "%s", strerror(errno));
    memcpy(wire->name, target->name, sizeof(wire->name));
    status = frame_receiver_init(&wire->receiver, wire->connection, link.session, wire->socket);
    if (status != AMQP_STATUS_OK)
        return amqp_status_error(err, "cannot use the connection to the broker", wire->name,
                                 status);
    wire->broker = amqp_broker_of(amqp_get_server_properties(wire->connection));
    wire->heartbeat_s = amqp_get_heartbeat(wire->connection);
    wire->rpc_timeout_ms = target->rpc_timeout_ms;
    wire->sent_at_ms = clock_monotonic_ms();
    wire->state = WIRE_OPEN;
    return 0;
}

void wire_interrupt(struct wire *wire)
{
    atomic_store(&wire->is_interrupted, true);
    shutdown(wire->socket, SHUT_RDWR);
}

int wire_wait(struct wire *wire, short events, int wake_fd, int timeout_ms)
{
    struct pollfd waiting[] = { { wire->socket, events, 0 }, { wake_fd, POLLIN, 0 } };
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    int ready;

    do
        ready = poll(waiting, 2, clock_left_ms(deadline_ms));
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return 0;
    return (waiting[0].revents != 0 ? WIRE_INPUT : 0) | (waiting[1].revents != 0 ? WIRE_WAKE : 0);
}

/* True also for a socket that has failed: the send then tells what is wrong. */
static bool can_send(struct wire *wire, int timeout_ms)
{
    return wire_wait(wire, POLLOUT, -1, timeout_ms) != 0;
}

/* From here on nothing may be sent: half a frame may be on the wire, and closing as the protocol
   asks after bad data has crashed the library. */
static int die(struct wire *wire)
{
    wire->state = WIRE_DEAD;
    shutdown(wire->socket, SHUT_RDWR);
    return -1;
}

static bool is_silent(const struct wire *wire)
{
    return clock_monotonic_ms() - wire->receiver.received_at_ms > wire->heartbeat_s * INT64_C(2000);
}

int wire_take_frame(struct wire *wire, int timeout_ms, amqp_frame_t *frame)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    int status;

    while ((status = frame_receiver_take(&wire->receiver, frame)) == AMQP_STATUS_TIMEOUT) {
        if (is_silent(wire))
            return AMQP_STATUS_HEARTBEAT_TIMEOUT;
        if (clock_left_ms(deadline_ms) == 0)
            break;
        wire_wait(wire, POLLIN, -1, clock_left_ms(deadline_ms));
    }
    return status;
}

static int close_error_of(const amqp_method_t *method, const char *what, const char *subject,
                          struct error *err)
{
    amqp_rpc_reply_t reply = { .reply_type = AMQP_RESPONSE_SERVER_EXCEPTION, .reply = *method };

    return amqp_reply_error(err, what, subject, &reply);
}

int wire_closed_by_broker(struct wire *wire, const amqp_method_t *method, const char *what,
                          const char *subject, struct error *err)
{
    amqp_connection_close_ok_t answer = { 0 };

    close_error_of(method, what, subject, err);
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        wire->state = WIRE_CHANNEL_GONE;
        return -1;
    }
    if (can_send(wire, 0))
        amqp_send_method(wire->connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
    return die(wire);
}

static bool is_close(const amqp_frame_t *frame)
{
    return frame->frame_type == AMQP_FRAME_METHOD &&
           (frame->payload.method.id == AMQP_CHANNEL_CLOSE_METHOD ||
            frame->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD);
}

/* Looks for the broker's reason in what can still be read without waiting. Deliveries in between
   are thrown away; the broker will deliver them again. */
static void find_reason(struct wire *wire, const char *what, struct error *err)
{
    amqp_frame_t frame;

    while (wire_take_frame(wire, 0, &frame) == AMQP_STATUS_OK) {
        if (is_close(&frame)) {
            close_error_of(&frame.payload.method, what, wire->name, err);
            return;
        }
        amqp_maybe_release_buffers(wire->connection);
    }
}

int wire_fail(struct wire *wire, const char *what, int status, struct error *err)
{
    amqp_status_error(err, what, wire->name, status);
    if (atomic_load(&wire->is_interrupted)) {
        error_set(err, ERROR_UNAVAILABLE, what, wire->name,
                  "a call did not return in time and was interrupted");
        error_hint(err, "neither the broker nor the network made progress for several heartbeats");
    } else if (status == AMQP_STATUS_SOCKET_ERROR || status == AMQP_STATUS_CONNECTION_CLOSED ||
               status == AMQP_STATUS_SSL_ERROR) {
        find_reason(wire, what, err);
    }
    return die(wire);
}

static int fail_as_stuck(struct wire *wire, const char *what, struct error *err)
{
    error_set(err, ERROR_UNAVAILABLE, what, wire->name,
              "the broker does not read what is sent to it");
    error_hint(err, "check the broker's load and alarms, and the network");
    return die(wire);
}

int wire_require_open(const struct wire *wire, const char *what, struct error *err)
{
    if (wire->state == WIRE_OPEN)
        return 0;
    return amqp_status_error(err, what, wire->name, AMQP_STATUS_SOCKET_CLOSED);
}

int wire_prepare_send(struct wire *wire, const char *what, struct error *err)
{
    if (wire_require_open(wire, what, err) != 0)
        return -1;
    if (!can_send(wire, wire->rpc_timeout_ms))
        return fail_as_stuck(wire, what, err);
    wire->sent_at_ms = clock_monotonic_ms();
    return 0;
}

int wire_keep_alive(struct wire *wire, int64_t now_ms, struct error *err)
{
    static const char what[] = "cannot keep the connection to the broker alive";
    const amqp_frame_t heartbeat = { .frame_type = AMQP_FRAME_HEARTBEAT, .channel = 0 };
    int64_t heartbeat_ms = wire->heartbeat_s * INT64_C(1000);
    int64_t silent_ms = now_ms - wire->sent_at_ms;
    int status;

    if (silent_ms < heartbeat_ms / 2)
        return 0;
    if (!can_send(wire, 0))
        return silent_ms < heartbeat_ms / 10 * 9 ? 0 : fail_as_stuck(wire, what, err);
    status = amqp_send_frame(wire->connection, &heartbeat);
    if (status != AMQP_STATUS_OK)
        return wire_fail(wire, what, status, err);
    wire->sent_at_ms = now_ms;
    return 0;
}

int wire_patience_ms(const struct wire *wire, int64_t deadline_ms)
{
    int left_ms = clock_left_ms(deadline_ms);
    int step_ms = wire->heartbeat_s * 250;

    return left_ms < step_ms ? left_ms : step_ms;
}

/* Frames that may come between a request and its answer. */
static bool may_precede_answer(const amqp_frame_t *frame)
{
    return frame->frame_type == AMQP_FRAME_HEARTBEAT ||
           (frame->frame_type == AMQP_FRAME_METHOD &&
            (frame->payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD ||
             frame->payload.method.id == AMQP_CONNECTION_UNBLOCKED_METHOD));
}

/* Waits for the next frame that can be the answer. */
static int wait_for_answer(struct wire *wire, int64_t deadline_ms, amqp_frame_t *frame,
                           const char *what, struct error *err)
{
    for (;;) {
        int status;

        if (wire_keep_alive(wire, clock_monotonic_ms(), err) != 0)
            return -1;
        status = wire_take_frame(wire, wire_patience_ms(wire, deadline_ms), frame);
        if (status == AMQP_STATUS_OK && !may_precede_answer(frame))
            return 0;
        if (status != AMQP_STATUS_OK &&
            (status != AMQP_STATUS_TIMEOUT || clock_left_ms(deadline_ms) == 0))
            return wire_fail(wire, what, status, err);
    }
}

int wire_call(struct wire *wire, amqp_method_number_t id, void *request,
              amqp_method_number_t answer_id, amqp_method_t *answer, const char *what,
              const char *subject, struct error *err)
{
    amqp_frame_t frame;
    int status;

    if (wire_prepare_send(wire, what, err) != 0)
        return -1;
    status = amqp_send_method(wire->connection, AMQP_CHANNEL, id, request);
    if (status != AMQP_STATUS_OK)
        return wire_fail(wire, what, status, err);
    if (wait_for_answer(wire, clock_monotonic_ms() + wire->rpc_timeout_ms, &frame, what, err) != 0)
        return -1;
    if (is_close(&frame))
        return wire_closed_by_broker(wire, &frame.payload.method, what, subject, err);
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != answer_id)
        return wire_fail(wire, what, AMQP_STATUS_WRONG_METHOD, err);
    *answer = frame.payload.method;
    return 0;
}

/* amqp_connection_close() is not used: until the answer comes, it would keep everything that is
   still on its way in memory, however much that is. */
static void close_politely(struct wire *wire)
{
    amqp_connection_close_t method = { .reply_code = AMQP_REPLY_SUCCESS,
                                       .reply_text = amqp_cstring_bytes("kopru is done") };
    int64_t deadline_ms = clock_monotonic_ms() + POLITE_CLOSE_MS;
    amqp_frame_t frame;

    if (!can_send(wire, 0) || amqp_send_method(wire->connection, 0, AMQP_CONNECTION_CLOSE_METHOD,
                                               &method) != AMQP_STATUS_OK)
        return;
    while (wire_take_frame(wire, clock_left_ms(deadline_ms), &frame) == AMQP_STATUS_OK) {
        if (frame.frame_type == AMQP_FRAME_METHOD &&
            frame.payload.method.id == AMQP_CONNECTION_CLOSE_OK_METHOD)
            return;
        amqp_maybe_release_buffers(wire->connection);
    }
}

void wire_release(struct wire *wire)
{
    if (wire->connection == NULL)
        return;
    if (wire->state != WIRE_DEAD)
        close_politely(wire);
    frame_receiver_release(&wire->receiver);
    amqp_destroy_connection(wire->connection);
    if (wire->socket >= 0)
        close(wire->socket);
    *wire = (struct wire){ .socket = -1, .state = WIRE_DEAD };
}
