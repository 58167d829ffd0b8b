/*
 * One value in PostgreSQL's binary form, after its length, or a length of -1 for null. The elements
 * of a binary array (array_recv) and the fields of binary COPY both have this form. Formats: the
 * *_recv functions in PostgreSQL's src/backend/utils/adt.
 *
 * Appending does not fail; buffer_failed() tells whether it did.
 */
#ifndef KOPRU_PG_CELL_H
#define KOPRU_PG_CELL_H

#include "base/buffer.h"
#include "model/value.h"

#include <postgres_ext.h>

void pg_cell_null(struct buffer *out);
void pg_cell_bytes(struct buffer *out, struct slice bytes);         /* text, bytea */
void pg_cell_integer(struct buffer *out, Oid type, int64_t number); /* in the width of the type */

/* type: the element type that pg_type_of() gives for the type of the value's column. */
void pg_cell_value(struct buffer *out, Oid type, const struct value *value);

#endif
