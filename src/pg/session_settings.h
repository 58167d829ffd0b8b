/*
 * What each transaction sets for itself, so that nothing in it depends on what a role, a database,
 * libpq's environment or a pooler has set. The statement is sent right after BEGIN, and its
 * settings end with the transaction, because behind a pooler the session then serves somebody else.
 */
#ifndef KOPRU_PG_SESSION_SETTINGS_H
#define KOPRU_PG_SESSION_SETTINGS_H

#include "pg/call.h"
#include "pg/conn.h"

/* Parameters: see pg_conn_settings(). */
extern const struct pg_statement PG_SETTINGS;

/* The parameters of PG_SETTINGS, made once for a connection. params points into the struct itself,
   which therefore must stay where it is. */
struct pg_session_settings {
    char statement_timeout[16];
    char lock_timeout[16];
    const char *values[2];
    int lengths[2];
    struct pg_params params;
};

/* For pg_conn_open(). */
void pg_session_settings_init(struct pg_session_settings *out, const struct pg_settings *settings);

/* The parameters of PG_SETTINGS for this connection: its statement timeout and its lock timeout.
   They live as long as the connection. */
const struct pg_params *pg_conn_settings(const struct pg_conn *conn);

#endif
