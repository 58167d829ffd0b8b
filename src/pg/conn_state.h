/*
 * The inside of a connection, for the files that talk to libpq: conn.c, conn_wait.c, round_trip.c,
 * copy_in.c, transaction.c and session_settings.c. For all others struct pg_conn is opaque: they
 * use conn.h.
 */
#ifndef KOPRU_PG_CONN_STATE_H
#define KOPRU_PG_CONN_STATE_H

#include "pg/conn.h"
#include "pg/prepared.h"
#include "pg/session_settings.h"

#include <stdint.h>

struct pg_conn {
    PGconn *pg;
    int round_trip_timeout_ms;
    int max_round_trip_ms;   /* of the next round trips, if that is less; 0 for no such limit */
    atomic_bool *unprepared; /* see struct pg_settings */
    struct pg_prepared prepared;
    bool in_transaction;    /* BEGIN was sent, neither COMMIT nor ROLLBACK was answered */
    bool unreplicated;      /* see struct pg_failure */
    bool warned;            /* the server sent a warning, which was logged */
    size_t max_input_bytes; /* of a round trip; 0 for any amount */
    size_t input_bytes;     /* of this round trip so far; only counted when there is a limit */
    struct pg_session_settings settings;
};

/* Fills *failure from the server's answer to a statement, and remembers if that answer can only
   come from a pooler that does not keep prepared statements. `statement` is its name. */
void pg_conn_refused(struct pg_conn *conn, struct pg_failure *failure, const PGresult *result,
                     const char *statement);

#endif
