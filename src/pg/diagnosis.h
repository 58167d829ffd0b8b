/*
 * Explains what went wrong with a connection: makes a pg_failure from the server's fields and
 * libpq's text. It never holds values of rows nor anything of the server's DETAIL.
 * login_diagnosis.h does the same for a refused login.
 */
#ifndef KOPRU_PG_DIAGNOSIS_H
#define KOPRU_PG_DIAGNOSIS_H

#include "pg/failure.h"

#include <libpq-fe.h>

/* Whether the names in the server's answer are what a function of the site says, and so may be
   values. */
bool pg_names_are_made_up(const PGresult *result);

/* The connection is of no more use. what: which step failed, in words; why: the reason, or NULL for
   libpq's own words. Keeps failure->sqlstate, if the server gave one before. */
void pg_diagnose_loss(PGconn *pg, struct pg_failure *failure, const char *what, const char *why);

/* The server refused a statement that this connection had not executed before. Then SQLSTATE 0A
   does not come from a cached plan, unless the answer shows that a session behind a pooler has kept
   one. A new connection would meet the same refusal, so failure->class becomes SQLSTATE_PAUSE: a
   person has to act. Leaves every other failure as it is. */
void pg_diagnose_first_use(struct pg_failure *failure, const PGresult *result);

/* The server answered the statement of that name with an error, which may also have ended the
   connection. */
void pg_diagnose_refusal(PGconn *pg, struct pg_failure *failure, const PGresult *result,
                         const char *statement);

#endif
