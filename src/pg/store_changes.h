/*
 * The third round trip of the transaction that writes a batch: it writes what is different, and the
 * dead letters of the batch.
 */
#ifndef KOPRU_PG_STORE_CHANGES_H
#define KOPRU_PG_STORE_CHANGES_H

#include "pg/store_transaction.h"

/* Makes deferred constraints speak before a probe is rolled back. No parameters. */
extern const struct pg_statement PG_CHECK_CONSTRAINTS;

/* Writes roots, then per child table the rows that are gone and those that are new or different,
   then the dead letters; leaves out the child rows that store_copy() will copy. Sends nothing when
   nothing is to be written. Returns 0, or -1 with tx->failure: among others, not every row was
   written, or another session inserted one of the roots meanwhile. */
int store_write_changes(struct store_transaction *tx, bool probe);

#endif
