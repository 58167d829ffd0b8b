/*
 * The right to write for a queue: a row of kopru.queues with an epoch. Taking it over raises the
 * epoch and waits for the transactions that still hold the old one; whoever checks an old epoch
 * afterwards finds no row.
 */
#ifndef KOPRU_PG_LEASE_H
#define KOPRU_PG_LEASE_H

#include "model/lease.h"
#include "pg/call.h"
#include "pg/conn.h"

/* Looks without taking. A queue without a row gets one that nobody holds. */
int pg_lease_read(struct pg_conn *conn, const char *queue, const char *entity, struct lease *lease,
                  struct pg_failure *failure);

/* Takes the queue if its row still has the epoch that was read; lease->epoch is then ours. Returns
   1, or 0 when another instance was quicker or its transactions are not over within a second (other
   queues must not wait for them), or -1. Sessions of this login that stood still within such a
   transaction for six seconds are ended: lease->evicted is their number. */
int pg_lease_take(struct pg_conn *conn, const char *queue, const char *holder, struct lease *lease,
                  struct pg_failure *failure);

/* Renews it under that name; with NULL nobody holds it any more, but the epoch stays. Returns 1, or
   0 when it is no longer ours, or -1. */
int pg_lease_renew(struct pg_conn *conn, const char *queue, int64_t epoch,
                   const struct lease_news *news, const char *holder, struct pg_failure *failure);

/* The statements of the functions above, for description only: add, read, patience, lock, take,
   evict, renew. */
enum {
    PG_LEASE_ADD,
    PG_LEASE_READ,
    PG_LEASE_PATIENCE,
    PG_LEASE_LOCK,
    PG_LEASE_TAKE,
    PG_LEASE_EVICT,
    PG_LEASE_RENEW,
    PG_LEASE_STATEMENT_COUNT
};
extern const struct pg_statement *const PG_LEASE_STATEMENTS[];

#endif
