/*
 * Writes messages of one queue into the tables of its entity, a batch in one transaction. Owned by
 * one writer thread. It connects when it has to, keeps the connection from one batch to the next,
 * and closes it when it is of no more use.
 *
 * A transaction asks whether the lease of the queue is still held, and keeps it from being acquired
 * until it ends (lease.h); finds out which entities are stored and which of them had this very
 * payload applied last; locks and reads the rows of the others; applies the messages in memory;
 * writes the difference and the dead letters; copies the child rows of new roots where they are
 * many; sees that every row is there; and commits.
 *
 * Writing a message again that is committed already, as after a redelivery, changes no row of its
 * entity. A dead letter is then counted (`occurrences`) in the row of kopru.dead_letters that has
 * its body, as long as that row is open. A constraint or trigger of the site that refuses a dead
 * letter itself, or swallows it, means WRITE_PAUSE: every message can be a dead letter, so no
 * message is at fault.
 */
#ifndef KOPRU_PG_STORE_H
#define KOPRU_PG_STORE_H

#include "model/message.h"
#include "pg/conn.h"
#include "pg/statements.h"

struct pg_store;

/* The round trips that one call of pg_store_write() makes at most: one on a session that the server
   has ended for being idle, those of the transaction, and a ROLLBACK and a question after it. All
   of a COPY counts as one, since it has the time limit of one. */
enum { PG_STORE_MAX_ROUND_TRIPS = 10 };

/* What is the same for all writers of a queue. All that it points to must outlive the store. */
struct pg_store_target {
    const struct pg_settings *settings;
    const struct pg_statements *statements;
    const char *queue;
    size_t max_batch_bytes; /* the most that a batch may take here or in a message to the server */
    size_t max_message_bytes; /* of a body: the limits below follow from it */
};

/* Times max_message_bytes. A message becomes 16 times its body in memory at most, and printed by
   PostgreSQL less than three times. */
enum {
    /* What messages may make of the `extra` of a root, in which unknown names pile up. One message
       alone always fits. */
    PG_STORE_EXTRA_PER_MESSAGE_BYTE = 4,
    /* What the stored rows of one entity may take as they arrive, beyond 4 MiB: more than one
       message can have made of any table. */
    PG_STORE_LOADED_PER_MESSAGE_BYTE = 24,
    /* The same as values, beyond 16 MiB. */
    PG_STORE_CHANGED_PER_MESSAGE_BYTE = 48,
    /* What a transaction takes in all, beyond 32 MiB: rows as they arrive, with libpq's bookkeeping
       for each null, and as values; then as values, as parameters, and in libpq's buffer. */
    PG_STORE_TAKES_PER_MESSAGE_BYTE = 144,
};

/* NULL when there is no memory. Does not connect yet. */
struct pg_store *pg_store_new(const struct pg_store_target *target);

/* NULL is allowed. */
void pg_store_free(struct pg_store *store);

/* Writes the batch in one transaction, whole or not at all. epoch is the one under which the lease
   is held; when the queue's row has another one, the lease is lost and nothing is written
   (WRITE_LEASE_LOST). Blocks for the connect timeout and PG_STORE_MAX_ROUND_TRIPS round trips at
   most. Fills *report whatever the outcome; its error says what failed, and is empty for a lost
   lease. If the connection is lost during COMMIT, nobody knows whether the batch is committed: the
   outcome is WRITE_RETRY. */
enum write_outcome pg_store_write(struct pg_store *store, int64_t epoch,
                                  const struct write_request *request, struct write_report *report);

/* Writes a stored entity again and rolls back (store_witness.h): one with rows of a table that the
   statements in *rest (blame.h) change, if there is one. An entity need not have rows of all these
   tables, so each call asks about one table, takes what it asked about out of *rest, and the last
   one leaves 0. Blocks as long as pg_store_write(). Returns 0, and adds to *passed the statements
   through which the database took the entity, none where no such entity is stored, or the site's
   rules refuse a copy for what it is; or -1: the database did not take it, or could not be asked.
   In that case there is no use in asking about the rest. */
int pg_store_ask_witness(struct pg_store *store, int64_t epoch, uint64_t *rest, uint64_t *passed);

#endif
