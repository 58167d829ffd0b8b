#include "amqp/target.h"

#include "base/slice.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct amqp_endpoint base_endpoint = {
    .uri = "amqp://u:p@host/v",
    .verify_peer = true,
    .heartbeat_s = 20,
    .connect_timeout_ms = 10000,
    .rpc_timeout_ms = 8000,
};

static char file_path[] = "/tmp/kopru-test-target-XXXXXX";

static void write_file(const void *content, size_t len)
{
    FILE *file = fopen(file_path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int make_file(void **state)
{
    int fd = mkstemp(file_path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_path);
}

static void test_uri_wins(void **state)
{
    struct amqp_endpoint endpoint = base_endpoint;
    struct amqp_target target;
    struct error err;

    (void)state;
    endpoint.ca_file = "/etc/hostname";
    endpoint.uri = "amqps://u:p@host/"
                   "v?heartbeat=5&connection_timeout=700&verify=verify_none&cacertfile=/etc/hosts&"
                   "server_name_indication=other";
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), 0);
    assert_int_equal(target.heartbeat_s, 5);
    assert_int_equal(target.connect_timeout_ms, 700);
    assert_int_equal(target.rpc_timeout_ms, 8000);
    assert_false(target.verify_peer);
    assert_string_equal(target.ca_file, "/etc/hosts");
    assert_string_equal(target.tls_name, "other");
    assert_true(target.send_sni);
    amqp_target_release(&target);
}

static void test_endpoint_fills(void **state)
{
    struct amqp_endpoint endpoint = base_endpoint;
    struct amqp_target target;
    struct error err;

    (void)state;
    endpoint.uri = "amqps://u:p@host/v?server_name_indication=disable";
    endpoint.ca_file = "/etc/hostname";
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), 0);
    assert_int_equal(target.heartbeat_s, 20);
    assert_int_equal(target.connect_timeout_ms, 10000);
    assert_true(target.verify_peer);
    assert_string_equal(target.ca_file, "/etc/hostname");
    assert_null(target.cert_file);
    assert_string_equal(target.tls_name, "host");
    assert_false(target.send_sni);
    assert_string_equal(target.password, "p");
    amqp_target_release(&target);
}

static void test_names_have_no_password(void **state)
{
    static const struct {
        const char *uri;
        const char *name;
    } cases[] = {
        { "amqp://u:SECRET@host", "amqp://u@host:5672/%2F" },
        { "amqps://u:SECRET@host/", "amqps://u@host:5671/" },
        { "amqp://u:SECRET@[::1]:5673/prod", "amqp://u@[::1]:5673/prod" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amqp_endpoint endpoint = base_endpoint;
        struct amqp_target target;
        struct error err;

        endpoint.uri = cases[i].uri;
        assert_int_equal(amqp_target_init(&target, &endpoint, &err), 0);
        assert_string_equal(target.name, cases[i].name);
        amqp_target_release(&target);
    }
}

static void test_password_file(void **state)
{
    static const struct {
        struct slice content;
        const char *password; /* NULL: refused */
        const char *why;
    } cases[] = {
        { SLICE_LITERAL("secret"), "secret", NULL },
        { SLICE_LITERAL("secret\n"), "secret", NULL },
        { SLICE_LITERAL("secret\r\n"), "secret", NULL },
        { SLICE_LITERAL(" se cret "), " se cret ", NULL },
        { SLICE_LITERAL("p@:/%41"), "p@:/%41", NULL },
        { SLICE_LITERAL("\xEF\xBB\xBFsecret\r\n"), "secret", NULL },
        { SLICE_LITERAL("secret\xEF\xBB\xBF"), "secret\xEF\xBB\xBF", NULL },
        { SLICE_LITERAL("\xEF\xBB"), "\xEF\xBB", NULL },
        { SLICE_LITERAL("\xEF\xBB\xBF\n"), NULL, "empty" },
        { SLICE_LITERAL("\xEF\xBB\xBFSECRET\nmore"), NULL, "more than one line" },
        { SLICE_LITERAL(""), NULL, "empty" },
        { SLICE_LITERAL("\n"), NULL, "empty" },
        { SLICE_LITERAL("SECRET\nmore"), NULL, "more than one line" },
        { SLICE_LITERAL("SECRET\n\n"), NULL, "more than one line" },
        { SLICE_LITERAL("SECRET\0more"), NULL, "NUL" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amqp_endpoint endpoint = base_endpoint;
        struct amqp_target target;
        struct error err;
        char text[2048];

        endpoint.password_file = file_path; /* and not the URI's */
        write_file(cases[i].content.data, cases[i].content.len);
        if (cases[i].password != NULL) {
            assert_int_equal(amqp_target_init(&target, &endpoint, &err), 0);
            assert_string_equal(target.password, cases[i].password);
        } else {
            assert_int_equal(amqp_target_init(&target, &endpoint, &err), -1);
            assert_int_equal(err.kind, ERROR_CONFIG);
            assert_string_equal(err.subject, file_path);
            assert_non_null(strstr(err.why, cases[i].why));
            assert_null(strstr(error_text(&err, text, sizeof(text)), "SECRET"));
        }
        amqp_target_release(&target);
    }
}

static void test_a_password_file_that_everybody_may_read(void **state)
{
    struct amqp_endpoint endpoint = base_endpoint;
    struct amqp_target target;
    struct error err;

    (void)state;
    endpoint.password_file = file_path;
    write_file("secret", 6);
    assert_int_equal(chmod(file_path, 0644), 0);
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.why, "every user of this machine may read it");
    amqp_target_release(&target);
    assert_int_equal(chmod(file_path, 0640), 0);
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), 0);
    amqp_target_release(&target);
}

static void test_a_pipe_in_place_of_a_password_file_does_not_hang(void **state)
{
    struct amqp_endpoint endpoint = base_endpoint;
    struct amqp_target target;
    struct error err;

    (void)state;
    endpoint.password_file = file_path;
    assert_int_equal(unlink(file_path), 0);
    assert_int_equal(mkfifo(file_path, 0600), 0);
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.why, "it is empty");
    amqp_target_release(&target);
    assert_int_equal(unlink(file_path), 0);
    write_file("secret", 6);
    assert_int_equal(chmod(file_path, 0600), 0);
}

static void test_longest_password(void **state)
{
    struct amqp_endpoint endpoint = base_endpoint;
    struct amqp_target target;
    struct error err;
    char text[4097];

    (void)state;
    memset(text, 'x', sizeof(text));
    endpoint.password_file = file_path;
    write_file(text, 4096);
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), 0);
    assert_int_equal(strlen(target.password), 4096);
    amqp_target_release(&target);
    write_file(text, 4097);
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), -1);
    assert_non_null(strstr(err.why, "longer than 4096 bytes"));
    amqp_target_release(&target);
}

static void assert_refused(const struct amqp_endpoint *endpoint, const char *what,
                           const char *subject)
{
    struct amqp_target target;
    struct error err;

    assert_int_equal(amqp_target_init(&target, endpoint, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_string_equal(err.what, what);
    assert_string_equal(err.subject, subject);
    amqp_target_release(&target);
    assert_int_equal(amqp_endpoint_check(endpoint, &err), -1);
    assert_string_equal(err.what, what);
}

static void test_refused(void **state)
{
    struct amqp_endpoint endpoint = base_endpoint;

    (void)state;
    endpoint.uri = "amqp://u@host";
    assert_refused(&endpoint, "cannot log in to the broker", "amqp://u@host:5672/%2F");
    endpoint.uri = "nonsense";
    assert_refused(&endpoint, "cannot read the broker's address", "amqp.uri");

    endpoint = base_endpoint;
    endpoint.password_file = "/nonexistent/password";
    assert_refused(&endpoint, "cannot use the broker's password file", "/nonexistent/password");
    endpoint.password_file = "/";
    assert_refused(&endpoint, "cannot use the broker's password file", "/");

    endpoint = base_endpoint;
    endpoint.heartbeat_s = 0;
    assert_refused(&endpoint, "cannot connect to the broker", "amqp://u@host:5672/v");
    endpoint = base_endpoint;
    endpoint.rpc_timeout_ms = 0;
    assert_refused(&endpoint, "cannot connect to the broker", "amqp://u@host:5672/v");

    endpoint = base_endpoint;
    endpoint.uri = "amqps://u:p@host/v";
    endpoint.ca_file = "/nonexistent/ca";
    assert_refused(&endpoint, "cannot read the CA certificates for the broker", "/nonexistent/ca");
    endpoint.ca_file = NULL;
    endpoint.cert_file = file_path;
    assert_refused(&endpoint, "cannot use the client certificate", "amqps://u@host:5671/v");
    endpoint.key_file = "/nonexistent/key";
    assert_refused(&endpoint, "cannot read the key of the client certificate for the broker",
                   "/nonexistent/key");
}

static void test_external_needs_no_password(void **state)
{
    struct amqp_endpoint endpoint = base_endpoint;
    struct amqp_target target;
    struct error err;

    (void)state;
    endpoint.uri = "amqps://u@host/v?auth_mechanism=external";
    endpoint.cert_file = file_path;
    endpoint.key_file = file_path;
    assert_int_equal(amqp_target_init(&target, &endpoint, &err), 0);
    assert_null(target.password);
    assert_string_equal(target.cert_file, file_path);
    amqp_target_release(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uri_wins),
        cmocka_unit_test(test_endpoint_fills),
        cmocka_unit_test(test_names_have_no_password),
        cmocka_unit_test(test_password_file),
        cmocka_unit_test(test_a_password_file_that_everybody_may_read),
        cmocka_unit_test(test_a_pipe_in_place_of_a_password_file_does_not_hang),
        cmocka_unit_test(test_longest_password),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_external_needs_no_password),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
