/*
 * Every statement that the daemon runs, in words: what it is for and what its parameters are. For
 * people (`kopru sql`) and for the test that prepares each on a migrated database.
 */
#ifndef KOPRU_PG_DESCRIBE_H
#define KOPRU_PG_DESCRIBE_H

#include "pg/statements.h"

struct pg_description {
    const struct pg_statement *statement;
    const char *purpose;           /* what the statement is for, without a full stop */
    const char *table;             /* the entity's table that it works on, NULL if it is none */
    const char *const *parameters; /* a name for each parameter of the statement at least, then
                                      NULL */
};

/* The description lives until the function returns. */
typedef void pg_describe_fn(const struct pg_description *description, void *context);

/* Calls visit for each statement of one entity, in the order in which a transaction sends them.
   Returns 0, or -1 when there is no memory. */
int pg_describe_entity(const struct pg_statements *statements, pg_describe_fn *visit,
                       void *context);

/* Calls visit for the statements that are the same for all entities: those that begin and check a
   transaction, write dead letters, and acquire and renew a lease. */
void pg_describe_common(pg_describe_fn *visit, void *context);

/* Returns the name of a type, such as "text[]" for TEXT_ARRAY_OID, or NULL for a type that no
   statement takes. */
const char *pg_type_name(Oid type);

#endif
