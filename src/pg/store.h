/*
 * Writes messages of one queue into the tables of its entity, a batch in one transaction. Owned by one writer thread; it connects
 * when it must and drops the connection when it is of no more use.
 *
 * A transaction: is the queue still ours; which entities are there and which payloads are the ones applied last; lock and read the
 * rows of those that differ; apply the messages in memory; write the difference and the dead letters; commit.
 */
#ifndef KOPRU_PG_STORE_H
#define KOPRU_PG_STORE_H

#include "model/message.h"
#include "pg/conn.h"
#include "pg/statements.h"

struct pg_store;

/* What stays the same for all writers of a queue. Strings and statements must outlive the store. */
struct pg_store_target {
    const struct pg_settings *settings;
    const struct pg_statements *statements;
    const char *queue;
    size_t max_batch_bytes; /* of the memory a batch may take while it is written */
};

/* NULL when there is no memory. */
struct pg_store *pg_store_new(const struct pg_store_target *target);
void pg_store_free(struct pg_store *store);

enum write_outcome pg_store_write(struct pg_store *store, int64_t epoch, const struct write_request *request,
                                  struct write_report *report);

#endif
