/*
 * The properties of a message as text that PostgreSQL can store. A broker also forwards strings
 * that are not UTF-8 or contain U+0000; such a string is written as "base64:" and its bytes in
 * base64.
 */
#ifndef KOPRU_AMQP_PROPERTIES_H
#define KOPRU_AMQP_PROPERTIES_H

#include "amqp/library.h"
#include "base/buffer.h"

enum {
    /* How deep tables and arrays in the headers are followed. What is nested deeper is replaced by
       the text "nested too deeply". */
    AMQP_PROPERTIES_MAX_DEPTH = 64,

    /* No content header of frame_max (128 KiB) becomes more text than this. The worst case is a
       table of one-byte names that are not UTF-8: 6.4 bytes of text for each byte of the frame. */
    AMQP_PROPERTIES_MAX_BYTES = 1024 * 1024,
};

/*
 * Appends a JSON object with exchange, routing_key and every property that is set, except
 * content_type and message_id, which have columns of their own. Header values keep their types: a
 * number stays a number, void becomes null, a decimal 123e-2, and a timestamp its seconds. NaN and
 * the infinities become strings, and a byte array is always written in base64. buffer_failed()
 * tells whether memory ran out.
 */
void amqp_properties_write(const amqp_basic_properties_t *properties, struct slice exchange,
                           struct slice routing_key, struct buffer *out);

/* Appends a string property as text, without quotes. */
void amqp_text_write(struct slice text, struct buffer *out);

#endif
