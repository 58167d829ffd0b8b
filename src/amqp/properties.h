/*
 * The properties of a message as text that PostgreSQL can store. A broker forwards strings that are
 * not UTF-8 or hold U+0000; such a string is written as "base64:" and its bytes in base64.
 */
#ifndef KOPRU_AMQP_PROPERTIES_H
#define KOPRU_AMQP_PROPERTIES_H

#include "amqp/library.h"
#include "base/buffer.h"

enum {
    AMQP_PROPERTIES_MAX_DEPTH =
        64, /* of nested tables and arrays in a header; what lies deeper becomes a note */

    /* No header frame of frame_max (128 KiB) becomes more text than this: the worst is a table of
       one-byte names that are not UTF-8, 6.4 bytes for each of the frame. */
    AMQP_PROPERTIES_MAX_BYTES = 1024 * 1024,
};

/*
 * Appends a JSON object with exchange, routing_key and every property that is there but
 * content_type and message_id, which have columns of their own. Header values keep their types:
 * numbers as numbers, void as null, a decimal as 123e-2, a timestamp as its seconds; NaN and the
 * infinities as strings, a byte array always in base64. buffer_failed() tells whether memory was
 * short.
 */
void amqp_properties_write(const amqp_basic_properties_t *properties, struct slice exchange,
                           struct slice routing_key, struct buffer *out);

/* Appends the text itself, without quotes. */
void amqp_text_write(struct slice text, struct buffer *out);

#endif
