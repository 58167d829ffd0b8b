/*
 * Statements go to the server in round trips: all statements of a round trip are sent in one go, in
 * libpq's pipeline mode, and their results come back together, so that any number of them costs the
 * time of one journey through the network.
 *
 * A statement is prepared on its first use, within the same round trip. The server skips what
 * follows a statement that failed.
 */
#ifndef KOPRU_PG_ROUND_TRIP_H
#define KOPRU_PG_ROUND_TRIP_H

#include "pg/call.h"
#include "pg/conn.h"

enum { PG_ROUND_TRIP_MAX_CALLS = 64 };

/* Sends the calls and waits for all results, for the statement timeout and PG_CLIENT_GRACE_MS at
   most. Returns 0 when every statement succeeded, else -1 with *failure about the first that did
   not, or about the loss of the connection. Either way results may have come: pg_calls_clear() has
   to follow. */
int pg_conn_round_trip(struct pg_conn *conn, struct pg_call *calls, size_t count,
                       struct pg_failure *failure);

/* Frees the results; the calls can be sent again. */
void pg_calls_clear(struct pg_call *calls, size_t count);

#endif
