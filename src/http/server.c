#include "http/server.h"

#include "base/clock.h"
#include "http/listen.h"

#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection that libmicrohttpd holds. */
struct client {
    bool used;
    bool cut;
    int fd;
    int64_t deadline_ms; /* monotonic */
};

struct http_server {
    int listen_fd; /* the daemon closes it, once there is one */
    int wake_fd;
    int epoll_fd; /* of the daemon */
    struct MHD_Daemon *daemon;
    pthread_t thread;
    atomic_bool stopping;
    const struct http_route *routes;
    size_t route_count;
    void *context;
    struct client clients[HTTP_MAX_CONNECTIONS]; /* of the thread */
    bool freed;                                  /* of the thread: one of them has become free */
};

struct http_request {
    struct MHD_Connection *connection;
};

struct wanted_name {
    const char *name;
    bool found;
};

static enum MHD_Result look_at(void *cls, enum MHD_ValueKind kind, const char *name,
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

    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, look_at, &wanted);
    return wanted.found;
}

/* ---- answers ---- */

static void answer_not_found(const struct http_server *server, struct http_response *response)
{
    response->status = MHD_HTTP_NOT_FOUND;
    buffer_append_text(&response->body, "there is nothing at this path; there are:\n");
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

/* Called when the headers are there; the answer given at once spares reading a body. */
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

/* libmicrohttpd's own timeout begins anew with every byte; ours does not. */
static void note_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = cls;
    struct client *client = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client != NULL)
            client->used = false;
        server->freed = true;
        return;
    }
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
        client = &server->clients[i];
        if (client->used)
            continue;
        *client = (struct client){
            .used = true,
            .fd =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
            .deadline_ms = clock_monotonic_ms() + (int64_t)HTTP_TIMEOUT_S * 1000,
        };
        *socket_context = client;
        return;
    }
}

/* The daemon sees a socket that was shut down as one whose client has left. */
static void cut_slow_clients(struct http_server *server)
{
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
        struct client *client = &server->clients[i];

        if (client->used && !client->cut && clock_left_ms(client->deadline_ms) == 0) {
            shutdown(client->fd, SHUT_RDWR);
            client->cut = true;
        }
    }
}

/* Until the daemon has to look at something by itself; -1 for ever. When all places were taken it
   looks for new clients only after it ran once more. */
static int wait_ms(const struct http_server *server)
{
    unsigned long long daemons = 0;
    int least = INT_MAX;

    if (server->freed)
        return 0;
    if (MHD_get_timeout(server->daemon, &daemons) == MHD_YES && daemons < INT_MAX)
        least = (int)daemons;
    for (size_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
        const struct client *client = &server->clients[i];
        int left = client->used && !client->cut ? clock_left_ms(client->deadline_ms) : INT_MAX;

        least = left < least ? left : least;
    }
    return least == INT_MAX ? -1 : least;
}

static void *serve(void *argument)
{
    struct http_server *server = argument;

    while (!atomic_load(&server->stopping)) {
        struct pollfd watched[] = { { .fd = server->epoll_fd, .events = POLLIN },
                                    { .fd = server->wake_fd, .events = POLLIN } };

        poll(watched, 2, wait_ms(server));
        cut_slow_clients(server);
        server->freed = false;
        MHD_run(server->daemon);
    }
    return NULL;
}

/* Paths are compared as they were sent: unescaped, "/metrics%00x" would be "/metrics". */
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
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->listen_fd = server->wake_fd >= 0 ? http_listen(address, err) : error_no_memory(err);
    if (server->listen_fd < 0) {
        http_server_free(server);
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
    const union MHD_DaemonInfo *info;

    server->routes = routes;
    server->route_count = count;
    server->context = context;
    server->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, server,                       /* */
                         MHD_OPTION_LISTEN_SOCKET, server->listen_fd,                        /* */
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_MAX_CONNECTIONS,        /* */
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,            /* */
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MAX_REQUEST_BYTES, /* */
                         MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,                  /* */
                         MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,              /* */
                         MHD_OPTION_END);
    info = server->daemon != NULL ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
                                  : NULL;
    if (info != NULL) {
        server->epoll_fd = info->epoll_fd;
        if (pthread_create(&server->thread, NULL, serve, server) == 0)
            return 0;
    }
    if (server->daemon != NULL) {
        MHD_stop_daemon(server->daemon);
        server->daemon = NULL;
        server->listen_fd = -1;
    }
    return error_set(err, ERROR_INTERNAL, "cannot serve HTTP", NULL,
                     "the system refused a thread or a descriptor");
}

static void wake(const struct http_server *server)
{
    uint64_t one = 1;

    /* It can only fail when the counter is full, and then the thread wakes up anyway. */
    if (write(server->wake_fd, &one, sizeof(one)) < 0)
        return;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    if (server->daemon != NULL) {
        atomic_store(&server->stopping, true);
        wake(server);
        pthread_join(server->thread, NULL);
        MHD_stop_daemon(server->daemon);
    } else if (server->listen_fd >= 0) {
        close(server->listen_fd);
    }
    if (server->wake_fd >= 0)
        close(server->wake_fd);
    free(server);
}
