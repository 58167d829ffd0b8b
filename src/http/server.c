#include "http/server.h"

#include "base/clock.h"
#include "http/listen.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * libmicrohttpd does the work: it polls, reads requests, sends answers, and limits memory and
 * silence. With a thread of its own, however, it could not cut a busy connection. Its timeout
 * begins anew with every byte, so a client that sends one byte every nine seconds stays for most of
 * a day. It calls nothing back at a given time either, and a second thread that cuts connections
 * would need a lock. So the thread is ours: it calls MHD_run_wait(), which handles what has
 * happened, and then cuts what has become too old.
 *
 * Nor could it make room: at its limit it accepts nobody until somebody leaves, and a few clients
 * that say nothing shut out a health check. So its limit is never reached: as soon as there are
 * more than HTTP_MAX_CONNECTIONS, the oldest is cut. Who asks is answered and gone before that.
 */

/* http_server_free() wakes the thread through the listening socket. This bounds the wait while
   libmicrohttpd does not watch that socket because all connections are in use. */
enum { LONGEST_WAIT_MS = 1000 };

/* Connections that exist while those that were cut are being closed. libmicrohttpd accepts ten at
   most in a round, and answers in the next one: so nobody who asks is cut for newer ones. */
enum { MOST_CONNECTIONS = 2 * HTTP_MAX_CONNECTIONS };

/* A connection that libmicrohttpd holds. */
struct client {
    bool used;
    bool cut;
    int fd;
    uint64_t number;     /* the first that was accepted has 1 */
    int64_t deadline_ms; /* of the monotonic clock */
};

struct http_server {
    int listen_fd; /* once there is an MHD_Daemon, MHD_stop_daemon() closes it */
    struct MHD_Daemon *daemon;
    pthread_t thread;
    atomic_bool stopping;
    const struct http_route *routes;
    size_t route_count;
    void *context;
    struct client clients[MOST_CONNECTIONS]; /* only the thread touches them, and accepted */
    uint64_t accepted;
};

struct http_request {
    struct MHD_Connection *connection;
};

struct wanted_name {
    const char *name;
    bool found;
};

static enum MHD_Result compare_name(void *cls, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct wanted_name *wanted = cls;

    (void)kind;
    (void)value;
    wanted->found = wanted->found || strcmp(name, wanted->name) == 0;
    return MHD_YES;
}

bool http_request_asks(const struct http_request *request, const char *name)
{
    struct wanted_name wanted = { .name = name };

    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, compare_name, &wanted);
    return wanted.found;
}

/* ---- answers ---- */

static void answer_not_found(const struct http_server *server, struct http_response *response)
{
    response->status = MHD_HTTP_NOT_FOUND;
    buffer_append_text(&response->body, "nothing is at this path; these paths exist:\n");
    for (size_t i = 0; i < server->route_count; i++)
        buffer_append_format(&response->body, "%-10s %s\n", server->routes[i].path,
                             server->routes[i].summary);
}

static void answer(const struct http_server *server, const struct http_request *request,
                   const char *path, const char *method, struct http_response *response)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        response->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buffer_append_text(&response->body, "only GET and HEAD\n");
        return;
    }
    for (size_t i = 0; i < server->route_count; i++) {
        if (strcmp(server->routes[i].path, path) == 0) {
            server->routes[i].answer(server->context, request, response);
            return;
        }
    }
    answer_not_found(server, response);
}

static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     const struct http_response *response)
{
    struct MHD_Response *out = MHD_create_response_from_buffer(
        response->body.len, response->body.data, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;

    if (out == NULL)
        return MHD_NO;
    if (MHD_add_response_header(out, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type) ==
            MHD_YES &&
        MHD_add_response_header(out, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        MHD_add_response_header(out, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        MHD_add_response_header(out, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES &&
        (response->status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(out, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        result = MHD_queue_response(connection, (unsigned)response->status, out);
    MHD_destroy_response(out);
    return result;
}

/* Called when the headers have arrived. Because it answers at once, no body is ever read. */
static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request_context)
{
    const struct http_request request = { .connection = connection };
    struct http_response response = { .status = MHD_HTTP_OK, .content_type = HTTP_PLAIN_TEXT };
    enum MHD_Result result;

    (void)version;
    (void)upload;
    (void)upload_size;
    (void)request_context;
    buffer_init(&response.body, HTTP_MAX_ANSWER_BYTES);
    answer(cls, &request, path, method, &response);
    if (buffer_failed(&response.body)) {
        buffer_clear(&response.body);
        response.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        response.content_type = HTTP_PLAIN_TEXT;
        buffer_append_text(&response.body, "no memory for the answer\n");
    }
    result = send_response(connection, &response);
    buffer_release(&response.body);
    return result;
}

/* ---- connections ---- */

/* To libmicrohttpd, a socket that was shut down looks like a client that has left. */
static void cut(struct client *client)
{
    shutdown(client->fd, SHUT_RDWR);
    client->cut = true;
}

static void make_room(struct http_server *server)
{
    struct client *oldest = NULL;
    size_t count = 0;

    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        struct client *client = &server->clients[i];

        if (!client->used || client->cut)
            continue;
        count++;
        if (oldest == NULL || client->number < oldest->number)
            oldest = client;
    }
    if (count > HTTP_MAX_CONNECTIONS)
        cut(oldest);
}

static void note_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = cls;
    struct client *client = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client != NULL)
            client->used = false;
        return;
    }
    for (client = server->clients; client < server->clients + MOST_CONNECTIONS; client++) {
        if (client->used)
            continue;
        *client = (struct client){
            .used = true,
            .fd =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
            .number = ++server->accepted,
            .deadline_ms = clock_monotonic_ms() + (int64_t)HTTP_TIMEOUT_S * 1000,
        };
        *socket_context = client;
        make_room(server);
        return;
    }
}

/* Returns how many milliseconds remain until the next connection must be cut, at most
   LONGEST_WAIT_MS. */
static int cut_old_connections(struct http_server *server)
{
    int least = LONGEST_WAIT_MS;

    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        struct client *client = &server->clients[i];
        int left = client->used ? clock_left_ms(client->deadline_ms) : LONGEST_WAIT_MS;

        if (left == 0)
            cut(client);
        else if (left < least)
            least = left;
    }
    return least;
}

static void *serve(void *argument)
{
    struct http_server *server = argument;

    while (!atomic_load(&server->stopping))
        MHD_run_wait(server->daemon, cut_old_connections(server));
    return NULL;
}

/* Paths are compared as they were sent, because unescaped "/metrics%00x" would equal "/metrics". */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

/* ---- life ---- */

int http_server_open(struct http_server **out, const char *address, struct error *err)
{
    struct http_server *server = calloc(1, sizeof(*server));

    *out = NULL;
    if (server == NULL)
        return error_no_memory(err);
    server->listen_fd = http_listen(address, err);
    if (server->listen_fd < 0) {
        free(server);
        return -1;
    }
    *out = server;
    return 0;
}

bool http_server_is_local(const struct http_server *server)
{
    return http_listens_locally(server->listen_fd);
}

int http_server_port(const struct http_server *server)
{
    return http_listen_port(server->listen_fd);
}

int http_server_start(struct http_server *server, const struct http_route *routes, size_t count,
                      void *context, struct error *err)
{
    server->routes = routes;
    server->route_count = count;
    server->context = context;
    server->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, server,                       /* */
                         MHD_OPTION_LISTEN_SOCKET, server->listen_fd,                        /* */
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOST_CONNECTIONS,            /* */
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,            /* */
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MAX_REQUEST_BYTES, /* */
                         MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,                  /* */
                         MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,              /* */
                         MHD_OPTION_END);
    if (server->daemon != NULL) {
        if (pthread_create(&server->thread, NULL, serve, server) == 0)
            return 0;
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
        server->listen_fd = -1;
    }
    return error_set(err, ERROR_INTERNAL, "cannot serve HTTP", NULL,
                     "the system refused a thread or a descriptor");
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    if (server->daemon != NULL) {
        atomic_store(&server->stopping, true);
        shutdown(server->listen_fd, SHUT_RDWR);
        pthread_join(server->thread, NULL);
        MHD_stop_daemon(server->daemon);
    } else if (server->listen_fd >= 0) {
        close(server->listen_fd);
    }
    free(server);
}
