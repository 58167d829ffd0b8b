#include "cmd/wiring.h"

#include "bridge/timing.h"
#include "cmd/cmd.h"
#include "pg/conninfo.h"

#include <stdlib.h>

/*
 * Only src/cmd sees a struct settings; the layers that do the work each define what they need, and
 * here the one is made from the other. Everything is built before the bridge starts and never moves
 * afterwards, because ports and threads keep pointers into it. All connections to the database
 * share one flag which says that a pooler loses prepared statements, so that only the first of them
 * has to find out.
 */

enum {
    /* PostgreSQL takes at most this in one message of its protocol, and so as a dead letter. The
       rows of messages are bounded long before: where they are mapped, put into batches, and
       compared with the stored rows. */
    BATCH_MAX_BYTES = 1 << 30,
};

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

static struct consume_settings consume_settings(const struct settings *settings,
                                                const struct queue_settings *queue)
{
    size_t max_bytes = (size_t)settings->limits.max_unacknowledged_bytes;

    return (struct consume_settings){
        .prefetch = queue->prefetch,
        .prefetch_limit = prefetch_limit(queue->prefetch, max_bytes),
        .order_by_timestamp = queue->order == QUEUE_ORDER_TIMESTAMP,
        .max_unacknowledged_bytes = max_bytes,
    };
}

static struct write_settings write_settings(const struct settings *settings,
                                            const struct queue_settings *queue)
{
    return (struct write_settings){
        .writers = queue->writers,
        .max_batch_messages = (size_t)settings->batch.max_messages,
        .max_batch_bytes = (size_t)settings->batch.max_bytes,
        .quarantine_attempts = (unsigned)settings->quarantine.attempts,
        .quarantine_span_ms = settings->quarantine.span_ms,
        .breaker = { .window = (size_t)settings->breaker.window,
                     .share_ppm = settings->breaker.share_ppm,
                     .probe_ms = settings->breaker.probe_ms },
    };
}

static struct queue_ports queue_ports(struct wiring *wiring, struct wired_queue *wired)
{
    return (struct queue_ports){
        .broker = amqp_broker_port(&wiring->endpoint),
        .mapper = mapping_port(wired->mapping),
        .store = pg_store_port(&wired->target),
    };
}

static int wire_queue(struct wiring *wiring, size_t number, struct error *err)
{
    const struct settings *settings = &wiring->configuration->settings;
    const struct queue_settings *queue = &settings->queues[number];
    struct wired_queue *wired = &wiring->wired[number];

    wired->mapping = configuration_mapping(wiring->configuration, queue->entity);
    wiring->entities[number] = mapping_entity(wired->mapping);
    if (pg_statements_init(&wired->statements, wiring->entities[number]) != 0)
        return error_no_memory(err);
    wired->target = (struct pg_store_target){
        .settings = &wiring->postgres,
        .statements = &wired->statements,
        .queue = queue->name,
        .max_batch_bytes = BATCH_MAX_BYTES,
        .max_message_bytes = (size_t)settings->limits.max_message_bytes,
    };
    wiring->queues[number] = (struct bridge_queue){ .name = queue->name,
                                                    .entity = queue->entity,
                                                    .consume = consume_settings(settings, queue),
                                                    .write = write_settings(settings, queue),
                                                    .ports = queue_ports(wiring, wired) };
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
        .entities = calloc(settings->queue_count, sizeof(*wiring->entities)),
        .queues = calloc(settings->queue_count, sizeof(*wiring->queues)),
    };
    if (wiring->wired == NULL || wiring->entities == NULL || wiring->queues == NULL)
        return error_no_memory(err);
    wiring->lease_target = (struct pg_lease_target){
        .settings = &wiring->postgres,
        .entities = wiring->entities,
        .entity_count = settings->queue_count,
        .program_version = kopru_version(),
        .patience = { .wait_ms = LEASE_ACQUIRE_WAIT_MS, .frozen_after_ms = LEASE_EXPIRES_MS },
    };
    wiring->lease = pg_lease_port(&wiring->lease_target);
    /* Checked here and not when libpq connects: it would quote what it cannot read, which may be
       part of a password. */
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
    free(wiring->entities);
    free(wiring->queues);
}
