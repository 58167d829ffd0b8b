/*
 * The statements that one connection has prepared, by the address of their struct pg_statement.
 *
 * The name that the server sees tells the statement's text: behind a pooler another release of
 * kopru may have left a statement of its own under the plain name.
 */
#ifndef KOPRU_PG_PREPARED_H
#define KOPRU_PG_PREPARED_H

#include "pg/call.h"

#include <stddef.h>

/* More statements than these are sent unprepared. */
enum { PG_PREPARED_MAX = 80 };

/* Zeroed: none is prepared. */
struct pg_prepared {
    struct pg_prepared_entry {
        const struct pg_statement *statement;
        char name[96];
    } entries[PG_PREPARED_MAX];
    size_t count;
};

/* Returns the name under which the statement is prepared, or NULL when it is not. The name is valid
   until the next call of pg_prepared_forget(). */
const char *pg_prepared_name(const struct pg_prepared *prepared,
                             const struct pg_statement *statement);

/* Queues the preparation of the statement in libpq and counts it as prepared; fewer than
   PG_PREPARED_MAX must be. Returns its name, or NULL when libpq could not queue it. When the server
   refuses the preparation or never comes to it, pg_prepared_forget() has to follow. */
const char *pg_prepared_add(struct pg_prepared *prepared, PGconn *pg,
                            const struct pg_statement *statement);

/* Has the statement prepared anew on its next use. Harmless when it is not prepared. */
void pg_prepared_forget(struct pg_prepared *prepared, const struct pg_statement *statement);

/* Whether that SQLSTATE shows a pooler that hands each transaction to another server session:
   prepared statements come and go by themselves nowhere else. */
bool pg_prepared_is_not_kept(const char *sqlstate);

#endif
