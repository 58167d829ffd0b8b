/* What the AMQP layer does when memory runs out at any point. */
#include "amqp/incoming.h"
#include "amqp/target.h"

#include "scarce_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FRAME_COUNT = 4 };

static amqp_bytes_t bytes_of(const char *text)
{
    return (amqp_bytes_t){ strlen(text), (void *)(uintptr_t)text };
}

/* Takes a message in two body frames. Returns the status that ended it. */
static int take_message(struct incoming *incoming, struct delivery **delivery)
{
    amqp_basic_deliver_t method = { .delivery_tag = 7,
                                    .exchange = bytes_of("ex"),
                                    .routing_key = bytes_of("\xff") };
    amqp_table_entry_t header = { .key = bytes_of("h"),
                                  .value = { .kind = AMQP_FIELD_KIND_UTF8,
                                             .value.bytes = bytes_of("value") } };
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .content_type = bytes_of("application/json"),
        .headers = { 1, &header },
    };
    amqp_frame_t frames[FRAME_COUNT] = {
        { .frame_type = AMQP_FRAME_METHOD,
          .payload.method = { AMQP_BASIC_DELIVER_METHOD, &method } },
        { .frame_type = AMQP_FRAME_HEADER,
          .payload.properties = { .class_id = AMQP_BASIC_CLASS,
                                  .body_size = 6,
                                  .decoded = &properties } },
        { .frame_type = AMQP_FRAME_BODY, .payload.body_fragment = bytes_of("abc") },
        { .frame_type = AMQP_FRAME_BODY, .payload.body_fragment = bytes_of("def") },
    };
    int status = AMQP_STATUS_OK;

    for (int i = 0; i < FRAME_COUNT && status == AMQP_STATUS_OK; i++)
        incoming_take(incoming, &frames[i], delivery, &status);
    return status;
}

static void messages_arrive_whole_or_not_at_all(void **state)
{
    struct scarce scarce = { 0 };

    (void)state;
    while (scarce_next(&scarce)) {
        struct delivery *delivery = NULL;
        struct incoming incoming;
        bool failed;
        int status;

        incoming_init(&incoming);
        status = take_message(&incoming, &delivery);
        failed = scarce_end(&scarce);
        assert_int_equal(status, failed ? AMQP_STATUS_NO_MEMORY : AMQP_STATUS_OK);
        assert_int_equal(delivery == NULL, failed);
        if (delivery != NULL) {
            assert_int_equal(delivery->body.len, 6);
            assert_memory_equal(delivery->body.data, "abcdef", 6);
        }
        delivery_free(delivery);
        incoming_release(&incoming);
    }
    assert_true(scarce.round > 2);
}

static void addresses_are_read_or_memory_is_short(void **state)
{
    static const char *const uris[] = {
        "amqps://u:p@h:1/v?cacertfile=a&certfile=b&keyfile=c&server_name_indication=d",
        "amqp://",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        struct scarce scarce = { 0 };

        while (scarce_next(&scarce)) {
            struct amqp_uri uri;
            struct error err;
            int result = amqp_uri_parse(&uri, uris[i], &err);
            bool failed = scarce_end(&scarce);

            assert_int_equal(result, failed ? -1 : 0);
            if (failed)
                assert_int_equal(err.kind, ERROR_INTERNAL);
            amqp_uri_release(&uri);
        }
        assert_true(scarce.round > 3);
    }
}

static void endpoints_are_resolved_or_memory_is_short(void **state)
{
    static const char *const files[] = { "etc/entities/customer.cfg",
                                         NULL }; /* the first has no password */
    struct amqp_endpoint endpoint = { .uri = "amqps://u:p@[::1]/",
                                      .verify_peer = true,
                                      .heartbeat_s = 20,
                                      .connect_timeout_ms = 1,
                                      .rpc_timeout_ms = 1 };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct scarce scarce = { 0 };

        endpoint.password_file = files[i];
        while (scarce_next(&scarce)) {
            struct amqp_target target;
            struct error err;
            int result = amqp_target_init(&target, &endpoint, &err);
            bool failed = scarce_end(&scarce);

            assert_int_equal(result, failed || files[i] != NULL ? -1 : 0);
            if (failed)
                assert_int_equal(err.kind, ERROR_INTERNAL);
            amqp_target_release(&target);
        }
        assert_true(scarce.round > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_whole_or_not_at_all),
        cmocka_unit_test(addresses_are_read_or_memory_is_short),
        cmocka_unit_test(endpoints_are_resolved_or_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
