/* The server with real clients on 127.0.0.1. */
#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 30 };

static struct http_server *server;
static int answers;

static void answer_hello(void *context, const struct http_request *request,
                         struct http_response *response)
{
    int *count = context;

    ++*count;
    buffer_append_text(&response->body, http_request_asks(request, "loud") ? "HELLO\n" : "hello\n");
}

static void answer_sick(void *context, const struct http_request *request,
                        struct http_response *response)
{
    (void)context;
    (void)request;
    response->status = 503;
    response->content_type = "text/special";
    buffer_append_text(&response->body, "sick\n");
}

/* More than an answer may have. */
static void answer_endlessly(void *context, const struct http_request *request,
                             struct http_response *response)
{
    (void)context;
    (void)request;
    while (!buffer_failed(&response->body))
        buffer_append_text(
            &response->body,
            "and so on, and so on, and so on, and so on, and so on, and so on, and so on\n");
}

static const struct http_route ROUTES[] = {
    { "/hello", "greets", answer_hello },
    { "/sick", "complains", answer_sick },
    { "/endless", "never ends", answer_endlessly },
};

static int set_up(void **state)
{
    struct error err;

    (void)state;
    answers = 0;
    return http_server_open(&server, "127.0.0.1:0", &err) != 0 ||
           http_server_start(server, ROUTES, 3, &answers, &err) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_free(server);
    return 0;
}

static int connect_client(void)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)http_server_port(server)),
                                         .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* All that comes until the server closes. */
static void hear(int fd, char *out, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while ((got = recv(fd, out + used, size - 1 - used, 0)) > 0)
        used += (size_t)got;
    assert_int_equal(got, 0);
    out[used] = '\0';
    close(fd);
}

static void ask(const char *request, char *out, size_t size)
{
    int fd = connect_client();

    say(fd, request);
    hear(fd, out, size);
}

static void assert_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void a_route_answers(void **state)
{
    char text[2000];

    (void)state;
    ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "HTTP/1.1 200 OK\r\n");
    assert_in(text, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_in(text, "Content-Length: 6\r\n");
    assert_in(text, "Cache-Control: no-store\r\n");
    assert_in(text, "Connection: close\r\n");
    assert_in(text, "\r\n\r\nhello\n");
    assert_int_equal(answers, 1);
}

static void the_query_is_heard(void **state)
{
    char text[2000];

    (void)state;
    ask("GET /hello?quiet&loud HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "\r\n\r\nHELLO\n");
    ask("GET /hello?loud=1 HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "\r\n\r\nHELLO\n");
    ask("GET /hello?aloud HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "\r\n\r\nhello\n");
}

static void status_and_type_are_the_routes(void **state)
{
    char text[2000];

    (void)state;
    ask("GET /sick HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "HTTP/1.1 503 Service Unavailable\r\n");
    assert_in(text, "Content-Type: text/special\r\n");
}

static void head_has_no_body(void **state)
{
    char text[2000];

    (void)state;
    ask("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "HTTP/1.1 200 OK\r\n");
    assert_in(text, "Content-Length: 6\r\n");
    assert_null(strstr(text, "hello"));
}

static void an_unknown_path_names_the_known(void **state)
{
    static const char *const paths[] = { "/",         "/hell",   "/hello/",
                                         "/hello%00", "//hello", "/../hello" };
    char request[100];
    char text[2000];

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        ask(request, text, sizeof(text));
        assert_in(text, "HTTP/1.1 404 Not Found\r\n");
        assert_in(text, "/hello     greets\n/sick      complains\n");
    }
    assert_int_equal(answers, 0);
}

static void other_methods_are_refused(void **state)
{
    static const char *const requests[] = {
        "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
        "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        "PUT /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n",
        "get /hello HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    char text[2000];

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        ask(requests[i], text, sizeof(text));
        assert_in(text, "HTTP/1.1 405 Method Not Allowed\r\n");
        assert_in(text, "Allow: GET, HEAD\r\n");
    }
    assert_int_equal(answers, 0);
}

static void an_answer_beyond_the_limit_is_a_500(void **state)
{
    char text[2000];

    (void)state;
    ask("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "HTTP/1.1 500 Internal Server Error\r\n");
}

static void a_long_request_is_refused(void **state)
{
    static char request[4 * HTTP_MAX_REQUEST_BYTES];
    size_t used =
        (size_t)snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: ");
    char text[2000];
    int fd = connect_client();

    (void)state;
    memset(request + used, 'x', HTTP_MAX_REQUEST_BYTES);
    say(fd, request);
    hear(fd, text, sizeof(text));
    assert_in(text, "HTTP/1.1 4");
    assert_int_equal(answers, 0);
}

/* All but one of the places are held by clients that say little or nothing. */
static void slow_clients_do_not_hold_others_up(void **state)
{
    int slow[HTTP_MAX_CONNECTIONS - 1];
    char text[2000];

    (void)state;
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS - 1; i++) {
        slow[i] = connect_client();
        if (i % 2 == 0)
            say(slow[i], "GET /hello HTTP/1.1\r\nHo");
    }
    for (int i = 0; i < 50; i++) {
        ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
        assert_in(text, "\r\n\r\nhello\n");
    }
    say(slow[0], "st: x\r\n\r\n");
    hear(slow[0], text, sizeof(text));
    assert_in(text, "\r\n\r\nhello\n");
    for (size_t i = 1; i < HTTP_MAX_CONNECTIONS - 1; i++)
        close(slow[i]);
}

/* It speaks all the time and never ends; the server cuts it, and a place is free again. */
static void a_client_that_never_ends_is_cut(void **state)
{
    int endless[HTTP_MAX_CONNECTIONS];
    char text[2000];
    bool all_cut = false;

    (void)state;
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
        endless[i] = connect_client();
        say(endless[i], "GET /hello HTTP/1.1\r\nX: ");
    }
    for (int patience = PATIENCE_S * 10; !all_cut && patience > 0; patience--) {
        all_cut = true;
        for (size_t i = 0; i < HTTP_MAX_CONNECTIONS; i++)
            all_cut = send(endless[i], "x", 1, MSG_NOSIGNAL) < 0 && all_cut;
        usleep(100000);
    }
    assert_true(all_cut);
    ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "\r\n\r\nhello\n");
    assert_int_equal(answers, 1);
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS; i++)
        close(endless[i]);
}

/* The oldest gives way, however many there are. */
static void idle_clients_keep_nobody_out(void **state)
{
    enum { IDLE = 5 * HTTP_MAX_CONNECTIONS };
    int idle[IDLE];
    char text[2000];

    (void)state;
    for (size_t i = 0; i < IDLE; i++) {
        idle[i] = connect_client();
        if (i % 2 == 0)
            say(idle[i], "GET /hello HTTP/1.1\r\nHo");
    }
    ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    assert_in(text, "\r\n\r\nhello\n");
    assert_true(recv(idle[0], text, sizeof(text), 0) <= 0);
    say(idle[IDLE - 2], "st: x\r\n\r\n"); /* one of the youngest is still there */
    hear(idle[IDLE - 2], text, sizeof(text));
    assert_in(text, "\r\n\r\nhello\n");
    assert_int_equal(answers, 2);
    for (size_t i = 0; i < IDLE; i++)
        if (i != IDLE - 2)
            close(idle[i]);
}

static void freeing_cuts_who_is_there(void **state)
{
    char text[2000];
    struct error err;
    int fd = connect_client();

    (void)state;
    say(fd, "GET /hello HTTP/1.1\r\n");
    http_server_free(server);
    server = NULL;
    assert_true(recv(fd, text, sizeof(text), 0) <= 0);
    close(fd);
    http_server_free(NULL);
    assert_int_equal(http_server_open(&server, "127.0.0.1:0", &err), 0);
    assert_true(http_server_is_local(server)); /* never started: it is freed all the same */
}

/* The daemon does not watch its listening socket then. */
static void freeing_ends_while_all_places_are_taken(void **state)
{
    int clients[HTTP_MAX_CONNECTIONS];
    char text[2000];

    (void)state;
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS - 1; i++) {
        clients[i] = connect_client();
        say(clients[i], "GET /hello HTTP/1.1\r\n");
    }
    ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text)); /* they are accepted */
    clients[HTTP_MAX_CONNECTIONS - 1] = connect_client();
    http_server_free(server);
    server = NULL;
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
        assert_true(recv(clients[i], text, sizeof(text), 0) <= 0);
        close(clients[i]);
    }
    assert_int_equal(answers, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_route_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_query_is_heard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(status_and_type_are_the_routes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(head_has_no_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_path_names_the_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_methods_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_beyond_the_limit_is_a_500, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_request_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_clients_do_not_hold_others_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_never_ends_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_clients_keep_nobody_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freeing_cuts_who_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freeing_ends_while_all_places_are_taken, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
