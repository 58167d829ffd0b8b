/*
 * The daemon's HTTP endpoint: /livez, /readyz and /metrics at the address http.listen.
 *
 *     endpoint_open(&endpoint, &settings, &err)   // answers from here on: the daemon is "starting"
 *     endpoint_show(&endpoint, bridge)            // from here on it answers for the bridge
 *     ...
 *     endpoint_close(&endpoint)                   // before the bridge is freed
 */
#ifndef KOPRU_CMD_ENDPOINT_H
#define KOPRU_CMD_ENDPOINT_H

#include "bridge/bridge.h"
#include "config/settings.h"

struct http_server;

struct endpoint {
    struct http_server *server;      /* NULL if the endpoint is switched off */
    _Atomic(struct bridge *) bridge; /* NULL until endpoint_show() */
    int64_t silence_limit_ms;        /* a thread that shows no progress for longer is stuck */
};

/* Listens at http.listen and answers, unless the setting is "". Returns 0, or -1 with err; an
   address that cannot be bound is an ERROR_CONFIG. Logs the address, and warns if other machines
   can reach it. Close in both cases. */
int endpoint_open(struct endpoint *endpoint, const struct settings *settings, struct error *err);

/* Lets the endpoint report the status of the bridge. Before that, it knows of no queue. */
void endpoint_show(struct endpoint *endpoint, struct bridge *bridge);

/* Waits for the answer that is being made; after that the endpoint does not use the bridge. */
void endpoint_close(struct endpoint *endpoint);

#endif
