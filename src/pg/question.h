/*
 * A question about something that has a name: one statement in a round trip of its own, all
 * parameters of which are texts.
 *
 *     PGresult *rows = pg_question_ask(conn, &PG_FOREIGN, &table, &failure);
 *     if (rows != NULL)
 *         ... the answer
 *     PQclear(rows);
 */
#ifndef KOPRU_PG_QUESTION_H
#define KOPRU_PG_QUESTION_H

#include "pg/call.h"
#include "pg/conn.h"

enum { PG_QUESTION_MAX_TEXTS = 2 };

/* Takes as many texts as the statement has parameters, PG_QUESTION_MAX_TEXTS at most. Returns the
   rows in binary form, which the caller gives to PQclear(), or NULL with *failure as
   pg_conn_round_trip() sets it. */
PGresult *pg_question_ask(struct pg_conn *conn, const struct pg_statement *statement,
                          const char *const *texts, struct pg_failure *failure);

#endif
