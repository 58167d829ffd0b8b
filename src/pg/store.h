/*
 * Writes messages of one queue into the tables of its entity, a batch in one transaction. Owned by
 * one writer thread; it connects when it must and drops the connection when it is of no more use.
 *
 * A transaction: is the queue still ours; which entities are there and which payloads are the ones
 * applied last; lock and read the rows of those that differ; apply the messages in memory; write
 * the difference and the dead letters; copy the child rows of new roots where they are many;
 * commit.
 */
#ifndef KOPRU_PG_STORE_H
#define KOPRU_PG_STORE_H

#include "model/message.h"
#include "pg/conn.h"
#include "pg/statements.h"

struct pg_store;

/* The trips to the server of one call of pg_store_write() at most: of the transaction, and
   ROLLBACK. */
enum { PG_STORE_MAX_TRIPS = 6 };

/* What stays the same for all writers of a queue. All that it points to must outlive the store. */
struct pg_store_target {
    const struct pg_settings *settings;
    const struct pg_statements *statements;
    const char *queue;
    size_t max_batch_bytes; /* of the memory a batch may take while it is written */
};

/* NULL when there is no memory. */
struct pg_store *pg_store_new(const struct pg_store_target *target);
void pg_store_free(struct pg_store *store);

/* Blocks for at most the connect timeout and PG_STORE_MAX_TRIPS trips (pg_conn_trip()). Fills
   *report whatever comes; its error says why nothing was committed, except for WRITE_LEASE_LOST.
   epoch: under which the queue was taken; another one in its row means that the place is lost. Not
   for two threads at once. */
enum write_outcome pg_store_write(struct pg_store *store, int64_t epoch,
                                  const struct write_request *request, struct write_report *report);

#endif
