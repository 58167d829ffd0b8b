/*
 * The transaction that writes one batch, in progress. store.c runs its steps in this order, each a
 * file and a round trip of its own:
 *
 *     store_find.h       is the lease still held; which entities are stored, with which payload
 *     store_load.h       lock and read the rows of those that differ
 *     store_changes.h    write what is different, check deferred constraints, write dead letters
 *     store_copy.h       copy the child rows of new roots, where they are many; the check and the
 *                        dead letters come after that
 *     store_written.h    whether every row is there
 *
 * store_witness.c runs the same steps for a stored entity instead of messages. Each step returns 0,
 * or -1 with tx->failure filled; after a failure no other step is run.
 */
#ifndef KOPRU_PG_STORE_TRANSACTION_H
#define KOPRU_PG_STORE_TRANSACTION_H

#include "pg/failure.h"
#include "pg/pipeline.h"
#include "pg/store.h"
#include "pg/write_set.h"

struct store_transaction {
    const struct pg_store_target *target;
    struct pg_conn *conn; /* borrowed from the store */
    struct write_set set;
    struct pg_pipeline pipeline;
    int64_t epoch_wire; /* big-endian: an argument of the first round trip */
    bool copies; /* the child rows of new roots are copied; never those of one entity alone, so that
                    no message is judged by COPY */
    bool copy_refused; /* COPY into these tables is not possible, as with row-level security; kept
                          by the store for the transactions to come */
    bool conn_lost;    /* a connection was lost, and nothing committed since. Then the lease check
                          is answered at once (pg_call.flush), at a small cost, to learn whether
                          the next one is lost in a statement with rows; kept by the store */
    bool partitioned;  /* one of the tables was partitioned when the last transaction asked; kept by
                          the store. It only chooses between two forms of a statement, each of
                          which serves any table */
    bool foreign;      /* a trigger, a rule or row-level security of the site is on the tables */
    struct pg_failure failure;
    bool gave_up; /* the rows took too much memory in this process, not in the server */
};

/* Makes tx->set of the request, which must outlive it. Returns 0, or -1 with tx->failure. */
int store_init_set(struct store_transaction *tx, const struct write_request *request);

/* Sends the calls of the pipeline and waits for their results. Returns 0, or -1 with tx->failure.
   pg_pipeline_clear() has to follow. */
int store_send(struct store_transaction *tx);

/* Each fills tx->failure, and returns -1. */

/* There was no memory, or the arena of the write set is full. */
int store_no_memory(struct store_transaction *tx);

/* The stored rows took more than max_bytes as they arrived. */
int store_too_many_rows(struct store_transaction *tx, size_t max_bytes);

#endif
