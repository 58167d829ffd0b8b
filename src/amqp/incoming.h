/*
 * A delivery under way: its method, its header and its body arrive as frames, perhaps over several
 * calls. Takes the frames one after another and gives the finished delivery.
 *
 * Nothing in it points into rabbitmq-c's buffers once the header was taken, so that the frames of a
 * long body can be released one by one: a message then costs its body twice for a moment, not four
 * times.
 */
#ifndef KOPRU_AMQP_INCOMING_H
#define KOPRU_AMQP_INCOMING_H

#include "amqp/library.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/delivery.h"

/* What RabbitMQ can be configured to at most. A larger announcement is no message. */
#define AMQP_MESSAGE_MAX_BYTES ((uint64_t)512 * 1024 * 1024)

enum incoming_expects { INCOMING_METHOD, INCOMING_HEADER, INCOMING_BODY };

struct incoming {
    enum incoming_expects expects;
    struct delivery draft;
    struct slice exchange;    /* of the method's frame, until the header */
    struct slice routing_key; /* likewise */
    struct buffer text;       /* content_type, message_id and properties, one after another */
    char *body;               /* of a body in several frames, else NULL */
    size_t body_len;
};

void incoming_init(struct incoming *incoming);
void incoming_release(struct incoming *incoming);

/*
 * Takes the next frame of the channel. Returns 1 with *out (the caller's) when it ended the
 * delivery, 0 when more is to come, and -1 with a status of rabbitmq-c in *status:
 * AMQP_STATUS_UNEXPECTED_STATE when the frame does not belong there, AMQP_STATUS_NO_MEMORY.
 */
int incoming_take(struct incoming *incoming, const amqp_frame_t *frame, struct delivery **out,
                  int *status);

/* True while the buffers of the connection's frames must be kept. */
static inline bool incoming_needs_frames(const struct incoming *incoming)
{
    return incoming->expects == INCOMING_HEADER;
}

#endif
