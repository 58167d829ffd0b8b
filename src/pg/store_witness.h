/*
 * A stored entity as a witness: written once more as it is, and as a new one under another key,
 * through the statements that messages go through, and rolled back. If the database takes both, a
 * message that it refuses is no victim of an outage.
 *
 *     store_witness_choose(tx, table, &witness)                   // 1: there is one
 *     store_witness_write(tx, &witness, epoch, statements, &passed)
 *     pg_conn_rollback(tx->conn)
 */
#ifndef KOPRU_PG_STORE_WITNESS_H
#define KOPRU_PG_STORE_WITNESS_H

#include "pg/store_transaction.h"

/* The witness of one table that was chosen last. Zeroed: none was chosen yet. */
struct store_witness {
    char id[ENTITY_KEY_MAX_BYTES];
    size_t len;
};

/* Replaces *witness by the root that follows it, in the order of keys and around the end, with rows
   of the child table of that number (child_count: any root). So a row that the site's rules have
   come to refuse is not asked for ever. Returns 1; 0 if no such root is stored; or -1 with
   tx->failure. A transaction may be left open. */
int store_witness_choose(struct store_transaction *tx, size_t table, struct store_witness *witness);

/* Writes the root and all its child rows as they are stored, and as those of a new entity, in a
   transaction that is left open; the stored child rows of a table are deleted before, if one of the
   statements deletes rows of it. Adds the statements that it went through (blame.h) to *passed;
   none if the root has gone, or the new key is in use. Returns 0, or -1: the lease is lost, or
   tx->failure is filled. */
int store_witness_write(struct store_transaction *tx, const struct store_witness *witness,
                        int64_t epoch, uint64_t statements, uint64_t *passed);

#endif
