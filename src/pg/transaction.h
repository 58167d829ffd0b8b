/*
 * What begins and ends a transaction.
 *
 *     struct pg_call calls[] = {
 *         { .statement = &PG_BEGIN },
 *         { .statement = &PG_SETTINGS, .params = pg_conn_settings(conn) },
 *         ...
 *     };
 *     pg_conn_round_trip(conn, calls, count, &failure)
 *     pg_conn_commit(conn, &failure)
 *
 * The second statement comes from session_settings.h and belongs in every transaction.
 */
#ifndef KOPRU_PG_TRANSACTION_H
#define KOPRU_PG_TRANSACTION_H

#include "pg/call.h"
#include "pg/conn.h"

extern const struct pg_statement PG_BEGIN;
extern const struct pg_statement PG_COMMIT; /* for its name: pg_conn_commit() sends it */

/* Commits, in a round trip of its own. Returns 0 only if the server answered with the command tag
   COMMIT, else -1 with *failure; when the connection was lost meanwhile, nobody knows whether the
   transaction is committed. failure->unreplicated is right in both cases. */
int pg_conn_commit(struct pg_conn *conn, struct pg_failure *failure);

/* Ends an open transaction, in a round trip of its own. Returns 0, also when none is open, or -1
   when the connection is lost. */
int pg_conn_rollback(struct pg_conn *conn);

#endif
