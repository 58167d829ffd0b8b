/*
 * The ports of the bridge (model/ports.h), connected to the broker, the mappings and the database
 * of one configuration.
 *
 *     wiring_init(&wiring, &configuration, &err)
 *     bridge_start(&bridge, wiring.queues, wiring.queue_count, &wiring.lease, &err)
 *     ... after bridge_free() ...
 *     wiring_release(&wiring)
 */
#ifndef KOPRU_CMD_WIRING_H
#define KOPRU_CMD_WIRING_H

#include "amqp/consumer.h"
#include "bridge/bridge.h"
#include "cmd/configuration.h"
#include "pg/ports.h"

/* What the ports of one queue need. */
struct wired_queue {
    const struct mapping *mapping;
    struct pg_statements statements;
    struct pg_store_target target;
};

struct wiring {
    const struct configuration *configuration;
    struct amqp_endpoint endpoint;
    struct pg_settings postgres;
    atomic_bool unprepared; /* see struct pg_settings */
    struct wired_queue *wired;
    const struct entity **entities; /* of the queues */
    struct pg_lease_target lease_target;
    struct bridge_queue *queues;
    size_t queue_count;
    struct lease_port lease;
};

/* The configuration must outlive it. Returns 0, or -1; release in both cases. */
int wiring_init(struct wiring *wiring, const struct configuration *configuration,
                struct error *err);
void wiring_release(struct wiring *wiring);

/* Return the parts of the settings that amqp and pg take. */
struct amqp_endpoint wiring_endpoint(const struct settings *settings);
struct pg_settings wiring_postgres(const struct settings *settings, atomic_bool *unprepared);

#endif
