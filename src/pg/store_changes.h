/*
 * The third round trip of the transaction that writes a batch: it writes what is different, checks
 * the deferred constraints, and writes the dead letters of the batch. Where rows are copied, the
 * check and the dead letters follow in a round trip of their own.
 */
#ifndef KOPRU_PG_STORE_CHANGES_H
#define KOPRU_PG_STORE_CHANGES_H

#include "pg/store_transaction.h"

/* Makes deferred constraints speak before the transaction ends. No parameters. */
extern const struct pg_statement PG_CHECK_CONSTRAINTS;

/* Writes roots, then per child table the rows that are gone and those that are new or different.
   With tx->copies it leaves out the child rows that store_copy() will copy; otherwise it also does
   what store_write_end() does. Sends nothing when nothing is to be written. Returns 0, or -1 with
   tx->failure: among others, not every row was written, or another session inserted one of the
   roots meanwhile. */
int store_write_changes(struct store_transaction *tx);

/* After store_copy(): checks the deferred constraints, and writes the dead letters. Returns 0, or
   -1 with tx->failure. */
int store_write_end(struct store_transaction *tx);

#endif
