/*
 * The SQL of one entity, generated from its mapping once at start: what `kopru sql` prints and the
 * writers prepare.
 *
 * The statements take arrays: `load` one of keys, the others one per column, which they unnest into
 * rows. COPY takes none.
 */
#ifndef KOPRU_PG_STATEMENTS_H
#define KOPRU_PG_STATEMENTS_H

#include "base/arena.h"
#include "model/entity.h"
#include "pg/call.h"

struct pg_child_statements {
    struct pg_statement load;   /* root keys -> all rows of these roots */
    struct pg_statement remove; /* keys of rows */
    struct pg_statement write;  /* rows */
    struct pg_statement
        copy; /* the same for many rows that cannot be there yet: no parameters, the rows follow */
};

struct pg_statements {
    const struct entity *entity;
    struct pg_statement find; /* root keys, hashes, source times -> ordinal, whether the payload is
                                 the one applied last */
    struct pg_statement load; /* root keys -> rows, locked */
    struct pg_statement
        write; /* rows, and touched, and the updated_at before -> whether each was inserted */
    struct pg_child_statements *children;
    struct arena arena; /* holds all texts */
};

/* What follows a root table's own columns as parameters of `write`, in this order. */
enum {
    ROOT_WRITE_HASH,
    ROOT_WRITE_SOURCE_TIME,
    ROOT_WRITE_UPDATED_AT,
    ROOT_WRITE_TOUCHED,
    ROOT_WRITE_MORE
};

/* What follows a root table's own columns in a row of `load`. */
enum { ROOT_LOAD_HASH, ROOT_LOAD_SOURCE_TIME, ROOT_LOAD_UPDATED_AT, ROOT_LOAD_MORE };

/* Returns 0, or -1 when there is no memory. Release in both cases. The entity must outlive it. */
int pg_statements_init(struct pg_statements *statements, const struct entity *entity);
void pg_statements_release(struct pg_statements *statements);

#endif
