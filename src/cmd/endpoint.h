/*
 * The HTTP endpoint of the daemon: /livez, /readyz and /metrics at http.listen.
 *
 *     endpoint_open(&endpoint, &settings, &err)   // answers from here on; the daemon is "starting"
 *     endpoint_show(&endpoint, bridge)
 *     ...
 *     endpoint_close(&endpoint)                   // before the bridge is freed
 */
#ifndef KOPRU_CMD_ENDPOINT_H
#define KOPRU_CMD_ENDPOINT_H

#include "bridge/bridge.h"
#include "config/settings.h"

struct http_server;

struct endpoint {
    struct http_server *server;      /* NULL: switched off */
    _Atomic(struct bridge *) bridge; /* NULL: not started yet */
    int64_t silence_limit_ms;        /* a thread that gives no sign for longer is stuck */
};

/* Binds http.listen, unless that is "". What cannot be bound is an error of the configuration. Logs
   where it listens, and warns when other machines can reach it. Close in both cases. */
int endpoint_open(struct endpoint *endpoint, const struct settings *settings, struct error *err);

void endpoint_show(struct endpoint *endpoint, struct bridge *bridge);

void endpoint_close(struct endpoint *endpoint);

#endif
