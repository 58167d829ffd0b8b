/*
 * Checks the bytes of a frame before rabbitmq-c decodes them, and repairs what the library cannot
 * decode. The library trusts the sizes in a frame, acts on flags that brokers ignore, and cannot
 * continue after a content header that it does not understand. A broker forwards such a header
 * unchanged, so a single message could block its queue for ever.
 */
#ifndef KOPRU_AMQP_FRAME_H
#define KOPRU_AMQP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FRAME_HEAD_BYTES = 7,
    FRAME_OVERHEAD_BYTES = FRAME_HEAD_BYTES + 1, /* the head and the frame-end octet */

    /* How deep field tables and arrays may be nested. rabbitmq-c has the same limit since 0.14, and
       none before. */
    FRAME_TABLE_MAX_DEPTH = 100,
};

/* Returns the length of the frame that begins at bytes, which may be more than len; 0 when its head
   has not arrived completely; -1 when a broker may not send such a frame on channel 0 or 1.
   max_bytes is the negotiated frame_max. */
long frame_length(const unsigned char *bytes, size_t len, size_t max_bytes);

/*
 * Makes a complete frame safe for rabbitmq-c; *len may grow up to max_bytes. In a content header,
 * property flags without a meaning are cleared, and a headers table that cannot be decoded is
 * replaced by one with a single field, `undecodable`, which holds the original bytes (cut off at
 * the end if they no longer fit into the frame). Returns false when the frame is malformed.
 */
bool frame_prepare(unsigned char *bytes, size_t *len, size_t max_bytes);

#endif
