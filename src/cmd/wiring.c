#include "cmd/wiring.h"

#include "cmd/cmd.h"
#include "cmd/memory.h"
#include "pg/catalog.h"
#include "pg/conninfo.h"
#include "pg/lease.h"

#include <stdlib.h>

enum {
    /* What PostgreSQL takes in one message of its protocol, and so as a dead letter. What messages
       become is bounded long before, where they are mapped, put into batches, and compared with the
       rows that are there. */
    BATCH_MAX_BYTES = 1 << 30,
};

/* The store. */

static void *store_open(void *context)
{
    return pg_store_new(&((const struct wired_queue *)context)->target);
}

static void store_close(void *store)
{
    pg_store_free(store);
}

static enum write_outcome store_write(void *store, int64_t epoch,
                                      const struct write_request *request,
                                      struct write_report *report)
{
    return pg_store_write(store, epoch, request, report);
}

/* The lease. */

static int check_catalog(const struct wiring *wiring, struct pg_conn *conn,
                         struct error_list *problems)
{
    struct catalog_report report = { .problems = problems };
    struct catalog *catalog;
    struct pg_failure failure;
    int result;

    if (catalog_load(&catalog, conn, &failure) != 0) {
        error_list_add(problems, &failure.error);
        return -1;
    }
    result = catalog_check_server(catalog, kopru_version(), &report);
    for (size_t i = 0; i < wiring->queue_count; i++) {
        if (catalog_check_entity(catalog, mapping_entity(wiring->wired[i].mapping), &report) != 0)
            result = -1;
    }
    catalog_free(catalog);
    return result;
}

static int lease_open(void *context, void **session, struct error_list *problems)
{
    const struct wiring *wiring = context;
    struct pg_conn *conn;
    struct pg_failure failure;

    *session = NULL;
    if (pg_conn_open(&conn, &wiring->postgres, &failure) != 0) {
        error_list_add(problems, &failure.error);
        return -1;
    }
    if (check_catalog(wiring, conn, problems) != 0) {
        pg_conn_close(conn);
        return -1;
    }
    *session = conn;
    return 0;
}

static void lease_close(void *session)
{
    pg_conn_close(session);
}

static int lease_read(void *session, const char *queue, const char *entity, struct lease *lease,
                      struct error *err)
{
    struct pg_failure failure;
    int result = pg_lease_read(session, queue, entity, lease, &failure);

    if (result < 0)
        *err = failure.error;
    return result;
}

static int lease_take(void *session, const char *queue, const char *holder, struct lease *lease,
                      struct error *err)
{
    struct pg_failure failure;
    int result = pg_lease_take(session, queue, holder, lease, &failure);

    if (result < 0)
        *err = failure.error;
    return result;
}

static int lease_renew(void *session, const char *queue, int64_t epoch,
                       const struct lease_news *news, const char *holder, struct error *err)
{
    struct pg_failure failure;
    int result = pg_lease_renew(session, queue, epoch, news, holder, &failure);

    if (result < 0)
        *err = failure.error;
    return result;
}

/* All together. */

struct amqp_endpoint wiring_endpoint(const struct settings *settings)
{
    return (struct amqp_endpoint){
        .uri = settings->amqp.uri,
        .password_file = settings->amqp.password_file,
        .ca_file = settings->amqp.ca_file,
        .cert_file = settings->amqp.cert_file,
        .key_file = settings->amqp.key_file,
        .verify_peer = settings->amqp.verify_peer,
        .heartbeat_s = settings->amqp.heartbeat_s,
        .connect_timeout_ms = settings->amqp.connect_timeout_ms,
        .rpc_timeout_ms = settings->amqp.rpc_timeout_ms,
    };
}

struct pg_settings wiring_postgres(const struct settings *settings, atomic_bool *unprepared)
{
    return (struct pg_settings){
        .conninfo = settings->postgres.conninfo,
        .connect_timeout_ms = settings->postgres.connect_timeout_ms,
        .statement_timeout_ms = settings->postgres.statement_timeout_ms,
        .lock_timeout_ms = settings->postgres.lock_timeout_ms,
        .unprepared = unprepared,
    };
}

static struct stream_settings stream_settings(const struct settings *settings,
                                              const struct queue_settings *queue)
{
    return (struct stream_settings){
        .queue = queue->name,
        .entity = queue->entity,
        .writers = queue->writers,
        .prefetch = queue->prefetch,
        .window = memory_prefetch(settings, queue),
        .order_by_timestamp = queue->order == QUEUE_ORDER_TIMESTAMP,
        .max_unacknowledged_bytes = (size_t)settings->limits.max_unacknowledged_bytes,
        .max_batch_messages = (size_t)settings->batch.max_messages,
        .max_batch_bytes = (size_t)settings->batch.max_bytes,
        .isolate_attempts = (unsigned)settings->quarantine.attempts,
        .isolate_ms = settings->quarantine.span_ms,
        .breaker = { .window = (size_t)settings->breaker.window,
                     .share_ppm = settings->breaker.share_ppm,
                     .probe_ms = settings->breaker.probe_ms },
    };
}

static struct stream_ports stream_ports(struct wiring *wiring, struct wired_queue *wired)
{
    return (struct stream_ports){
        .broker = amqp_broker_port(&wiring->endpoint),
        .mapper = mapping_port(wired->mapping),
        .store = { .context = wired,
                   .open = store_open,
                   .close = store_close,
                   .write = store_write },
    };
}

static int wire_queue(struct wiring *wiring, size_t number, struct error *err)
{
    const struct settings *settings = &wiring->configuration->settings;
    const struct queue_settings *queue = &settings->queues[number];
    struct wired_queue *wired = &wiring->wired[number];
    struct stream_settings stream = stream_settings(settings, queue);

    wired->mapping = configuration_mapping(wiring->configuration, queue->entity);
    if (pg_statements_init(&wired->statements, mapping_entity(wired->mapping)) != 0)
        return error_no_memory(err);
    wired->target = (struct pg_store_target){
        .settings = &wiring->postgres,
        .statements = &wired->statements,
        .queue = queue->name,
        .max_batch_bytes = BATCH_MAX_BYTES,
    };
    wiring->queues[number] =
        (struct bridge_queue){ .settings = stream, .ports = stream_ports(wiring, wired) };
    return 0;
}

int wiring_init(struct wiring *wiring, const struct configuration *configuration, struct error *err)
{
    const struct settings *settings = &configuration->settings;
    struct pg_conninfo conninfo;

    *wiring = (struct wiring){
        .configuration = configuration,
        .endpoint = wiring_endpoint(settings),
        .postgres = wiring_postgres(settings, &wiring->unprepared),
        .wired = calloc(settings->queue_count, sizeof(*wiring->wired)),
        .queues = calloc(settings->queue_count, sizeof(*wiring->queues)),
        .lease = { .context = wiring,
                   .open = lease_open,
                   .close = lease_close,
                   .read = lease_read,
                   .take = lease_take,
                   .renew = lease_renew },
    };
    if (wiring->wired == NULL || wiring->queues == NULL)
        return error_no_memory(err);
    /* What libpq cannot read it quotes when it connects, and that may be a piece of the password.
     */
    if (pg_conninfo_read(settings->postgres.conninfo, &conninfo, err) != 0)
        return -1;
    for (size_t i = 0; i < settings->queue_count; i++) {
        wiring->queue_count = i + 1;
        if (wire_queue(wiring, i, err) != 0)
            return -1;
    }
    return 0;
}

void wiring_release(struct wiring *wiring)
{
    for (size_t i = 0; i < wiring->queue_count; i++)
        pg_statements_release(&wiring->wired[i].statements);
    free(wiring->wired);
    free(wiring->queues);
}
