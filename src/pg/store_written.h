/*
 * Whether every row that a transaction sent was written. A statement that succeeds may have written
 * fewer: a trigger of the site may return NULL, or change a key.
 *
 *     store_written_ask(tx)          // with the changes: is there anything of the site's?
 *     store_written_count(tx)        // after them: as many rows came back as were sent
 *     store_written_verify(tx)       // before COMMIT: where there is, the rows are looked up
 *
 * A difference fills tx->failure with not_written and the table. It may be another session's doing,
 * so the transaction is tried again before anybody is blamed.
 */
#ifndef KOPRU_PG_STORE_WRITTEN_H
#define KOPRU_PG_STORE_WRITTEN_H

#include "pg/store_transaction.h"

/* Adds the question to the pipeline. The statements before it have locked the tables that they
   wrote to, so that nobody can add a trigger or a rule there any more. */
void store_written_ask(struct store_transaction *tx);

/* Compares the rows that came back with those that were sent, in number and, where there may be
   something of the site's, by their keys, for each call of the pipeline that was answered. Sets
   tx->foreign. May be asked after a failure, which often only follows from a row that is missing.
   Returns 0, or -1 with tx->failure. */
int store_written_count(struct store_transaction *tx);

/* After a failure that says that two rows got the same key in one statement, which only the site
   can do to them: makes tx->failure not_written; it keeps its SQLSTATE. */
void store_written_merged(struct store_transaction *tx);

/* If there is anything of the site's on the tables, fires deferred triggers and looks up the rows
   by their keys: those that were written must be there, and those that were deleted must not.
   Returns 0, or -1 with tx->failure. */
int store_written_verify(struct store_transaction *tx);

/* Fills tx->failure: of the rows that were `sent` to the table, to be `verb` ("written",
   "deleted"), only `done` were. Returns -1. */
int store_not_written(struct store_transaction *tx, const char *table, const char *verb,
                      size_t sent, size_t done);

#endif
