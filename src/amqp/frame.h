/*
 * A frame as bytes, before rabbitmq-c sees it: the library trusts sizes, knows flags that brokers
 * ignore, and cannot go on after a header that it does not understand. A broker forwards such a
 * header, so one message would keep a queue from being read for ever.
 */
#ifndef KOPRU_AMQP_FRAME_H
#define KOPRU_AMQP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FRAME_HEAD_BYTES = 7,
    FRAME_OVERHEAD_BYTES = FRAME_HEAD_BYTES + 1, /* with the end marker */
    FRAME_TABLE_MAX_DEPTH = 100, /* of tables and arrays in a header; rabbitmq-c has this limit from
                                    0.14 on, and none before */
};

/* The length of the frame that begins there, which may be more than len; 0 when that is not known
   yet; -1 when it is no frame that a broker may send on channel 0 or 1. max_bytes is the negotiated
   frame_max. */
long frame_length(const unsigned char *bytes, size_t len, size_t max_bytes);

/*
 * Makes a whole frame fit for rabbitmq-c; *len may change, up to max_bytes. Of a header frame the
 * flags without a meaning are taken off, and headers that cannot be decoded become one field,
 * `undecodable`, that holds their bytes (fewer, if they do not fit the frame). Returns false when
 * the frame is malformed.
 */
bool frame_prepare(unsigned char *bytes, size_t *len, size_t max_bytes);

#endif
