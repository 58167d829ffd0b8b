#include "amqp/incoming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static amqp_bytes_t bytes_of(const char *text)
{
    return (amqp_bytes_t){ strlen(text), (void *)(uintptr_t)text };
}

static amqp_basic_deliver_t method = { .delivery_tag = 7, .redelivered = 1 };
static amqp_basic_properties_t properties;

static amqp_frame_t method_frame(void)
{
    amqp_frame_t frame = { .frame_type = AMQP_FRAME_METHOD, .channel = 1 };

    method.exchange = bytes_of("ex");
    method.routing_key = bytes_of("key");
    frame.payload.method = (amqp_method_t){ AMQP_BASIC_DELIVER_METHOD, &method };
    return frame;
}

static amqp_frame_t header_frame(uint64_t body_size)
{
    amqp_frame_t frame = { .frame_type = AMQP_FRAME_HEADER, .channel = 1 };

    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.body_size = body_size;
    frame.payload.properties.decoded = &properties;
    return frame;
}

static amqp_frame_t body_frame(const char *text)
{
    amqp_frame_t frame = { .frame_type = AMQP_FRAME_BODY, .channel = 1 };

    frame.payload.body_fragment = bytes_of(text);
    return frame;
}

static int take(struct incoming *incoming, amqp_frame_t frame, struct delivery **delivery)
{
    int status = AMQP_STATUS_OK;
    int result = incoming_take(incoming, &frame, delivery, &status);

    return result < 0 ? status : result;
}

static void assert_slice(struct slice actual, const char *expected)
{
    assert_non_null(actual.data);
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.len);
}

static void test_one_body_frame(void **state)
{
    struct incoming incoming;
    struct delivery *delivery = NULL;

    (void)state;
    properties = (amqp_basic_properties_t){
        ._flags =
            AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type = bytes_of("application/json"),
        .message_id = bytes_of("\xff"),
        .timestamp = 0,
    };
    incoming_init(&incoming);
    assert_int_equal(take(&incoming, method_frame(), &delivery), 0);
    assert_true(incoming_needs_frames(&incoming));
    assert_int_equal(take(&incoming, header_frame(2), &delivery), 0);
    assert_false(incoming_needs_frames(&incoming));
    assert_null(delivery);
    assert_int_equal(take(&incoming, body_frame("{}"), &delivery), 1);
    assert_int_equal(delivery->tag, 7);
    assert_true(delivery->redelivered);
    assert_true(delivery->has_timestamp);
    assert_int_equal(delivery->timestamp_s, 0);
    assert_slice(delivery->body, "{}");
    assert_slice(delivery->content_type, "application/json");
    assert_slice(delivery->message_id, "base64:/w==");
    assert_slice(delivery->properties,
                 "{\"exchange\":\"ex\",\"routing_key\":\"key\",\"timestamp\":0}");
    delivery_free(delivery);
    incoming_release(&incoming);
}

/* A delivery inherits nothing from the one before it. */
static void test_absent_properties(void **state)
{
    struct incoming incoming;
    struct delivery *delivery = NULL;
    amqp_table_entry_t death = { .key = bytes_of("x-death"),
                                 .value = { .kind = AMQP_FIELD_KIND_VOID } };

    (void)state;
    incoming_init(&incoming);
    properties = (amqp_basic_properties_t){
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_TIMESTAMP_FLAG |
                  AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .content_type = bytes_of("x"),
        .timestamp = 5,
        .priority = 9,
        .headers = { 1, &death },
    };
    take(&incoming, method_frame(), &delivery);
    take(&incoming, header_frame(1), &delivery);
    assert_int_equal(take(&incoming, body_frame("1"), &delivery), 1);
    assert_int_equal(delivery->priority, 9);
    assert_string_equal(delivery->late_mark, "x-death");
    delivery_free(delivery);

    properties = (amqp_basic_properties_t){ 0 };
    method.redelivered = 0;
    take(&incoming, method_frame(), &delivery);
    take(&incoming, header_frame(1), &delivery);
    assert_int_equal(take(&incoming, body_frame("2"), &delivery), 1);
    assert_false(delivery->redelivered);
    assert_false(delivery->has_timestamp);
    assert_int_equal(delivery->priority, 0);
    assert_null(delivery->late_mark);
    assert_null(delivery->content_type.data);
    assert_null(delivery->message_id.data);
    assert_slice(delivery->body, "2");
    delivery_free(delivery);
    incoming_release(&incoming);
    method.redelivered = 1;
}

static void test_empty_body_and_empty_texts(void **state)
{
    struct incoming incoming;
    struct delivery *delivery = NULL;

    (void)state;
    properties = (amqp_basic_properties_t){ ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG |
                                                      AMQP_BASIC_MESSAGE_ID_FLAG };
    incoming_init(&incoming);
    take(&incoming, method_frame(), &delivery);
    assert_int_equal(take(&incoming, header_frame(0), &delivery), 1);
    assert_slice(delivery->body, "");
    assert_slice(delivery->content_type, "");
    assert_slice(delivery->message_id, "");
    delivery_free(delivery);
    incoming_release(&incoming);
}

static void test_many_body_frames(void **state)
{
    struct incoming incoming;
    struct delivery *delivery = NULL;

    (void)state;
    properties = (amqp_basic_properties_t){ 0 };
    incoming_init(&incoming);
    for (int round = 0; round < 2; round++) {
        take(&incoming, method_frame(), &delivery);
        take(&incoming, header_frame(6), &delivery);
        assert_int_equal(take(&incoming, body_frame("ab"), &delivery), 0);
        assert_int_equal(take(&incoming, body_frame(""), &delivery), 0);
        assert_int_equal(take(&incoming, body_frame("cde"), &delivery), 0);
        assert_int_equal(take(&incoming, body_frame("f"), &delivery), 1);
        assert_slice(delivery->body, "abcdef");
        delivery_free(delivery);
    }
    incoming_release(&incoming);
}

static void test_frames_out_of_place(void **state)
{
    struct incoming incoming;
    struct delivery *delivery = NULL;
    amqp_frame_t other_class = header_frame(1);

    (void)state;
    properties = (amqp_basic_properties_t){ 0 };
    incoming_init(&incoming);
    assert_int_equal(take(&incoming, header_frame(1), &delivery), AMQP_STATUS_UNEXPECTED_STATE);
    assert_int_equal(take(&incoming, body_frame("x"), &delivery), AMQP_STATUS_UNEXPECTED_STATE);
    assert_int_equal(take(&incoming, method_frame(), &delivery), 0);
    assert_int_equal(take(&incoming, method_frame(), &delivery), AMQP_STATUS_UNEXPECTED_STATE);
    assert_int_equal(take(&incoming, body_frame("x"), &delivery), AMQP_STATUS_UNEXPECTED_STATE);
    other_class.payload.properties.class_id = AMQP_QUEUE_CLASS;
    assert_int_equal(take(&incoming, other_class, &delivery), AMQP_STATUS_BAD_AMQP_DATA);
    assert_int_equal(take(&incoming, header_frame(2), &delivery), 0);
    assert_int_equal(take(&incoming, method_frame(), &delivery), AMQP_STATUS_UNEXPECTED_STATE);
    assert_int_equal(take(&incoming, header_frame(2), &delivery), AMQP_STATUS_UNEXPECTED_STATE);
    assert_int_equal(take(&incoming, body_frame("abc"), &delivery), AMQP_STATUS_BAD_AMQP_DATA);
    assert_int_equal(take(&incoming, body_frame("a"), &delivery), 0);
    assert_int_equal(take(&incoming, body_frame("bc"), &delivery), AMQP_STATUS_BAD_AMQP_DATA);
    assert_null(delivery);
    incoming_release(&incoming); /* with half a body in it */
}

static void test_announced_size_is_not_trusted(void **state)
{
    struct incoming incoming;
    struct delivery *delivery = NULL;

    (void)state;
    properties = (amqp_basic_properties_t){ 0 };
    incoming_init(&incoming);
    take(&incoming, method_frame(), &delivery);
    assert_int_equal(take(&incoming, header_frame(AMQP_MESSAGE_MAX_BYTES + 1), &delivery),
                     AMQP_STATUS_BAD_AMQP_DATA);
    assert_int_equal(take(&incoming, header_frame(UINT64_MAX), &delivery),
                     AMQP_STATUS_BAD_AMQP_DATA);
    assert_int_equal(take(&incoming, header_frame(AMQP_MESSAGE_MAX_BYTES), &delivery), 0);
    incoming_release(&incoming);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_body_frame),
        cmocka_unit_test(test_absent_properties),
        cmocka_unit_test(test_empty_body_and_empty_texts),
        cmocka_unit_test(test_many_body_frames),
        cmocka_unit_test(test_frames_out_of_place),
        cmocka_unit_test(test_announced_size_is_not_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
