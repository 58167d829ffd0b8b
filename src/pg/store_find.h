/*
 * The first round trip of the transaction that writes a batch: it begins the transaction, checks
 * the lease, and asks which entities are stored.
 */
#ifndef KOPRU_PG_STORE_FIND_H
#define KOPRU_PG_STORE_FIND_H

#include "pg/store_transaction.h"

/* Checks that the lease is still held. Parameters: queue, epoch. Returns one row if it is. The row
   lock makes an instance that acquires the lease meanwhile wait for the transaction. */
extern const struct pg_statement PG_CHECK_EPOCH;

/* *lease_held: whether the queue's row still has that epoch; if it does not, nothing may be
   written. Marks in tx->set what is stored. Returns 0, or -1 with tx->failure. */
int store_find(struct store_transaction *tx, int64_t epoch, bool *lease_held);

#endif
