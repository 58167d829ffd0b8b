#include "cmd/endpoint.h"

#include "base/log.h"
#include "bridge/observe/status.h"
#include "cmd/cmd.h"
#include "cmd/health.h"
#include "cmd/metrics.h"
#include "http/server.h"
#include "pg/store.h"

/*
 * Every answer comes from what the daemon's threads have noted as they work; nothing here asks the
 * broker or the database. So a probe costs them nothing and is answered while they are away, when a
 * failed /livez would only make a supervisor restart the daemon to no avail. The endpoint opens
 * before the bridge exists, because a daemon that waits at its start must already look alive, and
 * because a wrong http.listen must end it before it connects anywhere.
 */

enum {
    OK = 200,
    UNAVAILABLE = 503,
    /* Added to the longest time for which the settings let a thread wait for a server: retries that
       wait in between, name resolution, and a busy machine take longer. */
    SILENCE_MARGIN_MS = 60000,
};

/* Takes the status of the bridge, or an empty one before endpoint_show(). Release it in both
   cases. */
static int take_status(struct endpoint *endpoint, struct bridge_status *status)
{
    struct bridge *bridge = atomic_load(&endpoint->bridge);

    *status = (struct bridge_status){ 0 };
    return bridge != NULL ? bridge_status_take(bridge, status) : 0;
}

static void answer_livez(void *context, const struct http_request *request,
                         struct http_response *response)
{
    struct endpoint *endpoint = context;
    struct bridge_status status;

    response->status = UNAVAILABLE;
    if (take_status(endpoint, &status) != 0)
        buffer_append_text(&response->body, "[-]memory exhausted\n");
    else if (health_livez(&status, endpoint->silence_limit_ms,
                          http_request_asks(request, "verbose"), &response->body))
        response->status = OK;
    bridge_status_release(&status);
}

static void answer_readyz(void *context, const struct http_request *request,
                          struct http_response *response)
{
    struct bridge_status status;

    response->status = UNAVAILABLE;
    if (take_status(context, &status) != 0)
        buffer_append_text(&response->body, "[-]memory exhausted\n");
    else if (health_readyz(&status, http_request_asks(request, "verbose"), &response->body))
        response->status = OK;
    bridge_status_release(&status);
}

static void answer_metrics(void *context, const struct http_request *request,
                           struct http_response *response)
{
    struct process_figures process;
    struct bridge_status status;

    (void)request;
    if (take_status(context, &status) != 0) {
        response->status = UNAVAILABLE;
        buffer_append_text(&response->body, "memory exhausted\n");
    } else {
        process_figures_read(&process);
        response->content_type = METRICS_CONTENT_TYPE;
        metrics_print(&status, &process, kopru_version(), kopru_revision(), &response->body);
    }
    bridge_status_release(&status);
}

static const struct http_route ROUTES[] = {
    { "/livez",
      "200 while the daemon's threads make progress, whatever the servers do; ?verbose lists them",
      answer_livez },
    { "/readyz",
      "200 while every queue is consumed, by this instance or by the one it stands by for; "
      "?verbose lists the reasons",
      answer_readyz },
    { "/metrics", "metrics for Prometheus", answer_metrics },
};

static int64_t silence_limit_ms(const struct settings *settings)
{
    const int64_t round_trip_ms =
        (int64_t)settings->postgres.statement_timeout_ms + PG_CLIENT_GRACE_MS;

    return (int64_t)settings->amqp.connect_timeout_ms + settings->amqp.rpc_timeout_ms +
           settings->postgres.connect_timeout_ms + PG_STORE_MAX_ROUND_TRIPS * round_trip_ms +
           SILENCE_MARGIN_MS;
}

int endpoint_open(struct endpoint *endpoint, const struct settings *settings, struct error *err)
{
    const char *address = settings->http.listen;

    *endpoint = (struct endpoint){ .silence_limit_ms = silence_limit_ms(settings) };
    if (address[0] == '\0')
        return 0;
    if (http_server_open(&endpoint->server, address, err) != 0)
        return -1;
    if (!http_server_is_local(endpoint->server))
        log_event(LOG_WARNING, "http_exposed",
                  "other machines can reach the HTTP endpoint, which requires no authentication",
                  LOG_TEXT("address", address));
    if (http_server_start(endpoint->server, ROUTES, sizeof(ROUTES) / sizeof(ROUTES[0]), endpoint,
                          err) != 0)
        return -1;
    log_event(LOG_INFO, "http_listening", "health checks and metrics are served",
              LOG_TEXT("address", address));
    return 0;
}

void endpoint_show(struct endpoint *endpoint, struct bridge *bridge)
{
    atomic_store(&endpoint->bridge, bridge);
}

void endpoint_close(struct endpoint *endpoint)
{
    http_server_free(endpoint->server);
    endpoint->server = NULL;
}
