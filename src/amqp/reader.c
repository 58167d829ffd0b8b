#include "amqp/reader.h"

#include "amqp/frame.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

int reader_init(struct amqp_reader *reader, amqp_connection_state_t connection,
                struct ssl_st *session, int socket)
{
    struct timeval no_time = { 0, 0 };
    amqp_frame_t early;

    *reader = (struct amqp_reader){
        .connection = connection,
        .session = session,
        .socket = socket,
        .max_bytes = (size_t)amqp_get_frame_max(connection),
        .received_at_ms = clock_monotonic_ms(),
    };
    reader->bytes = malloc(2 * reader->max_bytes);
    if (reader->bytes == NULL)
        return AMQP_STATUS_NO_MEMORY;
    reader->header = reader->bytes + reader->max_bytes;
    /* Nothing but a heartbeat can have come behind the last answer. Half of one in the library's
       hands could not be completed. */
    while (amqp_frames_enqueued(connection) || amqp_data_in_buffer(connection)) {
        int status = amqp_simple_wait_frame_noblock(connection, &early, &no_time);

        if (status != AMQP_STATUS_OK && status != AMQP_STATUS_TIMEOUT)
            return status;
    }
    return amqp_release_buffers_ok(connection) ? AMQP_STATUS_OK : AMQP_STATUS_UNEXPECTED_STATE;
}

void reader_release(struct amqp_reader *reader)
{
    free(reader->bytes);
    reader->bytes = NULL;
    reader->header = NULL;
}

static int receive_plain(struct amqp_reader *reader, unsigned char *out, size_t size, size_t *got)
{
    ssize_t len;

    do
        len = recv(reader->socket, out, size, MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len == 0)
        return AMQP_STATUS_CONNECTION_CLOSED;
    if (len < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? AMQP_STATUS_TIMEOUT
                                                       : AMQP_STATUS_SOCKET_ERROR;
    *got = (size_t)len;
    return AMQP_STATUS_OK;
}

static int receive_tls(struct amqp_reader *reader, unsigned char *out, size_t size, size_t *got)
{
    int len;

    ERR_clear_error();
    len = SSL_read(reader->session, out, size < INT_MAX ? (int)size : INT_MAX);
    if (len > 0) {
        *got = (size_t)len;
        return AMQP_STATUS_OK;
    }
    switch (SSL_get_error(reader->session, len)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: /* an answer to the other side's new key: it is sent with the next
                                  heartbeat at the latest */
        return AMQP_STATUS_TIMEOUT;
    case SSL_ERROR_ZERO_RETURN:
        return AMQP_STATUS_CONNECTION_CLOSED;
    default:
        return AMQP_STATUS_SSL_ERROR;
    }
}

/* Reads what there is, as much as has room. */
static int receive(struct amqp_reader *reader)
{
    size_t got = 0;
    int status;

    if (reader->start > 0) {
        memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->session != NULL)
        status =
            receive_tls(reader, reader->bytes + reader->end, reader->max_bytes - reader->end, &got);
    else
        status = receive_plain(reader, reader->bytes + reader->end, reader->max_bytes - reader->end,
                               &got);
    if (status == AMQP_STATUS_OK) {
        reader->end += got;
        reader->received_at_ms = clock_monotonic_ms();
    }
    return status;
}

/* Until a whole frame stands at start; its length goes to *len. */
static int complete(struct amqp_reader *reader, size_t *len)
{
    for (;;) {
        size_t there = reader->end - reader->start;
        long length = frame_length(reader->bytes + reader->start, there, reader->max_bytes);
        int status;

        if (length < 0)
            return AMQP_STATUS_BAD_AMQP_DATA;
        *len = (size_t)length;
        if (length > 0 && there >= *len)
            return AMQP_STATUS_OK;
        status = receive(reader);
        if (status != AMQP_STATUS_OK)
            return status;
    }
}

int reader_take(struct amqp_reader *reader, amqp_frame_t *frame)
{
    unsigned char *bytes;
    size_t whole;
    size_t len;
    int used;
    int status = complete(reader, &whole);

    if (status != AMQP_STATUS_OK)
        return status;
    bytes = reader->bytes + reader->start;
    len = whole;
    if (bytes[0] == AMQP_FRAME_HEADER) /* it may grow, and the next frames stand behind it */
        bytes = memcpy(reader->header, bytes, whole);
    if (!frame_prepare(bytes, &len, reader->max_bytes))
        return AMQP_STATUS_BAD_AMQP_DATA;
    used = amqp_handle_input(reader->connection, (amqp_bytes_t){ len, bytes }, frame);
    if (used < 0)
        return used;
    reader->start += whole;
    return frame->frame_type != 0 && (size_t)used == len ? AMQP_STATUS_OK
                                                         : AMQP_STATUS_BAD_AMQP_DATA;
}
