/*
 * The right to write for a queue: a row of kopru.queues with an epoch. Taking it over raises the epoch and waits for the
 * transactions that still hold the old one; whoever checks an old epoch afterwards finds no row.
 */
#ifndef KOPRU_PG_LEASE_H
#define KOPRU_PG_LEASE_H

#include "pg/conn.h"

#include <stdbool.h>
#include <stdint.h>

enum { PG_HOLDER_MAX_BYTES = 256 };

struct pg_lease {
    int64_t epoch;
    char holder[PG_HOLDER_MAX_BYTES]; /* who holds it, or held it before us; "" if nobody */
    int64_t silent_ms;                /* since the holder renewed it, by the server's clock */
};

/* Looks without taking. A queue without a row gets one that nobody holds. */
int pg_lease_read(struct pg_conn *conn, const char *queue, const char *entity, struct pg_lease *lease, struct pg_failure *failure);

/* Takes the queue if its row still has the epoch that was read; lease->epoch is then ours. Returns 1, or 0 when another instance was
   quicker, or -1. */
int pg_lease_take(struct pg_conn *conn, const char *queue, const char *holder, struct pg_lease *lease, struct pg_failure *failure);

/* Freshness of the queue, as the wall clock has it: microseconds since 2000-01-01 UTC, 0 for never. */
struct pg_lease_news {
    int64_t last_message_us;
    int64_t last_commit_us;
};

/* Renews it; with `give_back` nobody holds it any more, but the epoch stays. Returns 1, or 0 when it is no longer ours, or -1. */
int pg_lease_renew(struct pg_conn *conn, const char *queue, int64_t epoch, const struct pg_lease_news *news, bool give_back,
                   struct pg_failure *failure);

#endif
