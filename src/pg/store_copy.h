/*
 * The step of the transaction that copies child rows. COPY costs the server about two thirds of an
 * upsert, but two round trips for each table, and it can only insert. So it takes the child rows of
 * roots that this very transaction has inserted, where nobody else can have written any, and only
 * where they are many.
 *
 *     store_copy_decide(tx, probe)        // after the fold
 *     store_copy_has(tx, entity)          // whether the upserts leave that entity's children out
 *     store_copy(tx)                      // after the upserts
 */
#ifndef KOPRU_PG_STORE_COPY_H
#define KOPRU_PG_STORE_COPY_H

#include "pg/store_transaction.h"

/* Sets tx->copies. A probe never copies, and neither does a batch of one entity. */
void store_copy_decide(struct store_transaction *tx, bool probe);

/* Whether the child rows of that entity are copied. */
bool store_copy_has(const struct store_transaction *tx, const struct write_set_entity *entity);

/* Copies them. Returns 0, or -1 with tx->failure; where the server cannot copy into these tables at
   all, tx->copy_refused is set and the connection stays in order. */
int store_copy(struct store_transaction *tx);

#endif
