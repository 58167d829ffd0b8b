/*
 * Waits for the server, always with a deadline: nowhere else does a thread block on a connection.
 * Deadlines are monotonic milliseconds (clock_monotonic_ms()).
 *
 * After any of these functions has returned -1 the connection is of no more use, and
 * pg_wait_failed() says why.
 */
#ifndef KOPRU_PG_CONN_WAIT_H
#define KOPRU_PG_CONN_WAIT_H

#include "pg/conn_state.h"

/* Waits until poll() reports one of the events (POLLIN, POLLOUT) or that the peer is gone. Returns
   what it reported, or -1 past the deadline. */
int pg_wait_socket(struct pg_conn *conn, short events, int64_t deadline_ms);

/* Waits until all that libpq has buffered is sent, and meanwhile reads what arrives. Returns 0, or
   -1. When libpq itself cannot send any more this returns 0, too: the next result says why. */
int pg_wait_sent(struct pg_conn *conn, int64_t deadline_ms);

/* Waits for the next result and gives it to the caller, who clears it; *result is NULL at the end
   of one statement's results. Returns 0, or -1: the connection failed, the deadline passed, or more
   arrived than pg_conn_limit_input() allows. */
int pg_wait_result(struct pg_conn *conn, int64_t deadline_ms, PGresult **result);

/* Fills *failure after a wait has failed. over_limit is set if more arrived than may, else
   timed_out unless the server closed the connection. Keeps failure->sqlstate, if the server gave
   one before. */
void pg_wait_failed(struct pg_conn *conn, struct pg_failure *failure);

#endif
