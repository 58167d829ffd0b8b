/* The client with the project's own server, and with scripted ones that behave badly. */
#include "http/client.h"

#include "http/listen.h"
#include "http/server.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 30000, SHORT_MS = 200, BODY_BYTES = 4096, ADDRESS_BYTES = 32 };

static void answer_alive(void *context, const struct http_request *request,
                         struct http_response *response)
{
    (void)context;
    (void)request;
    buffer_append_text(&response->body, "ok\n");
}

static void answer_stuck(void *context, const struct http_request *request,
                         struct http_response *response)
{
    (void)context;
    (void)request;
    response->status = 503;
    buffer_append_text(&response->body, "[-]stuck\n");
}

static void answer_at_length(void *context, const struct http_request *request,
                             struct http_response *response)
{
    (void)context;
    (void)request;
    for (int i = 0; i < 10000; i++)
        buffer_append_text(&response->body, "0123456789");
}

static const struct http_route ROUTES[] = {
    { "/alive", "", answer_alive },
    { "/stuck", "", answer_stuck },
    { "/long", "", answer_at_length },
};

/* What one request became. */
struct heard {
    int result;
    int status;
    char body[BODY_BYTES + 1];
    struct error err;
};

static struct heard get(const char *address, const char *path, int timeout_ms)
{
    struct heard heard = { 0 };
    struct buffer body;

    buffer_init(&body, BODY_BYTES);
    heard.result = http_get(address, path, timeout_ms, &heard.status, &body, &heard.err);
    if (body.len > 0)
        memcpy(heard.body, body.data, body.len);
    assert_false(buffer_failed(&body));
    buffer_release(&body);
    return heard;
}

static struct heard get_from_server(const char *listen, const char *host, const char *path)
{
    struct http_server *server;
    struct heard heard;
    struct error err;
    char address[64];

    assert_int_equal(http_server_open(&server, listen, &err), 0);
    assert_int_equal(http_server_start(server, ROUTES, 3, NULL, &err), 0);
    snprintf(address, sizeof(address), "%s:%d", host, http_server_port(server));
    heard = get(address, path, PATIENCE_MS);
    http_server_free(server);
    return heard;
}

static void an_answer_has_its_status_and_its_body(void **state)
{
    struct heard heard = get_from_server("127.0.0.1:0", "127.0.0.1", "/alive");

    (void)state;
    assert_int_equal(heard.result, 0);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "ok\n");
    heard = get_from_server("127.0.0.1:0", "localhost", "/stuck");
    assert_int_equal(heard.result, 0);
    assert_int_equal(heard.status, 503);
    assert_string_equal(heard.body, "[-]stuck\n");
    heard = get_from_server("127.0.0.1:0", "127.0.0.1", "/nothing");
    assert_int_equal(heard.result, 0);
    assert_int_equal(heard.status, 404);
}

static void every_address_means_the_loopback(void **state)
{
    struct heard heard = get_from_server("0.0.0.0:0", "0.0.0.0", "/alive");
    struct error err;
    int fd = http_listen("[::1]:0", &err);

    (void)state;
    assert_int_equal(heard.result, 0);
    assert_string_equal(heard.body, "ok\n");
    if (fd < 0)
        skip(); /* this machine has no IPv6 */
    close(fd);
    heard = get_from_server("[::]:0", "[::]", "/alive");
    assert_int_equal(heard.result, 0);
    assert_string_equal(heard.body, "ok\n");
}

static void a_long_body_is_cut(void **state)
{
    struct heard heard = get_from_server("127.0.0.1:0", "127.0.0.1", "/long");

    (void)state;
    assert_int_equal(heard.result, 0);
    assert_int_equal(strlen(heard.body), BODY_BYTES);
}

/* Listens, and leaves it to the caller to accept. Returns the socket, and its address. */
static int listen_at(char address[ADDRESS_BYTES])
{
    struct error err;
    int fd = http_listen("127.0.0.1:0", &err);

    assert_true(fd >= 0);
    snprintf(address, ADDRESS_BYTES, "127.0.0.1:%d", http_listen_port(fd));
    return fd;
}

/* A server that lets one client in, says the text, and then closes, keeps the connection, or says
   the same again and again. */
struct scripted {
    int fd;
    const char *text;
    enum { CLOSES, KEEPS, REPEATS } then;
    pthread_t thread;
};

static void *serve(void *argument)
{
    struct scripted *server = argument;
    struct pollfd watched = { .fd = server->fd, .events = POLLIN };
    char request[4096];
    int fd;

    poll(&watched, 1, PATIENCE_MS);
    fd = accept(server->fd, NULL, NULL);
    recv(fd, request, sizeof(request), 0);
    send(fd, server->text, strlen(server->text), MSG_NOSIGNAL);
    watched.fd = fd;
    while (server->then != CLOSES && poll(&watched, 1, SHORT_MS / 10) <= 0)
        if (server->then == REPEATS)
            send(fd, server->text, strlen(server->text), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static struct heard get_from_scripted(const char *text, int then, int timeout_ms)
{
    struct scripted server = { .text = text, .then = then };
    char address[ADDRESS_BYTES];
    struct heard heard;

    server.fd = listen_at(address);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
    heard = get(address, "/livez", timeout_ms);
    pthread_join(server.thread, NULL);
    close(server.fd);
    return heard;
}

static void assert_no_answer(const struct heard *heard, const char *why)
{
    assert_int_equal(heard->result, -1);
    assert_int_equal(heard->err.kind, ERROR_UNAVAILABLE);
    assert_string_equal(heard->err.why, why);
}

static void a_server_that_keeps_the_connection_has_answered(void **state)
{
    struct heard heard =
        get_from_scripted("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", KEEPS, SHORT_MS);

    (void)state;
    assert_int_equal(heard.result, 0);
    assert_int_equal(heard.status, 404);
    assert_string_equal(heard.body, "no");
}

static void what_is_no_http_is_no_answer(void **state)
{
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",        "HTTP/1.1 200 OK\r\n",   "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",           "HTTP/1.1 9999\r\n\r\n", "HTTP/1.\r\n\r\n",
        "ICY 200 OK\r\nHTTP/1.1\r\n\r\n", "HTTP/1.1_200\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct heard heard = get_from_scripted(texts[i], CLOSES, PATIENCE_MS);

        assert_no_answer(&heard, "what it says is not HTTP");
    }
}

static void a_closed_connection_is_no_answer(void **state)
{
    struct heard heard = get_from_scripted("", CLOSES, PATIENCE_MS);

    (void)state;
    assert_no_answer(&heard, "it closed the connection without a word");
}

static void silence_ends_at_the_deadline(void **state)
{
    struct heard heard = get_from_scripted("", KEEPS, SHORT_MS);

    (void)state;
    assert_no_answer(&heard, "it accepts connections and is silent");
}

/* As a process that was stopped: its kernel accepts. */
static void nobody_who_accepts_is_silence(void **state)
{
    char address[ADDRESS_BYTES];
    int fd = listen_at(address);
    struct heard heard = get(address, "/livez", SHORT_MS);

    (void)state;
    assert_no_answer(&heard, "it accepts connections and is silent");
    close(fd);
}

static void a_head_without_end_ends_at_the_deadline(void **state)
{
    struct heard heard = get_from_scripted("HTTP/1.1 200 OK\r\n", REPEATS, SHORT_MS);

    (void)state;
    assert_int_equal(heard.result, -1);
    assert_int_equal(heard.err.kind, ERROR_UNAVAILABLE);
}

static void nobody_who_listens_is_named(void **state)
{
    char address[ADDRESS_BYTES];
    struct heard heard;

    (void)state;
    close(listen_at(address));
    heard = get(address, "/livez", PATIENCE_MS);
    assert_no_answer(&heard, "Connection refused");
    assert_string_equal(heard.err.subject, address);
}

static void what_is_no_address_is_a_wrong_configuration(void **state)
{
    struct heard heard = get("9187", "/livez", PATIENCE_MS);

    (void)state;
    assert_int_equal(heard.result, -1);
    assert_int_equal(heard.err.kind, ERROR_CONFIG);
    heard = get("no.such.host.invalid:9187", "/livez", PATIENCE_MS);
    assert_int_equal(heard.result, -1);
    assert_int_equal(heard.err.kind, ERROR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_its_status_and_its_body),
        cmocka_unit_test(every_address_means_the_loopback),
        cmocka_unit_test(a_long_body_is_cut),
        cmocka_unit_test(a_server_that_keeps_the_connection_has_answered),
        cmocka_unit_test(what_is_no_http_is_no_answer),
        cmocka_unit_test(a_closed_connection_is_no_answer),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(nobody_who_accepts_is_silence),
        cmocka_unit_test(a_head_without_end_ends_at_the_deadline),
        cmocka_unit_test(nobody_who_listens_is_named),
        cmocka_unit_test(what_is_no_address_is_a_wrong_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
