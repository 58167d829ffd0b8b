/*
 * PostgreSQL behind the bridge's ports: the store of a queue's writers, and the lease keeper's
 * session.
 */
#ifndef KOPRU_PG_PORTS_H
#define KOPRU_PG_PORTS_H

#include "model/entity.h"
#include "model/ports.h"
#include "pg/lease.h"
#include "pg/store.h"

/* The target must outlive the port. */
struct store_port pg_store_port(struct pg_store_target *target);

/* What the lease keeper's session needs; all that is pointed to must outlive the port. */
struct pg_lease_target {
    const struct pg_settings *settings;
    const struct entity *const *entities; /* those that check_tables() may be asked about */
    size_t entity_count;
    const char *program_version; /* which the schema must admit */
    struct pg_lease_patience patience;
};

struct lease_port pg_lease_port(struct pg_lease_target *target);

#endif
