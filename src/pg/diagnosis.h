/*
 * What went wrong with a connection, in words for a person: from the server's fields and libpq's
 * text to a pg_failure. No values of rows, and nothing of the server's DETAIL, get into it.
 */
#ifndef KOPRU_PG_DIAGNOSIS_H
#define KOPRU_PG_DIAGNOSIS_H

#include "pg/failure.h"

#include <libpq-fe.h>

/* The connection is of no more use. why may be NULL: libpq's own words. Keeps failure->sqlstate, if
   the server gave one before. */
void pg_diagnose_loss(PGconn *pg, struct pg_failure *failure, const char *what, const char *why);

/* The server answered a statement with an error, which may have ended the connection, too. */
void pg_diagnose_refusal(PGconn *pg, struct pg_failure *failure, const PGresult *result,
                         const char *statement);

#endif
