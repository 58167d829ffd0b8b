/*
 * A PostgreSQL connection with deadlines, owned by one thread. Statements go in trips: all of a
 * trip's statements are sent in one go (libpq's pipeline mode) and their results come back
 * together, so a trip costs one network round trip.
 *
 *     pg_conn_open(&conn, &settings, &failure)
 *     struct pg_call calls[] = { { .statement = &begin }, { .statement = &find, .params = &params }
 * }; pg_conn_trip(conn, calls, 2, &failure)         // calls[1].result now holds the rows
 *     pg_calls_clear(calls, 2)
 *
 * A statement is prepared on its first use. When a trip fails with the connection still usable, the
 * transaction (if one was begun) is aborted: pg_conn_rollback() ends it. When
 * `failure.connection_lost`, close and open again.
 */
#ifndef KOPRU_PG_CONN_H
#define KOPRU_PG_CONN_H

#include "base/buffer.h"
#include "base/error.h"
#include "pg/sqlstate.h"

#include <libpq-fe.h>
#include <stdatomic.h>

struct pg_settings {
    const char *conninfo;
    int connect_timeout_ms;   /* over all hosts together */
    int statement_timeout_ms; /* the server's; the client gives up PG_CLIENT_GRACE_MS later */
    int lock_timeout_ms;
    atomic_bool
        *unprepared; /* shared by all connections to that database: set once a pooler shows that it
                        does not keep prepared statements, and then none is prepared any more */
};

enum { PG_CLIENT_GRACE_MS = 5000 };

struct pg_failure {
    enum sqlstate_class class; /* what to do about it */
    bool connection_lost;
    const char *statement; /* the name of the one that was refused, NULL if none was */
    bool unreplicated;     /* also of a COMMIT that succeeded: somebody ended its wait for the
                              synchronous standby */
    bool timed_out; /* lost because the whole trip took longer, or received more, than it may */
    char sqlstate[6];
    char table[64];
    char constraint[64];
    char column[64];
    struct error error; /* without values: the server's DETAIL never gets here */
};

struct pg_statement {
    const char *name; /* unique within a connection */
    const char *sql;
    int param_count;
    const Oid *param_types;
};

/* The values of one statement's parameters, all in binary form. */
struct pg_params {
    int count;
    const char *const *values; /* NULL element: SQL null */
    const int *lengths;
};

struct pg_call {
    const struct pg_statement *statement;
    const struct pg_params *params; /* NULL: none */
    PGresult *result;               /* set by the trip; binary rows */
};

struct pg_conn;

/* 0, or -1 with the failure and *out NULL. *settings->unprepared must outlive the connection. */
int pg_conn_open(struct pg_conn **out, const struct pg_settings *settings,
                 struct pg_failure *failure);

/* NULL is allowed. */
void pg_conn_close(struct pg_conn *conn);

/* The most that a trip may receive, in bytes as the socket counts them; 0 for any amount. A trip
   that receives more is lost, as one that takes too long (failure.timed_out): libpq keeps a result
   whole, so nothing else bounds what the rows of a batch take here. */
void pg_conn_limit_input(struct pg_conn *conn, size_t max_bytes);

enum { PG_TRIP_MAX_CALLS = 64 };

/* Returns 0 when every statement succeeded, else -1 with the first failure. Results of the
   statements before it are kept. Takes the statement timeout and PG_CLIENT_GRACE_MS at most. */
int pg_conn_trip(struct pg_conn *conn, struct pg_call *calls, size_t count,
                 struct pg_failure *failure);

struct pg_copy_in {
    const struct pg_statement *statement; /* without parameters */
    struct slice data;
};

/* Many rows into several tables: for each statement, COPY ... FROM STDIN, its data. A trip of its
   own, of two network round trips for each statement. Returns 0, or -1 with the first failure. */
int pg_conn_copy(struct pg_conn *conn, const struct pg_copy_in *copies, size_t count,
                 struct pg_failure *failure);

/* COMMIT in a trip of its own. 0 only if the server answered with the command tag COMMIT. */
int pg_conn_commit(struct pg_conn *conn, struct pg_failure *failure);

/* Ends an open transaction. Returns -1 when the connection is lost. Harmless when none is open. */
int pg_conn_rollback(struct pg_conn *conn);

/* Begins a transaction whose behaviour depends on nothing that a role, a database or a pooler set:
   for the first calls of a trip. */
extern const struct pg_statement PG_BEGIN;
extern const struct pg_statement
    PG_SETTINGS; /* two parameters: statement and lock timeout as text */

/* The parameters of PG_SETTINGS for this connection. */
const struct pg_params *pg_conn_settings(const struct pg_conn *conn);

/* Frees the results; the calls can be used again. */
void pg_calls_clear(struct pg_call *calls, size_t count);

/* The server's version as libpq gives it (150018). */
int pg_conn_server_version(const struct pg_conn *conn);

#endif
