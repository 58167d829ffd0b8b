/*
 * The SQL of one entity, generated once at the start from its mapping. `kopru sql` prints it, and
 * the writers prepare it. `find`, `remove`, `seek`, `insert` and both kinds of `write` take arrays,
 * one for each column, which they unnest into rows; `load` takes one array of root keys, `next`
 * takes one key; `copy` and `foreign` take no parameters.
 */
#ifndef KOPRU_PG_STATEMENTS_H
#define KOPRU_PG_STATEMENTS_H

#include "base/arena.h"
#include "model/entity.h"
#include "pg/call.h"

struct pg_child_statements {
    struct pg_statement load;             /* takes root keys; gives all rows of these roots */
    struct pg_statement load_partitioned; /* the same, quicker where the tables are partitioned */
    struct pg_statement remove;           /* takes keys of rows */
    struct pg_statement write;            /* takes rows; gives the key of each, in the same order */
    struct pg_statement seek; /* takes keys of rows; gives how many of these rows are there */
    struct pg_statement copy; /* for many rows that cannot be there yet; the rows follow it */
    struct pg_statement next; /* takes a root key; gives the next one with rows here, if any */
};

struct pg_statements {
    const struct entity *entity;
    struct pg_statement find; /* takes root keys, payload hashes and source times; gives, for each
                                  that is stored, its ordinal in the arrays and whether that payload
                                  is the one applied last */
    struct pg_statement load; /* takes root keys; gives the rows, locked, and ROOT_LOAD_* */
    struct pg_statement load_partitioned; /* the same, quicker where the tables are partitioned */
    struct pg_statement insert;  /* takes new rows and ROOT_WRITE_* before ROOT_INSERT_MORE; gives
                                    the key of each, in the same order, but none for a key that is
                                    there already */
    struct pg_statement write;   /* takes stored rows, which `load` has locked, and ROOT_WRITE_*;
                                    gives the key of each, in the same order */
    struct pg_statement next;    /* takes a root key; gives the next one that kopru can have
                                    written, if any */
    struct pg_statement foreign; /* gives a row for each of the tables that is partitioned, or on
                                    which there is a trigger, a rule or row-level security of the
                                    site: FOREIGN_*. In a partitioned one it takes such a thing for
                                    granted */
    struct pg_statement foreign_partitioned; /* the same, but looks at the partitions instead */
    struct pg_child_statements *children;    /* one for each child of the entity */
    struct arena arena;                      /* holds all texts */
};

/* The parameters of `insert` and `write` after those of a root table's own columns, in this order.
   TOUCHED says whether updated_at moves; UPDATED_AT is the stored one. */
enum {
    ROOT_WRITE_HASH,
    ROOT_WRITE_SOURCE_TIME,
    ROOT_INSERT_MORE,
    ROOT_WRITE_UPDATED_AT = ROOT_INSERT_MORE,
    ROOT_WRITE_TOUCHED,
    ROOT_WRITE_MORE
};

/* The columns of a row of `load` after a root table's own ones. */
enum { ROOT_LOAD_HASH, ROOT_LOAD_SOURCE_TIME, ROOT_LOAD_UPDATED_AT, ROOT_LOAD_MORE };

/* The columns of a row of `foreign`: both are boolean. */
enum { FOREIGN_IS_PARTITIONED, FOREIGN_IS_THERE };

/* Returns 0, or -1 when there is no memory. Release in both cases. The entity must outlive the
   statements, and the statements every connection that has sent one. */
int pg_statements_init(struct pg_statements *statements, const struct entity *entity);
void pg_statements_release(struct pg_statements *statements);

#endif
