/*
 * A message's properties, as a broker may send them, through rabbitmq-c's decoder to a delivery:
 * text and JSON that PostgreSQL takes, whatever was in them. The first byte is the length of the
 * exchange's name, which follows; the rest is the property list.
 */
#include "amqp/incoming.h"
#include "amqp/properties.h"
#include "fuzz.h"

#include "base/json_read.h"

#include <stdlib.h>

static const char BODY[] = "{\"id\":\"1\"}";

static amqp_bytes_t bytes_of(struct slice text)
{
    return (amqp_bytes_t){ text.len, (void *)(uintptr_t)text.data };
}

static void require_object(struct slice json)
{
    struct json_doc doc;
    struct json_fault fault;

    require_text(json);
    json_doc_init(&doc);
    REQUIRE(json_read(&doc, json, AMQP_PROPERTIES_MAX_DEPTH + 2, &fault) == 0);
    REQUIRE(doc.nodes[0].type == JSON_OBJECT);
    REQUIRE(json_member(&doc, &doc.nodes[0], SLICE_LITERAL("exchange")) != NULL);
    REQUIRE(json_member(&doc, &doc.nodes[0], SLICE_LITERAL("routing_key")) != NULL);
    json_doc_release(&doc);
}

static void require_delivery(const struct delivery *delivery)
{
    REQUIRE(slice_is(delivery->body, BODY));
    require_object(delivery->properties);
    if (delivery->content_type.data != NULL)
        require_text(delivery->content_type);
    if (delivery->message_id.data != NULL)
        require_text(delivery->message_id);
}

/* Method, header, and the body in two frames. */
static void deliver(struct slice exchange, amqp_basic_properties_t *properties)
{
    amqp_basic_deliver_t method = { .exchange = bytes_of(exchange),
                                    .routing_key = bytes_of(exchange) };
    struct slice body = slice_of(BODY);
    amqp_frame_t frames[] = {
        { .frame_type = AMQP_FRAME_METHOD,
          .payload.method = { AMQP_BASIC_DELIVER_METHOD, &method } },
        { .frame_type = AMQP_FRAME_HEADER,
          .payload.properties = { .class_id = AMQP_BASIC_CLASS,
                                  .body_size = body.len,
                                  .decoded = properties } },
        { .frame_type = AMQP_FRAME_BODY,
          .payload.body_fragment = bytes_of((struct slice){ body.data, 3 }) },
        { .frame_type = AMQP_FRAME_BODY,
          .payload.body_fragment = bytes_of((struct slice){ body.data + 3, body.len - 3 }) },
    };
    struct delivery *delivery = NULL;
    struct incoming incoming;
    int status;

    incoming_init(&incoming);
    for (int i = 0; i < 3; i++)
        REQUIRE(incoming_take(&incoming, &frames[i], &delivery, &status) == 0);
    REQUIRE(incoming_take(&incoming, &frames[3], &delivery, &status) == 1);
    require_delivery(delivery);
    delivery_free(delivery);
    incoming_release(&incoming);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t name_len = size > 0 && data[0] < size ? data[0] : 0;
    struct slice exchange = { (const char *)data + 1, name_len };
    char *encoded;
    amqp_pool_t pool;
    void *decoded;

    if (size == 0)
        return 0;
    encoded = fuzz_copy(data + 1 + name_len, size - 1 - name_len);
    init_amqp_pool(&pool, 4096);
    if (amqp_decode_properties(AMQP_BASIC_CLASS, &pool,
                               (amqp_bytes_t){ size - 1 - name_len, encoded }, &decoded) == 0)
        deliver(exchange, decoded);
    empty_amqp_pool(&pool);
    free(encoded);
    return 0;
}
