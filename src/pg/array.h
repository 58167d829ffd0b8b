/*
 * A one-dimensional PostgreSQL array in binary form, built element by element. With arrays one
 * statement takes any number of rows (unnest) and stays below the protocol's limit of 65,535
 * parameters. Format: array_recv in PostgreSQL's src/backend/utils/adt/arrayfuncs.c.
 *
 *     pg_array_init(&array, TEXT_OID, max_bytes)
 *     pg_array_bytes(&array, slice), pg_array_null(&array), ...    // one call for each element
 *     pg_array_finish(&array)                                      // array.bytes is complete
 *     pg_array_release(&array)
 *
 * Appending does not fail; pg_array_finish() tells whether it did.
 */
#ifndef KOPRU_PG_ARRAY_H
#define KOPRU_PG_ARRAY_H

#include "base/buffer.h"
#include "model/value.h"

#include <postgres_ext.h>

struct pg_array {
    struct buffer bytes;
    Oid element;
    uint32_t count;
    bool has_nulls;
};

/* The type of a column where it is a parameter and where it is read. */
struct pg_type {
    Oid element;
    Oid array;
    const char *array_name; /* for casts: "text[]" */
    /* What follows the column where it is read: "::text" for numeric and jsonb, which are read as
       text, else "". */
    const char *read_cast;
};

const struct pg_type *pg_type_of(enum value_type type);
extern const struct pg_type PG_TYPE_BYTEA; /* of payload hashes, which no entity file names */

/* The element type of one of the array types in binary.h. */
Oid pg_array_element(Oid array);

/* max_bytes: the most that the array may take, its header included. */
void pg_array_init(struct pg_array *array, Oid element, size_t max_bytes);
void pg_array_release(struct pg_array *array);

/* Append one element: null; text or bytea; a number in the width of the element type; a value of
   the mapping, of the type that pg_type_of() gives for its own. */
void pg_array_null(struct pg_array *array);
void pg_array_bytes(struct pg_array *array, struct slice bytes);
void pg_array_integer(struct pg_array *array, int64_t number);
void pg_array_value(struct pg_array *array, const struct value *value);

/* Completes the header. Returns 0, or -1 when the array outgrew max_bytes or memory. */
int pg_array_finish(struct pg_array *array);

#endif
