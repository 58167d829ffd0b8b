/*
 * A PostgreSQL connection with deadlines, owned by one thread.
 *
 *     pg_conn_open(&conn, &settings, &failure)
 *     struct pg_call calls[] = {
 *         { .statement = &PG_BEGIN },
 *         { .statement = &find, .params = &params },
 *     };
 *     pg_conn_round_trip(conn, calls, 2, &failure)     // calls[1].result now holds the rows
 *     pg_calls_clear(calls, 2)
 *     pg_conn_commit(conn, &failure)
 *     pg_conn_close(conn)
 *
 * What can be done with an open connection has headers of its own: round_trip.h sends statements,
 * question.h asks about something by its name, copy_in.h sends many rows by COPY, transaction.h
 * begins and ends transactions. None of them waits without a deadline. When one of them fails and
 * `failure.connection_lost` is set, the connection can only be closed; otherwise it is in order,
 * and if a transaction was begun it is aborted and waits for pg_conn_rollback().
 */
#ifndef KOPRU_PG_CONN_H
#define KOPRU_PG_CONN_H

#include "pg/failure.h"

#include <stdatomic.h>
#include <stddef.h>

/* Whatever it points to must outlive the connections that are opened with it. */
struct pg_settings {
    const char *conninfo;
    int connect_timeout_ms;   /* over all hosts together */
    int statement_timeout_ms; /* the server's; the client gives up PG_CLIENT_GRACE_MS later */
    int lock_timeout_ms;      /* the server's */
    atomic_bool *unprepared;  /* shared by all connections to that database: set once a pooler shows
                                 that it does not keep prepared statements, and from then on none is
                                 prepared any more */
};

enum { PG_CLIENT_GRACE_MS = 5000 };

struct pg_conn;

/* Connects and logs in. Returns 0, or -1 with *failure filled and *out NULL: there is no memory, no
   host answered within the connect timeout, or the login was refused. Close what it gives. */
int pg_conn_open(struct pg_conn **out, const struct pg_settings *settings,
                 struct pg_failure *failure);

/* NULL is allowed. The server rolls back a transaction that is still open. */
void pg_conn_close(struct pg_conn *conn);

/* Limits what a round trip may receive, in bytes as the socket counts them; 0 means any amount, as
   after pg_conn_open(). A round trip that receives more fails, and its connection is given up
   (failure.over_limit). libpq keeps a result whole, so nothing else bounds the memory that the rows
   of a batch take in this process. */
void pg_conn_limit_input(struct pg_conn *conn, size_t max_bytes);

/* Limits how long a round trip may take, in milliseconds; 0 means as long as after pg_conn_open().
   The server's own timeouts are no such limit: it compares them with its wall clock, and when that
   is set back they take as much longer. */
void pg_conn_limit_round_trip(struct pg_conn *conn, int max_ms);

/* The server's version as libpq gives it: 150018 for 15.18. */
int pg_conn_server_version(const struct pg_conn *conn);

#endif
