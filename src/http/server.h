/*
 * A small HTTP server for health checks and metrics. In a thread of its own it answers GET and HEAD
 * of a few fixed paths by calling functions. It is the only door to libmicrohttpd.
 *
 *     http_server_open(&server, "127.0.0.1:9187", &err)    // the address is taken from here on
 *     http_server_start(server, ROUTES, ROUTE_COUNT, context, &err)
 *     ...
 *     http_server_free(server)                             // no function is called any more
 *
 * No client can harm the daemon or keep another from its answer. At most HTTP_MAX_CONNECTIONS are
 * open at a time: one more, and the oldest is cut. A connection carries one request of at most
 * HTTP_MAX_REQUEST_BYTES. It is cut HTTP_TIMEOUT_S after it began, however busy it looks. A slow
 * client delays no other one; only the functions that answer do, because they run one at a time.
 */
#ifndef KOPRU_HTTP_SERVER_H
#define KOPRU_HTTP_SERVER_H

#include "base/buffer.h"
#include "base/error.h"

enum {
    HTTP_MAX_CONNECTIONS = 32,
    HTTP_TIMEOUT_S = 10,
    HTTP_MAX_REQUEST_BYTES = 8192, /* the request line and the headers; bodies are not read */
    HTTP_MAX_ANSWER_BYTES = 1 << 22,
};

#define HTTP_PLAIN_TEXT "text/plain; charset=utf-8"

struct http_server;
struct http_request;

struct http_response {
    int status;               /* 200 unless the function sets it */
    const char *content_type; /* HTTP_PLAIN_TEXT unless set; a string constant */
    struct buffer body;       /* if it fails, the client gets a 500 */
};

struct http_route {
    const char *path;    /* "/metrics" */
    const char *summary; /* listed in the answer to a request for an unknown path */
    void (*answer)(void *context, const struct http_request *request,
                   struct http_response *response);
};

/* Whether the query contains this name, with or without a value: "verbose" in "/readyz?verbose". */
bool http_request_asks(const struct http_request *request, const char *name);

/* Binds and listens; http_listen() describes the address and the errors. Clients can connect then,
   but nobody answers yet. On failure *out is NULL. */
int http_server_open(struct http_server **out, const char *address, struct error *err);

/* Whether only this machine can reach the server. */
bool http_server_is_local(const struct http_server *server);

/* The port on which the server listens. */
int http_server_port(const struct http_server *server);

/* Starts the thread. The routes and the context must outlive the server. Free the server in both
   cases; after a failure it cannot be started again. */
int http_server_start(struct http_server *server, const struct http_route *routes, size_t count,
                      void *context, struct error *err);

/* Waits for the answer that is being made, and cuts all connections. NULL is allowed. */
void http_server_free(struct http_server *server);

#endif
