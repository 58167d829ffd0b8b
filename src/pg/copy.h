/*
 * Rows in the form that COPY ... FROM STDIN (FORMAT binary) takes: the cheapest way into a table,
 * for rows that cannot be there yet. copy_in.h sends them.
 *
 *     pg_copy_init(&copy, max_bytes)
 *     pg_copy_row(&copy, table, values)        // for each row
 *     pg_copy_finish(&copy)                    // copy.bytes is complete
 *     pg_copy_release(&copy)
 */
#ifndef KOPRU_PG_COPY_H
#define KOPRU_PG_COPY_H

#include "base/buffer.h"
#include "model/entity.h"

struct pg_copy {
    struct buffer bytes;
    size_t rows; /* so far */
};

/* max_bytes: the most that all rows together may take. */
void pg_copy_init(struct pg_copy *copy, size_t max_bytes);
void pg_copy_release(struct pg_copy *copy);

/* Appends a row, with one value for each column of the table. */
void pg_copy_row(struct pg_copy *copy, const struct table *table, const struct value *values);

/* Appends the trailer. Returns 0, or -1 when the rows outgrew max_bytes or memory. */
int pg_copy_finish(struct pg_copy *copy);

#endif
