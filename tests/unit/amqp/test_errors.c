#include "amqp/errors.h"

#include <errno.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char UNKNOWN[] =
    "(unknown error)"; /* rabbitmq-c's own text for an unknown status, or its beginning */

static void assert_has_text(int status)
{
    struct error err;

    errno = 0;
    assert_int_equal(amqp_status_error(&err, "cannot try", "broker", status), -1);
    if (err.why[0] == '\0' || strcmp(err.why, amqp_error_string2(-0x7fff)) == 0 ||
        strcmp(err.why, UNKNOWN) == 0)
        fail_msg("status %d has no text", status);
    assert_string_equal(err.why, amqp_status_text(status));
    if (strcmp(err.why, amqp_error_string2(status)) == 0)
        fail_msg("status %d has only the library's text", status);
    assert_string_equal(err.what, "cannot try");
    assert_string_equal(err.subject, "broker");
    assert_true(err.kind != ERROR_NONE);
}

static void test_every_status_has_text(void **state)
{
    (void)state;
    for (int status = AMQP_STATUS_OK; status > _AMQP_STATUS_NEXT_VALUE; status--)
        assert_has_text(status);
    for (int status = AMQP_STATUS_TCP_ERROR; status > _AMQP_STATUS_TCP_NEXT_VALUE; status--)
        assert_has_text(status);
    for (int status = AMQP_STATUS_SSL_ERROR - 1; status > _AMQP_STATUS_SSL_NEXT_VALUE; status--)
        assert_has_text(status);
    assert_has_text(-0x0205); /* AMQP_STATUS_SSL_UNIMPLEMENTED, whatever the library's version */
}

static void test_tls_error_tells_openssl(void **state)
{
    struct error err;

    (void)state;
    ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
    amqp_status_error(&err, "cannot try", "broker", AMQP_STATUS_SSL_ERROR);
    assert_string_equal(err.why, "TLS failed: malloc failure");
    ERR_clear_error();
    amqp_status_error(&err, "cannot try", "broker", AMQP_STATUS_SSL_ERROR);
    assert_string_equal(err.why, amqp_status_text(AMQP_STATUS_CONNECTION_CLOSED));
}

static void test_unknown_status(void **state)
{
    struct error err;

    (void)state;
    amqp_status_error(&err, "cannot try", NULL, -0x7fff);
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
    assert_true(err.why[0] != '\0');
    assert_string_equal(err.subject, "");
}

static void test_socket_error_tells_errno(void **state)
{
    struct error err;

    (void)state;
    errno = ECONNRESET;
    amqp_status_error(&err, "cannot try", "broker", AMQP_STATUS_SOCKET_ERROR);
    assert_string_equal(err.why, "the connection failed: Connection reset by peer");
    errno = ECONNRESET;
    amqp_status_error(&err, "cannot try", "broker", AMQP_STATUS_TIMEOUT);
    assert_string_equal(err.why, "the broker did not answer in time");
}

static void test_every_reply_code_has_a_kind(void **state)
{
    static const struct {
        int code;
        enum error_kind kind;
    } cases[] = {
        { AMQP_CONNECTION_FORCED, ERROR_UNAVAILABLE },
        { AMQP_INVALID_PATH, ERROR_PERMISSION },
        { AMQP_ACCESS_REFUSED, ERROR_PERMISSION },
        { AMQP_NOT_FOUND, ERROR_PROBLEMS },
        { AMQP_RESOURCE_LOCKED, ERROR_PROBLEMS },
        { AMQP_PRECONDITION_FAILED, ERROR_UNAVAILABLE },
        { AMQP_CONTENT_TOO_LARGE, ERROR_UNAVAILABLE },
        { AMQP_NO_ROUTE, ERROR_UNAVAILABLE },
        { AMQP_NO_CONSUMERS, ERROR_UNAVAILABLE },
        { AMQP_FRAME_ERROR, ERROR_INTERNAL },
        { AMQP_SYNTAX_ERROR, ERROR_INTERNAL },
        { AMQP_COMMAND_INVALID, ERROR_INTERNAL },
        { AMQP_CHANNEL_ERROR, ERROR_INTERNAL },
        { AMQP_UNEXPECTED_FRAME, ERROR_INTERNAL },
        { AMQP_RESOURCE_ERROR, ERROR_UNAVAILABLE },
        { AMQP_NOT_ALLOWED, ERROR_PERMISSION },
        { AMQP_NOT_IMPLEMENTED, ERROR_UNAVAILABLE },
        { AMQP_INTERNAL_ERROR, ERROR_UNAVAILABLE },
        { 999, ERROR_UNAVAILABLE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err;

        assert_int_equal(amqp_close_error(&err, "cannot try", "q", (unsigned)cases[i].code,
                                          SLICE_LITERAL("TEXT - of the broker")),
                         -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_non_null(strstr(err.why, "TEXT - of the broker"));
    }
}

/* The code alone would send people to passwords and timeouts. */
static void test_a_reply_text_says_more_than_its_code(void **state)
{
    static const struct {
        int code;
        struct slice text; /* as RabbitMQ 3.10 writes it */
        const char *hint;
    } cases[] = {
        { AMQP_ACCESS_REFUSED,
          SLICE_LITERAL("ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"),
          "consumes the queue" },
        { AMQP_PRECONDITION_FAILED,
          SLICE_LITERAL("PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/' "
                        "of queue type rabbit_stream_queue"),
          "stream" },
        { AMQP_RESOURCE_LOCKED,
          SLICE_LITERAL("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in "
                        "vhost '/'. It could be originally declared on another connection"),
          "exclusive to another connection" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err;

        amqp_close_error(&err, "cannot try", "q", (unsigned)cases[i].code, cases[i].text);
        assert_int_equal(err.kind, ERROR_PROBLEMS);
        assert_non_null(strstr(err.hint, cases[i].hint));
        assert_null(strstr(err.hint, "password"));
        assert_int_not_equal(err.hint[strlen(err.hint) - 1], '.'); /* it was not cut */
    }
}

static void test_reply_text_is_made_printable(void **state)
{
    struct error err;
    char longest[400];

    (void)state;
    amqp_close_error(&err, "x", "q", 404, SLICE_LITERAL("no queue 'a\n\x1b[31m\0b'"));
    assert_string_equal(err.why, "the broker says: 404 no queue 'a??[31m?b'");
    amqp_close_error(&err, "x", "q", 404, SLICE_LITERAL("no queue '\u015f'"));
    assert_string_equal(err.why, "the broker says: 404 no queue '\u015f'");
    amqp_close_error(&err, "x", "q", 404, SLICE_LITERAL("no queue '\xff'"));
    assert_string_equal(err.why, "the broker says: 404 no queue '?'");
    memset(longest, 'a', sizeof(longest));
    amqp_close_error(&err, "x", "q", 404, (struct slice){ longest, sizeof(longest) });
    assert_int_equal(strlen(err.why), strlen("the broker says: 404 ") + 255);
}

static void test_replies(void **state)
{
    amqp_channel_close_t channel = { .reply_code = 404,
                                     .reply_text = amqp_cstring_bytes("NOT_FOUND - no queue") };
    amqp_connection_close_t connection = { .reply_code = 320,
                                           .reply_text =
                                               amqp_cstring_bytes("CONNECTION_FORCED - bye") };
    amqp_rpc_reply_t reply = { .reply_type = AMQP_RESPONSE_SERVER_EXCEPTION };
    struct error err;

    (void)state;
    reply.reply = (amqp_method_t){ AMQP_CHANNEL_CLOSE_METHOD, &channel };
    amqp_reply_error(&err, "x", "q", &reply);
    assert_string_equal(err.why, "the broker says: 404 NOT_FOUND - no queue");
    assert_non_null(strstr(err.hint, "never creates a queue"));
    reply.reply = (amqp_method_t){ AMQP_CONNECTION_CLOSE_METHOD, &connection };
    amqp_reply_error(&err, "x", "q", &reply);
    assert_string_equal(err.why, "the broker says: 320 CONNECTION_FORCED - bye");
    reply = (amqp_rpc_reply_t){ .reply_type = AMQP_RESPONSE_LIBRARY_EXCEPTION,
                                .library_error = AMQP_STATUS_TIMEOUT };
    amqp_reply_error(&err, "x", "q", &reply);
    assert_string_equal(err.why, "the broker did not answer in time");
    reply = (amqp_rpc_reply_t){ .reply_type = AMQP_RESPONSE_NONE };
    amqp_reply_error(&err, "x", "q", &reply);
    assert_string_equal(err.why, amqp_status_text(AMQP_STATUS_UNEXPECTED_STATE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_text),
        cmocka_unit_test(test_tls_error_tells_openssl),
        cmocka_unit_test(test_unknown_status),
        cmocka_unit_test(test_socket_error_tells_errno),
        cmocka_unit_test(test_every_reply_code_has_a_kind),
        cmocka_unit_test(test_a_reply_text_says_more_than_its_code),
        cmocka_unit_test(test_reply_text_is_made_printable),
        cmocka_unit_test(test_replies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
