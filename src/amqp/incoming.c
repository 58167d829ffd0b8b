#include "amqp/incoming.h"

#include "amqp/late_mark.h"
#include "amqp/properties.h"

#include <stdlib.h>

/*
 * amqp_read_message() does the same, but does not return until the whole message has arrived. The
 * order of the frames is checked here, because the library leaves that to its callers. The buffer
 * for a body is allocated when the first of several parts has arrived; a body in one frame, which
 * is the common case, is copied only once, from the frame into the delivery.
 */

/* The type that RabbitMQ gives a message of an AMQP 1.0 publisher whose body is no data section. */
static const char ENCODED_TYPE[] = "amqp-1.0";

void incoming_init(struct incoming *incoming)
{
    *incoming = (struct incoming){ 0 };
    buffer_init(&incoming->text, AMQP_PROPERTIES_MAX_BYTES);
}

void incoming_release(struct incoming *incoming)
{
    buffer_release(&incoming->text);
    free(incoming->body);
    incoming_init(incoming);
}

static int take_method(struct incoming *incoming, const amqp_basic_deliver_t *method)
{
    incoming->draft =
        (struct delivery){ .tag = method->delivery_tag, .redelivered = method->redelivered };
    incoming->exchange = amqp_bytes_slice(method->exchange);
    incoming->routing_key = amqp_bytes_slice(method->routing_key);
    incoming->expects = INCOMING_HEADER;
    return 0;
}

/* Hands over the delivery and gets ready for the next one. */
static int finish(struct incoming *incoming, struct slice body, struct delivery **out, int *status)
{
    incoming->draft.body = body;
    *out = delivery_copy(&incoming->draft);
    free(incoming->body);
    incoming->body = NULL;
    incoming->body_len = 0;
    incoming->expects = INCOMING_METHOD;
    *status = *out == NULL ? AMQP_STATUS_NO_MEMORY : AMQP_STATUS_OK;
    return *out == NULL ? -1 : 1;
}

/* Appends the property's text if the property is there. Returns the length of what was appended. */
static size_t append_text(struct buffer *text, amqp_flags_t is_there, amqp_bytes_t value)
{
    size_t before = text->len;

    if (is_there)
        amqp_text_write(amqp_bytes_slice(value), text);
    return text->len - before;
}

static bool take_properties(struct incoming *incoming, const amqp_basic_properties_t *properties)
{
    amqp_flags_t has_content_type = properties->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG;
    amqp_flags_t has_message_id = properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG;
    struct delivery *draft = &incoming->draft;
    struct buffer *text = &incoming->text;
    size_t content_type_len;
    size_t message_id_len;
    size_t before;

    buffer_clear(text);
    content_type_len = append_text(text, has_content_type, properties->content_type);
    message_id_len = append_text(text, has_message_id, properties->message_id);
    before = text->len;
    amqp_properties_write(properties, incoming->exchange, incoming->routing_key, text);
    if (buffer_failed(text))
        return false;
    if (has_content_type)
        draft->content_type = (struct slice){ text->data, content_type_len };
    if (has_message_id)
        draft->message_id = (struct slice){ text->data + content_type_len, message_id_len };
    draft->properties = (struct slice){ text->data + before, text->len - before };
    draft->has_timestamp = (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0;
    draft->timestamp_s = draft->has_timestamp ? properties->timestamp : 0;
    if (properties->_flags & AMQP_BASIC_PRIORITY_FLAG)
        draft->priority = properties->priority;
    draft->late_mark = amqp_late_mark(properties, draft->redelivered);
    draft->returns = draft->redelivered ? amqp_delivery_count(properties) : 0;
    draft->is_amqp_value = (properties->_flags & AMQP_BASIC_TYPE_FLAG) != 0 &&
                           slice_is(amqp_bytes_slice(properties->type), ENCODED_TYPE);
    return true;
}

static int take_header(struct incoming *incoming, const amqp_frame_t *frame, struct delivery **out,
                       int *status)
{
    uint64_t body_size = frame->payload.properties.body_size;

    if (frame->payload.properties.class_id != AMQP_BASIC_CLASS ||
        body_size > AMQP_MESSAGE_MAX_BYTES) {
        *status = AMQP_STATUS_BAD_AMQP_DATA;
        return -1;
    }
    if (!take_properties(incoming, frame->payload.properties.decoded)) {
        *status = AMQP_STATUS_NO_MEMORY;
        return -1;
    }
    incoming->draft.body.len = (size_t)body_size;
    incoming->expects = INCOMING_BODY;
    return body_size == 0 ? finish(incoming, SLICE_LITERAL(""), out, status) : 0;
}

static int take_body(struct incoming *incoming, struct slice part, struct delivery **out,
                     int *status)
{
    size_t size = incoming->draft.body.len;

    if (part.len > size - incoming->body_len) {
        *status = AMQP_STATUS_BAD_AMQP_DATA;
        return -1;
    }
    if (part.len == size) /* the common case: the whole body in one frame */
        return finish(incoming, part, out, status);
    if (incoming->body == NULL && (incoming->body = malloc(size)) == NULL) {
        *status = AMQP_STATUS_NO_MEMORY;
        return -1;
    }
    if (part.len > 0)
        memcpy(incoming->body + incoming->body_len, part.data, part.len);
    incoming->body_len += part.len;
    return incoming->body_len == size
               ? finish(incoming, (struct slice){ incoming->body, size }, out, status)
               : 0;
}

int incoming_take(struct incoming *incoming, const amqp_frame_t *frame, struct delivery **out,
                  int *status)
{
    switch (incoming->expects) {
    case INCOMING_METHOD:
        if (frame->frame_type == AMQP_FRAME_METHOD &&
            frame->payload.method.id == AMQP_BASIC_DELIVER_METHOD)
            return take_method(incoming, frame->payload.method.decoded);
        break;
    case INCOMING_HEADER:
        if (frame->frame_type == AMQP_FRAME_HEADER)
            return take_header(incoming, frame, out, status);
        break;
    case INCOMING_BODY:
        if (frame->frame_type == AMQP_FRAME_BODY)
            return take_body(incoming, amqp_bytes_slice(frame->payload.body_fragment), out, status);
        break;
    }
    *status = AMQP_STATUS_UNEXPECTED_STATE;
    return -1;
}
