/*
 * One value in PostgreSQL's binary form, behind its length or -1 for null: an element of a binary
 * array (array_recv) and a field of binary COPY alike. Formats: the *_recv functions of
 * src/backend/utils/adt.
 */
#ifndef KOPRU_PG_CELL_H
#define KOPRU_PG_CELL_H

#include "base/buffer.h"
#include "model/value.h"

#include <postgres_ext.h>

void pg_cell_null(struct buffer *out);
void pg_cell_bytes(struct buffer *out, struct slice bytes);         /* text, bytea */
void pg_cell_integer(struct buffer *out, Oid type, int64_t number); /* in the width of the type */
void pg_cell_value(struct buffer *out, Oid type,
                   const struct value *value); /* the type as pg_type_of() has it */

#endif
