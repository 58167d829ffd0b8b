/*
 * Rows as COPY ... FROM STDIN (FORMAT binary) takes them: the cheapest way into a table, for rows
 * that cannot be there yet.
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
    size_t rows;
};

void pg_copy_init(struct pg_copy *copy, size_t max_bytes);
void pg_copy_release(struct pg_copy *copy);

/* values: one per column of the table. */
void pg_copy_row(struct pg_copy *copy, const struct table *table, const struct value *values);

/* Returns 0, or -1 when the rows outgrew max_bytes or memory. */
int pg_copy_finish(struct pg_copy *copy);

#endif
