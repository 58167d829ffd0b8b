/*
 * The rows that are stored for the entities of a write set, read from what the statements of
 * statements.h returned.
 *
 * Rows of entities that the set does not have are passed over, and so are child rows of an entity
 * whose root was not read before, and rows of an array that the mapping no longer names.
 */
#ifndef KOPRU_PG_STORED_ROWS_H
#define KOPRU_PG_STORED_ROWS_H

#include "pg/write_set.h"

#include <libpq-fe.h>

/* Reads from the result of `find` which entities are stored, and which of them are identical. */
void stored_rows_mark_found(struct write_set *set, const PGresult *result);

/* Reads the root rows from the result of `load`. Returns 0, or -1 when there is no memory. */
int stored_rows_read_roots(struct write_set *set, const PGresult *result);

/* Whether the first columns of the result are the key of that row of the table. */
bool stored_rows_have_key(const PGresult *result, int row, const struct table *table,
                          const struct value *values);

/* Reads the rows of a child table from the result of its `load`, after the roots. Returns 0, or -1
   when there is no memory. */
int stored_rows_read_children(struct write_set *set, size_t child, const PGresult *result);

#endif
