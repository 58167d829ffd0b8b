#include "http/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void an_address_is_listened_on(void **state)
{
    struct error err;
    int fd = http_listen("127.0.0.1:0", &err);

    (void)state;
    assert_true(fd >= 0);
    assert_true(http_listen_port(fd) > 0);
    assert_true(http_listens_locally(fd));
    close(fd);
}

static void a_name_stands_for_its_addresses(void **state)
{
    struct error err;
    int fd = http_listen("localhost:0", &err);

    (void)state;
    assert_true(fd >= 0);
    assert_true(http_listens_locally(fd));
    close(fd);
}

static void every_interface_is_not_local(void **state)
{
    struct error err;
    int fd = http_listen("0.0.0.0:0", &err);

    (void)state;
    assert_true(fd >= 0);
    assert_false(http_listens_locally(fd));
    close(fd);
}

static void refuse(const char *address, const char *why, const char *hint)
{
    struct error err;

    assert_int_equal(http_listen(address, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.what, "cannot listen for HTTP");
    assert_string_equal(err.subject, address);
    assert_non_null(strstr(err.why, why));
    assert_non_null(strstr(err.hint, hint));
}

static void an_address_in_use_is_named(void **state)
{
    struct error err;
    char address[32];
    int fd = http_listen("127.0.0.1:0", &err);

    (void)state;
    assert_true(fd >= 0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", http_listen_port(fd));
    refuse(address, "in use", "another program listens there");
    close(fd);
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    refuse("", "not host:port", "127.0.0.1:9187");
    refuse("9187", "not host:port", "127.0.0.1:9187");
    refuse(":9187", "not host:port", "127.0.0.1:9187");
    refuse("[]:9187", "not host:port", "127.0.0.1:9187");
    refuse("192.0.2.1:9187", "assign", "no network interface");
    refuse("kopru.invalid:9187", "", "not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_listened_on),
        cmocka_unit_test(a_name_stands_for_its_addresses),
        cmocka_unit_test(every_interface_is_not_local),
        cmocka_unit_test(an_address_in_use_is_named),
        cmocka_unit_test(wrong_addresses_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
