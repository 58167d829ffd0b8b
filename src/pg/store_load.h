/*
 * The second round trip of the transaction that writes a batch: it locks and reads the rows of the
 * entities that are stored with another payload.
 */
#ifndef KOPRU_PG_STORE_LOAD_H
#define KOPRU_PG_STORE_LOAD_H

#include "pg/store_transaction.h"

/* Reads the roots and, of each child table, the rows of those entities whose messages replace any.
   Sends nothing when there is nothing to read. The rows of several entities together may take 4 MiB
   as they arrive, those of one entity alone PG_STORE_LOADED_PER_MESSAGE_BYTE times
   max_message_bytes more; otherwise the connection is lost. Returns 0, or -1 with tx->failure. */
int store_load(struct store_transaction *tx);

#endif
