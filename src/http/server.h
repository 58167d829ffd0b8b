/*
 * A small HTTP server for health checks and metrics: GET and HEAD of a few fixed paths, answered by
 * functions, in one thread of its own. The only door to libmicrohttpd.
 *
 *     http_server_open(&server, "127.0.0.1:9187", &err)            // binds: from here on the
 * address is ours http_server_start(server, ROUTES, ROUTE_COUNT, context, &err)
 *     ...
 *     http_server_free(server)                                     // no function is called any
 * more
 *
 * Limits, so that no client can harm the daemon: HTTP_MAX_CONNECTIONS at a time, one request each,
 * HTTP_MAX_REQUEST_BYTES a request, and a connection is cut HTTP_TIMEOUT_S after it began, however
 * busy it looks. Clients wait for nobody but the answering functions.
 */
#ifndef KOPRU_HTTP_SERVER_H
#define KOPRU_HTTP_SERVER_H

#include "base/buffer.h"
#include "base/error.h"

enum {
    HTTP_MAX_CONNECTIONS = 16,
    HTTP_TIMEOUT_S = 10,
    HTTP_MAX_REQUEST_BYTES = 8192, /* request line and headers; bodies are not read */
    HTTP_MAX_ANSWER_BYTES = 1 << 22,
};

#define HTTP_PLAIN_TEXT "text/plain; charset=utf-8"

struct http_server;
struct http_request;

struct http_response {
    int status;               /* 200 until set */
    const char *content_type; /* HTTP_PLAIN_TEXT until set; a string that lives for ever */
    struct buffer body;       /* if it failed, the client gets a 500 */
};

struct http_route {
    const char *path;    /* "/metrics" */
    const char *summary; /* for those who ask for a path that is not there */
    void (*answer)(void *context, const struct http_request *request,
                   struct http_response *response);
};

/* Whether the query has that name, with or without a value: "verbose" in "/readyz?verbose". */
bool http_request_asks(const struct http_request *request, const char *name);

/* Binds and listens; see http_listen() for the address. Nothing is answered yet. */
int http_server_open(struct http_server **out, const char *address, struct error *err);

/* Whether only this machine can reach it. */
bool http_server_is_local(const struct http_server *server);

int http_server_port(const struct http_server *server);

/* Starts the thread. The routes and the context must outlive the server. */
int http_server_start(struct http_server *server, const struct http_route *routes, size_t count,
                      void *context, struct error *err);

/* NULL is allowed. Waits for the answer that is being made and cuts all connections. */
void http_server_free(struct http_server *server);

#endif
