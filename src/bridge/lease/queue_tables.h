/*
 * Whether the tables of one queue's entity are as its mapping needs them, and the queue's row names
 * that entity. The lease keeper asks when it has connected, and again after a growing wait
 * (PAUSE_POLICY) while they are not: until then the queue's lease is not acquired and no new
 * subscription begins. A lease that is held stays so, and all other queues go on.
 */
#ifndef KOPRU_BRIDGE_LEASE_QUEUE_TABLES_H
#define KOPRU_BRIDGE_LEASE_QUEUE_TABLES_H

#include "base/backoff.h"
#include "bridge/observe/last_error.h"
#include "model/ports.h"

/* Used by the lease keeper; any thread may read the error. */
struct queue_tables {
    bool checked;          /* over the present connection, and they fit */
    int64_t next_check_ms; /* monotonic */
    struct backoff backoff;
    struct last_error_slot error; /* what is wrong with them */
};

void queue_tables_init(struct queue_tables *tables);
void queue_tables_release(struct queue_tables *tables);

/* They are to be checked anew: the lease keeper has connected, or has read another entity. */
void queue_tables_begin(struct queue_tables *tables);

/* Checks them when it is time. Returns 1 when that was done, with the result in *fit; 0 when it was
   not; -1 when the database cannot be asked. Logs what is wrong with them. */
int queue_tables_check(struct queue_tables *tables, const struct lease_port *port, void *session,
                       const char *queue, const char *entity, bool *fit, struct error *err);

#endif
