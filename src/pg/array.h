/*
 * A one-dimensional PostgreSQL array in binary form, built element by element: the way one
 * statement takes any number of rows (unnest) without meeting the protocol's limit of 65,535
 * parameters. Format: src/backend/utils/adt/arrayfuncs.c, array_recv.
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

/* The type of a column as a parameter: the array's OID, its element's, and the array type's name
   for casts. */
struct pg_type {
    Oid element;
    Oid array;
    const char *array_name;
    const char
        *read_cast; /* appended where the column is read: numeric and jsonb are read as text */
};

const struct pg_type *pg_type_of(enum value_type type);
extern const struct pg_type PG_TYPE_BYTEA;

/* The element type of an array type among those above. */
Oid pg_array_element(Oid array);

void pg_array_init(struct pg_array *array, Oid element, size_t max_bytes);
void pg_array_release(struct pg_array *array);

void pg_array_null(struct pg_array *array);
void pg_array_bytes(struct pg_array *array, struct slice bytes); /* text, bytea */
void pg_array_integer(struct pg_array *array,
                      int64_t number); /* in the width of the element type */
void pg_array_value(struct pg_array *array, const struct value *value);

/* Completes the header. Returns 0, or -1 when it outgrew max_bytes or memory. */
int pg_array_finish(struct pg_array *array);

#endif
