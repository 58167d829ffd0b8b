/*
 * The receiving half of a connection, once it is logged in: reads the socket by itself, and has
 * rabbitmq-c decode one whole, checked frame at a time (amqp_handle_input). The library's own way
 * to read can neither be trusted to return nor go on after a frame that it cannot decode. It must
 * not be used any more on the same connection.
 */
#ifndef KOPRU_AMQP_FRAME_RECEIVER_H
#define KOPRU_AMQP_FRAME_RECEIVER_H

#include "amqp/library.h"

#include <stdint.h>

struct ssl_st;

struct frame_receiver {
    amqp_connection_state_t connection; /* the caller's */
    struct ssl_st *session; /* of a TLS connection, else NULL; belongs to the connection */
    int socket;             /* likewise */
    unsigned char *bytes;   /* what was read and not yet decoded: from start to end */
    size_t start;
    size_t end;
    unsigned char *header;  /* room for one frame */
    size_t max_bytes;       /* frame_max, and the size of both */
    int64_t received_at_ms; /* monotonic: when something last came */
};

/* The library must have taken everything that came so far. Returns a status of the library; release
   in both cases. */
int frame_receiver_init(struct frame_receiver *receiver, amqp_connection_state_t connection,
                        struct ssl_st *session, int socket);
void frame_receiver_release(struct frame_receiver *receiver);

/* The next frame, without waiting. Gives AMQP_STATUS_OK, AMQP_STATUS_TIMEOUT when no whole frame
   has come yet, or what is wrong. */
int frame_receiver_take(struct frame_receiver *receiver, amqp_frame_t *frame);

#endif
