#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void host_and_port_are_split(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        int port;
    } right[] = {
        { "127.0.0.1:9187", "127.0.0.1", 9187 },
        { "localhost:65535", "localhost", 65535 },
        { "[::1]:1", "::1", 1 },
        { "[db]:80", "db", 80 },
        { "*:0080", "*", 80 },
        { "h:0", "h", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        struct address address;

        assert_null(address_parse(&address, right[i].text));
        assert_string_equal(address.host, right[i].host);
        assert_int_equal(address.port, right[i].port);
    }
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } wrong[] = {
        { "", "it is not host:port" },
        { "9187", "it is not host:port" },
        { ":9187", "it is not host:port" },
        { "[]:9187", "it is not host:port" },
        { "::1:9187", "an IPv6 address must stand in brackets" },
        { "[::1]", "an IPv6 address must stand in brackets" },
        { "[::1:9187", "an IPv6 address must stand in brackets" },
        { "::1]:9187", "an IPv6 address must stand in brackets" },
        { "host:", "the port is not a number" },
        { "host:+1", "the port is not a number" },
        { "host:-1", "the port is not a number" },
        { "host: 1", "the port is not a number" },
        { "host:80x", "the port is not a number" },
        { "host:65536", "the port is not 1 to 65535" },
        { "host:4294967297", "the port is not 1 to 65535" },
        { "host:99999999999999999999", "the port is not 1 to 65535" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct address address;
        const char *why = address_parse(&address, wrong[i].text);

        if (why == NULL)
            fail_msg("accepted: %s", wrong[i].text);
        assert_string_equal(why, wrong[i].why);
    }
}

static void the_longest_host_has_255_bytes(void **state)
{
    struct address address;
    char text[300];

    (void)state;
    memset(text, 'h', sizeof(text));
    snprintf(text + 255, sizeof(text) - 255, ":1");
    assert_null(address_parse(&address, text));
    assert_int_equal(strlen(address.host), 255);
    text[255] = 'h';
    snprintf(text + 256, sizeof(text) - 256, ":1");
    assert_string_equal(address_parse(&address, text), "the host is longer than 255 bytes");
}

static void a_machine_reaches_itself_by_these(void **state)
{
    static const char *const loopback[] = { "localhost", "::1", "127.0.0.1", "127.1",
                                            "127.255.255.254" };
    static const char *const others[] = {
        "",
        "db",
        "localhost.example.com",
        "local",
        "127",
        "128.0.0.1",
        "1270.0.0.1",
        "0.0.0.0",
        "127.example.com",
        "::",
        "::ffff:127.0.0.1",
        "127.0.0.1 ",
        "::11",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
        if (!address_is_loopback(slice_of(loopback[i])))
            fail_msg("is not seen as the loopback: %s", loopback[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (address_is_loopback(slice_of(others[i])))
            fail_msg("is taken for the loopback: %s", others[i]);
    assert_true(address_is_loopback((struct slice){ "127.0.0.1,db", 9 }));
    assert_false(address_is_loopback((struct slice){ "localhost", 5 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port_are_split),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(the_longest_host_has_255_bytes),
        cmocka_unit_test(a_machine_reaches_itself_by_these),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
