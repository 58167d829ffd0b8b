/*
 * The receiving half of a connection after login: it reads the socket itself, and has rabbitmq-c
 * decode one complete, checked frame at a time (amqp_handle_input). The library's own functions
 * that read may never return, and cannot continue after a frame that they cannot decode. They must
 * no longer be used on the same connection.
 */
#ifndef KOPRU_AMQP_FRAME_RECEIVER_H
#define KOPRU_AMQP_FRAME_RECEIVER_H

#include "amqp/library.h"

#include <stdint.h>

struct ssl_st;

struct frame_receiver {
    amqp_connection_state_t connection; /* the caller's */
    struct ssl_st *session;             /* the connection's TLS session; NULL without TLS */
    int socket;                         /* the caller's */
    unsigned char *bytes;               /* from start to end: read and not yet decoded */
    size_t start;
    size_t end;
    unsigned char *header;  /* room for one frame, which may grow there */
    size_t max_bytes;       /* frame_max: the size of bytes and of header */
    int64_t received_at_ms; /* monotonic: when something was last received */
};

/* The library must have decoded everything that arrived so far. Returns one of its AMQP_STATUS_*;
   release in any case. */
int frame_receiver_init(struct frame_receiver *receiver, amqp_connection_state_t connection,
                        struct ssl_st *session, int socket);
void frame_receiver_release(struct frame_receiver *receiver);

/* Takes the next frame without waiting. Returns AMQP_STATUS_OK, AMQP_STATUS_TIMEOUT when no
   complete frame has arrived yet, or the status that says what is wrong. */
int frame_receiver_take(struct frame_receiver *receiver, amqp_frame_t *frame);

#endif
