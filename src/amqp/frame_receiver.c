#include "amqp/frame_receiver.h"

#include "amqp/frame.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/*
 * The bytes are received here because a frame must be checked before rabbitmq-c decodes it
 * (frame.h), and the library gives no access to what it has read and not yet decoded. Every read
 * returns at once, and half a frame stays in the buffer until the rest arrives, so a slow broker
 * never keeps the consumer from sending acknowledgements and heartbeats. The buffer has frame_max
 * bytes: every frame of the negotiated size fits.
 */

int frame_receiver_init(struct frame_receiver *receiver, amqp_connection_state_t connection,
                        struct ssl_st *session, int socket)
{
    struct timeval no_time = { 0, 0 };
    amqp_frame_t early;

    *receiver = (struct frame_receiver){
        .connection = connection,
        .session = session,
        .socket = socket,
        .max_bytes = (size_t)amqp_get_frame_max(connection),
        .received_at_ms = clock_monotonic_ms(),
    };
    receiver->bytes = malloc(2 * receiver->max_bytes);
    if (receiver->bytes == NULL)
        return AMQP_STATUS_NO_MEMORY;
    receiver->header = receiver->bytes + receiver->max_bytes;
    /* Nothing but a heartbeat can have followed the last answer. If the library held half of one,
       its other half would be read here and could not be put together. */
    while (amqp_frames_enqueued(connection) || amqp_data_in_buffer(connection)) {
        int status = amqp_simple_wait_frame_noblock(connection, &early, &no_time);

        if (status != AMQP_STATUS_OK && status != AMQP_STATUS_TIMEOUT)
            return status;
    }
    return amqp_release_buffers_ok(connection) ? AMQP_STATUS_OK : AMQP_STATUS_UNEXPECTED_STATE;
}

void frame_receiver_release(struct frame_receiver *receiver)
{
    free(receiver->bytes);
    receiver->bytes = NULL;
    receiver->header = NULL;
}

static int receive_plain(struct frame_receiver *receiver, unsigned char *out, size_t size,
                         size_t *got)
{
    ssize_t len;

    do
        len = recv(receiver->socket, out, size, MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len == 0)
        return AMQP_STATUS_CONNECTION_CLOSED;
    if (len < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? AMQP_STATUS_TIMEOUT
                                                       : AMQP_STATUS_SOCKET_ERROR;
    *got = (size_t)len;
    return AMQP_STATUS_OK;
}

static int receive_tls(struct frame_receiver *receiver, unsigned char *out, size_t size,
                       size_t *got)
{
    int len;

    ERR_clear_error();
    len = SSL_read(receiver->session, out, size < INT_MAX ? (int)size : INT_MAX);
    if (len > 0) {
        *got = (size_t)len;
        return AMQP_STATUS_OK;
    }
    switch (SSL_get_error(receiver->session, len)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: /* the answer to a key update; the next heartbeat sends it at the
                                  latest */
        return AMQP_STATUS_TIMEOUT;
    case SSL_ERROR_ZERO_RETURN:
        return AMQP_STATUS_CONNECTION_CLOSED;
    default:
        return AMQP_STATUS_SSL_ERROR;
    }
}

/* Reads what has arrived, as far as there is room. */
static int receive(struct frame_receiver *receiver)
{
    size_t got = 0;
    int status;

    if (receiver->start > 0) {
        memmove(receiver->bytes, receiver->bytes + receiver->start,
                receiver->end - receiver->start);
        receiver->end -= receiver->start;
        receiver->start = 0;
    }
    if (receiver->session != NULL)
        status = receive_tls(receiver, receiver->bytes + receiver->end,
                             receiver->max_bytes - receiver->end, &got);
    else
        status = receive_plain(receiver, receiver->bytes + receiver->end,
                               receiver->max_bytes - receiver->end, &got);
    if (status == AMQP_STATUS_OK) {
        receiver->end += got;
        receiver->received_at_ms = clock_monotonic_ms();
    }
    return status;
}

/* Receives until a complete frame stands at start; *len is its length. */
static int complete(struct frame_receiver *receiver, size_t *len)
{
    for (;;) {
        size_t there = receiver->end - receiver->start;
        long length = frame_length(receiver->bytes + receiver->start, there, receiver->max_bytes);
        int status;

        if (length < 0)
            return AMQP_STATUS_BAD_AMQP_DATA;
        *len = (size_t)length;
        if (length > 0 && there >= *len)
            return AMQP_STATUS_OK;
        status = receive(receiver);
        if (status != AMQP_STATUS_OK)
            return status;
    }
}

int frame_receiver_take(struct frame_receiver *receiver, amqp_frame_t *frame)
{
    unsigned char *bytes;
    size_t whole;
    size_t len;
    int used;
    int status = complete(receiver, &whole);

    if (status != AMQP_STATUS_OK)
        return status;
    bytes = receiver->bytes + receiver->start;
    len = whole;
    if (bytes[0] == AMQP_FRAME_HEADER) /* it may grow, and the next frame stands right behind it */
        bytes = memcpy(receiver->header, bytes, whole);
    if (!frame_prepare(bytes, &len, receiver->max_bytes))
        return AMQP_STATUS_BAD_AMQP_DATA;
    used = amqp_handle_input(receiver->connection, (amqp_bytes_t){ len, bytes }, frame);
    if (used < 0)
        return used;
    receiver->start += whole;
    return frame->frame_type != 0 && (size_t)used == len ? AMQP_STATUS_OK
                                                         : AMQP_STATUS_BAD_AMQP_DATA;
}
