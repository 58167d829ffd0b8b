#include "amqp/uri.h"

#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_parts(void **state)
{
    static const struct {
        const char *uri;
        const char *user, *password, *host, *vhost;
        int port;
        bool tls;
    } cases[] = {
        { "amqp://", "guest", "guest", "localhost", "/", 5672, false },
        { "amqps://", "guest", "guest", "localhost", "/", 5671, true },
        { "AMQP://host", "guest", "guest", "host", "/", 5672, false },
        { "AmqpS://host", "guest", "guest", "host", "/", 5671, true },
        { "amqp://host/", "guest", "guest", "host", "", 5672, false },
        { "amqp://host/%2F", "guest", "guest", "host", "/", 5672, false },
        { "amqp://host/%2f%2F", "guest", "guest", "host", "//", 5672, false },
        { "amqp://host:1/v", "guest", "guest", "host", "v", 1, false },
        { "amqp://host:65535/v", "guest", "guest", "host", "v", 65535, false },
        { "amqp://u@host", "u", NULL, "host", "/", 5672, false },
        { "amqp://u:@host", "u", "", "host", "/", 5672, false },
        { "amqp://u:p:q@host", "u", "p:q", "host", "/", 5672, false },
        { "amqp://u:p%40%3a%2F@host", "u", "p@:/", "host", "/", 5672, false },
        { "amqp://k%c3%b6pr%C3%BC:p@host/%C5%9F", "k\u00f6pr\u00fc", "p", "host", "\u015f", 5672,
          false },
        { "amqp://u:p@:5673/v", "u", "p", "localhost", "v", 5673, false },
        { "amqp://[::1]", "guest", "guest", "::1", "/", 5672, false },
        { "amqps://u:p@[fe80::1%25eth0]:5671/v", "u", "p", "fe80::1%eth0", "v", 5671, true },
        { "amqp://host?heartbeat=5", "guest", "guest", "host", "/", 5672, false },
        { "amqp://host/?heartbeat=5", "guest", "guest", "host", "", 5672, false },
        { "amqp://host/v?", "guest", "guest", "host", "v", 5672, false },
        { "amqps://kopru@erp.example.com:5671/prod", "kopru", NULL, "erp.example.com", "prod", 5671,
          true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amqp_uri uri;
        struct error err;

        if (amqp_uri_parse(&uri, cases[i].uri, &err) != 0)
            fail_msg("%s: %s", cases[i].uri, err.why);
        assert_int_equal(uri.tls, cases[i].tls);
        assert_string_equal(uri.user, cases[i].user);
        if (cases[i].password == NULL)
            assert_null(uri.password);
        else
            assert_string_equal(uri.password, cases[i].password);
        assert_string_equal(uri.host, cases[i].host);
        assert_int_equal(uri.port, cases[i].port);
        assert_string_equal(uri.vhost, cases[i].vhost);
        amqp_uri_release(&uri);
    }
}

static void test_every_query_parameter(void **state)
{
    struct amqp_uri uri;
    struct error err;

    (void)state;
    assert_int_equal(amqp_uri_parse(&uri,
                                    "amqps://host/v?cacertfile=/etc/"
                                    "ca%20file.pem&certfile=c.pem&keyfile=k.pem&verify=verify_peer&"
                                    "server_name_indication=erp.example.com&auth_mechanism="
                                    "external&heartbeat=7&connection_timeout=900",
                                    &err),
                     0);
    assert_string_equal(uri.ca_file, "/etc/ca file.pem");
    assert_string_equal(uri.cert_file, "c.pem");
    assert_string_equal(uri.key_file, "k.pem");
    assert_int_equal(uri.verify, AMQP_VERIFY_PEER);
    assert_string_equal(uri.server_name, "erp.example.com");
    assert_int_equal(uri.auth, AMQP_AUTH_EXTERNAL);
    assert_int_equal(uri.heartbeat_s, 7);
    assert_int_equal(uri.connect_timeout_ms, 900);
    amqp_uri_release(&uri);

    assert_int_equal(
        amqp_uri_parse(&uri, "amqps://host?verify=verify_none&auth_mechanism=PLAIN", &err), 0);
    assert_int_equal(uri.verify, AMQP_VERIFY_NONE);
    assert_int_equal(uri.auth, AMQP_AUTH_PLAIN);
    amqp_uri_release(&uri);
}

static void test_query_says_nothing(void **state)
{
    struct amqp_uri uri;
    struct error err;

    (void)state;
    assert_int_equal(amqp_uri_parse(&uri, "amqps://host/v", &err), 0);
    assert_null(uri.ca_file);
    assert_null(uri.cert_file);
    assert_null(uri.key_file);
    assert_null(uri.server_name);
    assert_int_equal(uri.verify, AMQP_VERIFY_UNSET);
    assert_int_equal(uri.auth, AMQP_AUTH_PLAIN);
    assert_int_equal(uri.heartbeat_s, 0);
    assert_int_equal(uri.connect_timeout_ms, 0);
    amqp_uri_release(&uri);
}

static void test_bad(void **state)
{
    static const struct {
        const char *uri;
        const char *why; /* a part of it */
    } cases[] = {
        { "", "empty" },
        { "host", "does not begin with amqp" },
        { "http://host", "does not begin with amqp" },
        { "amqp:/host", "does not begin with amqp" },
        { "amqpss://host", "does not begin with amqp" },
        { " amqp://host", "does not begin with amqp" },
        { "amqp://@host", "user before the @ is empty" },
        { "amqp://:SECRET@host", "user before the @ is empty" },
        { "amqp://u:SECRET@x@host", "more than one @" },
        { "amqp://u:SECRET/x@host", "port is not a number" },
        { "amqp://u:1/SECRET@host/v", "more than one segment" },
        { "amqp://u:SECRET?x@host", "port is not a number" },
        { "amqp://u:1?SECRET@host", "unknown parameter" },
        { "amqp://u:1#SECRET@host", "fragment" },
        { "amqp://u:SECRET%@host", "% in the password" },
        { "amqp://u:SECRET%4@host", "% in the password" },
        { "amqp://u:SECRET%zz@host", "% in the password" },
        { "amqp://u%:SECRET@host", "% in the user" },
        { "amqp://u:SECRET%00@host", "password holds a control character" },
        { "amqp://u:SECRET%ff@host", "password holds a control character" },
        { "amqp://u%0a:SECRET@host", "user holds a control character" },
        { "amqp://ho%0ast", "host holds a control character" },
        { "amqp://host%", "% in the host" },
        { "amqp://host:", "port is not a number" },
        { "amqp://host:0", "port is not a number" },
        { "amqp://host:65536", "port is not a number" },
        { "amqp://host:99999999999999999999", "port is not a number" },
        { "amqp://host:56x", "port is not a number" },
        { "amqp://host:-1", "port is not a number" },
        { "amqp://[::1", "not closed with ]" },
        { "amqp://[]", "not closed with ]" },
        { "amqp://[::1]x", "between the ]" },
        { "amqp://host/a/b", "more than one segment" },
        { "amqp://host/%0", "% in the vhost" },
        { "amqp://host/%00", "vhost holds a control character" },
        { "amqp://host/v#x", "fragment" },
        { "amqp://host/v?heartbeat=5#x", "fragment" },
        { "amqp://host/v?x", "unknown parameter" },
        { "amqp://host/v?channel_max=1", "unknown parameter" },
        { "amqp://host/v?Heartbeat=1", "unknown parameter" },
        { "amqp://host/v?heartbeat=5&&connection_timeout=5", "unknown parameter" },
        { "amqp://host/v?heartbeat", "heartbeat is not a number" },
        { "amqp://host/v?heartbeat=", "heartbeat is not a number" },
        { "amqp://host/v?heartbeat=0", "heartbeat is not a number" },
        { "amqp://host/v?heartbeat=601", "heartbeat is not a number" },
        { "amqp://host/v?heartbeat=+5", "heartbeat is not a number" },
        { "amqp://host/v?heartbeat=5s", "heartbeat is not a number" },
        { "amqp://host/v?heartbeat=5&heartbeat=6", "heartbeat is given twice" },
        { "amqp://host/v?connection_timeout=0", "connection_timeout is not a number" },
        { "amqp://host/v?connection_timeout=600001", "connection_timeout is not a number" },
        { "amqp://host/v?cacertfile=ca.pem", "cacertfile needs TLS" },
        { "amqp://host/v?certfile=c.pem", "certfile needs TLS" },
        { "amqp://host/v?keyfile=k.pem", "keyfile needs TLS" },
        { "amqp://host/v?verify=verify_peer", "verify needs TLS" },
        { "amqp://host/v?server_name_indication=x", "server_name_indication needs TLS" },
        { "amqp://host/v?auth_mechanism=external", "auth_mechanism=external needs TLS" },
        { "amqps://host/v?auth_mechanism=anonymous", "auth_mechanism is neither" },
        { "amqps://host/v?verify=yes", "verify is neither" },
        { "amqps://host/v?cacertfile=", "cacertfile is empty" },
        { "amqps://host/v?cacertfile=%", "% in the cacertfile" },
        { "amqps://host/v?certfile=c.pem", "one of certfile and keyfile is missing" },
        { "amqps://host/v?keyfile=k.pem", "one of certfile and keyfile is missing" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amqp_uri uri;
        struct error err;
        char text[2048];

        if (amqp_uri_parse(&uri, cases[i].uri, &err) == 0)
            fail_msg("%s was accepted", cases[i].uri);
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_string_equal(err.subject, "amqp.uri");
        if (strstr(err.why, cases[i].why) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].uri, err.why, cases[i].why);
        assert_true(err.hint[0] != '\0');
        assert_null(strstr(error_text(&err, text, sizeof(text)), "SECRET"));
        amqp_uri_release(&uri);
    }
}

static void test_long_vhost(void **state)
{
    char text[300] = "amqp://host/";
    struct amqp_uri uri;
    struct error err;

    (void)state;
    memset(text + 12, 'v', 255);
    assert_int_equal(amqp_uri_parse(&uri, text, &err), 0);
    amqp_uri_release(&uri);
    text[12 + 255] = 'v';
    assert_int_equal(amqp_uri_parse(&uri, text, &err), -1);
    assert_non_null(strstr(err.why, "longer than 255 bytes"));
    amqp_uri_release(&uri);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_every_query_parameter),
        cmocka_unit_test(test_query_says_nothing),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long_vhost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
