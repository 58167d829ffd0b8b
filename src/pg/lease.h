/*
 * The lease on a queue, as a row of kopru.queues with an epoch.
 *
 * Each writing transaction checks the epoch with FOR KEY SHARE (store.h), and so locks the row from
 * the check until it has committed or rolled back. Acquiring locks the row FOR UPDATE, which waits
 * for these transactions, and then raises the epoch. So a lease is never lost between a check and
 * COMMIT: a transaction that has checked the old epoch commits before the lease changes hands, or
 * never; one that checks it later waits, finds no row with it, and writes nothing. Renewing is an
 * UPDATE that FOR KEY SHARE does not block.
 */
#ifndef KOPRU_PG_LEASE_H
#define KOPRU_PG_LEASE_H

#include "model/entity.h"
#include "model/lease.h"
#include "pg/call.h"
#include "pg/conn.h"

/* How long an acquisition waits for others. */
struct pg_lease_patience {
    int wait_ms;         /* for the transactions of the previous holder */
    int frozen_after_ms; /* when these take longer, sessions of this login, in this database, whose
                            client was seen to send nothing for this long within such a transaction
                            are ended (pg_terminate_backend): it is rolled back */
};

/* The sessions that stood still at the last look at them. All zero before the first. */
struct pg_lease_stillness {
    char sessions[2048]; /* named as END_FROZEN in lease.c names them; room for all that it names */
    int64_t at_ms;       /* monotonic */
};

/* Reads without acquiring. A queue without a row gets one that nobody holds. Returns 0; 1 with
   *other filled when the row says that the queue carries another entity, or one with another table,
   so that the lease is not to be acquired; or -1. */
int pg_lease_read(struct pg_conn *conn, const char *queue, const struct entity *entity,
                  struct lease *lease, struct error *other, struct pg_failure *failure);

/* Reads as well, but adds no row: a queue without one has a lease that nobody holds. */
int pg_lease_look(struct pg_conn *conn, const char *queue, struct lease *lease,
                  struct pg_failure *failure);

/* Acquires the lease if its row is still as it was read; lease->epoch is then ours. Returns 1; 0
   when another instance was quicker, when the holder renewed it meanwhile, or when transactions
   under the old epoch were not over in time (then lease->sessions_ended tells how many sessions
   were ended), so that it is to be read again; or -1. */
int pg_lease_acquire(struct pg_conn *conn, const char *queue, const struct lease_holder *holder,
                     const struct pg_lease_patience *patience, struct pg_lease_stillness *seen,
                     struct lease *lease, struct pg_failure *failure);

/* Each returns 1, or 0 when the row has another epoch, so that the lease is no longer ours, or -1.
   Renewing writes the holder and the state of `mine` where its epoch still stands, so a row that
   was edited by hand names its holder again. A released lease has no holder, but its epoch
   stays. None of these functions takes a row for another instance's that a trigger or rule of the
   site keeps from being written: that is -1. */
int pg_lease_renew(struct pg_conn *conn, const char *queue, const struct lease *mine,
                   const struct freshness *freshness, struct pg_failure *failure);
int pg_lease_release(struct pg_conn *conn, const char *queue, int64_t epoch,
                     const struct freshness *freshness, struct pg_failure *failure);

/* The statements of the functions above, for description only. */
enum {
    PG_LEASE_ADD,
    PG_LEASE_READ,
    PG_LEASE_LOCK_TIMEOUT,
    PG_LEASE_LOCK,
    PG_LEASE_ACQUIRE,
    PG_LEASE_END_FROZEN,
    PG_LEASE_RENEW,
    PG_LEASE_RELEASE,
    PG_LEASE_STATEMENT_COUNT
};
extern const struct pg_statement *const PG_LEASE_STATEMENTS[PG_LEASE_STATEMENT_COUNT];

#endif
