/*
 * Puts a delivery together from its frames: the method, the content header and the body, which may
 * arrive over several calls.
 *
 *     incoming_init(&incoming)
 *     incoming_take(&incoming, &frame, &delivery, &status)   // for each frame, until it returns 1
 *     incoming_release(&incoming)
 *
 * Once the header has been taken, nothing in here points into rabbitmq-c's buffers, so the frames
 * of a long body can be released one by one. A message then needs its body's size twice for a
 * moment, and not four times.
 */
#ifndef KOPRU_AMQP_INCOMING_H
#define KOPRU_AMQP_INCOMING_H

#include "amqp/library.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/delivery.h"

/* The largest max_message_size that RabbitMQ accepts. A header that announces more is invalid. */
#define AMQP_MESSAGE_MAX_BYTES ((uint64_t)512 * 1024 * 1024)

enum incoming_expects { INCOMING_METHOD, INCOMING_HEADER, INCOMING_BODY };

struct incoming {
    enum incoming_expects expects;
    struct delivery draft;
    struct slice exchange;    /* points into the method's frame, until the header has come */
    struct slice routing_key; /* as exchange */
    struct buffer text;       /* content_type, message_id and properties, one after another */
    char *body;               /* a body that comes in several frames, else NULL */
    size_t body_len;
};

void incoming_init(struct incoming *incoming);
void incoming_release(struct incoming *incoming);

/*
 * Takes the next frame of the channel. Returns 1 when the delivery is complete; *out then belongs
 * to the caller. Returns 0 when more frames must follow, and -1 with a status of rabbitmq-c in
 * *status: AMQP_STATUS_UNEXPECTED_STATE when the frame does not belong there,
 * AMQP_STATUS_BAD_AMQP_DATA when its sizes contradict each other or are too large,
 * AMQP_STATUS_NO_MEMORY.
 */
int incoming_take(struct incoming *incoming, const amqp_frame_t *frame, struct delivery **out,
                  int *status);

/* Whether the library's buffers must be kept, because exchange and routing_key point into them. */
static inline bool incoming_needs_frames(const struct incoming *incoming)
{
    return incoming->expects == INCOMING_HEADER;
}

#endif
