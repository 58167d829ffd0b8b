#include "pg/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "pg/conn_state.h"
#include "pg/conn_wait.h"
#include "pg/conninfo.h"
#include "pg/diagnosis.h"
#include "pg/login_diagnosis.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/*
 * libpq's blocking calls know no deadline: PQconnectdb() counts its connect_timeout anew for each
 * host and address, and nothing bounds the wait for an answer. So the login is a poll loop of our
 * own, and the connection is non-blocking from then on; conn_wait.h does all the waiting.
 *
 * Verbosity decides how much of a server's error libpq puts into its text. During the login it is
 * at its highest, because only then does the text hold the SQLSTATE, and a login knows no values.
 * Afterwards it is the SQLSTATE alone, since the server's message may quote a row.
 */

void pg_conn_refused(struct pg_conn *conn, struct pg_failure *failure, const PGresult *result,
                     const char *statement)
{
    pg_diagnose_refusal(conn->pg, failure, result, statement);
    if (pg_prepared_is_not_kept(failure->sqlstate))
        atomic_store(conn->unprepared, true);
}

static const char *name_in(const PGresult *result, int code)
{
    return pg_names_are_made_up(result) ? NULL : PQresultErrorField(result, code);
}

/* Says that the server warned, without its text, which may quote a row. Only once for each
   connection, because a trigger may warn of every row. */
static void log_warning(struct pg_conn *conn, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (conn->warned || severity == NULL || strcmp(severity, "WARNING") != 0)
        return;
    conn->warned = true;
    log_event(LOG_WARNING, "database_warning",
              "the database sent a warning; its log has the text, which may quote a row",
              LOG_TEXT("sqlstate", PQresultErrorField(result, PG_DIAG_SQLSTATE)),
              LOG_TEXT("schema", name_in(result, PG_DIAG_SCHEMA_NAME)),
              LOG_TEXT("table", name_in(result, PG_DIAG_TABLE_NAME)),
              LOG_TEXT("constraint", name_in(result, PG_DIAG_CONSTRAINT_NAME)));
}

/* Without a receiver, libpq prints notices to stderr. One of them matters: that a COMMIT no longer
   waits for the synchronous standby. Its text is translated and it has no SQLSTATE of its own, but
   the server names the function of its source that the notice comes from. */
static void take_notice(void *conn_pointer, const PGresult *result)
{
    struct pg_conn *conn = conn_pointer;
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    if (function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0)
        conn->unreplicated = true;
    else
        log_warning(conn, result);
}

/* What stands before dbname is a default that conninfo overrides; what stands after it holds
   whatever conninfo says. */
static PGconn *start_connect(const char *conninfo)
{
    static const char *const keywords[] = {
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "sslmode",
        "fallback_application_name",
        "dbname",
        "client_encoding",
        NULL,
    };
    const char *const values[] = {
        "30",    "10",     "3",    "30000", pg_conninfo_default_sslmode(conninfo),
        "kopru", conninfo, "UTF8", NULL,
    };

    return PQconnectStartParams(keywords, values, 1);
}

static int finish_connect(struct pg_conn *conn, int timeout_ms, struct pg_failure *failure)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;

    while (polling != PGRES_POLLING_OK) {
        short events = polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;

        if (polling == PGRES_POLLING_FAILED || PQstatus(conn->pg) == CONNECTION_BAD) {
            pg_diagnose_login(conn->pg, failure);
            return -1;
        }
        if (pg_wait_socket(conn, events, deadline_ms) < 0) {
            pg_diagnose_loss(conn->pg, failure, "cannot connect to the database",
                             "no answer within the connect timeout");
            return -1;
        }
        polling = PQconnectPoll(conn->pg);
    }
    return 0;
}

static int connect_within(struct pg_conn *conn, const struct pg_settings *settings,
                          struct pg_failure *failure)
{
    conn->pg = start_connect(settings->conninfo);
    if (conn->pg == NULL)
        return error_no_memory(&failure->error);
    /* A refused login names user and database, never a value. */
    PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(conn->pg, take_notice, conn);
    if (finish_connect(conn, settings->connect_timeout_ms, failure) != 0)
        return -1;
    PQsetErrorVerbosity(conn->pg, PQERRORS_SQLSTATE);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1) {
        pg_diagnose_loss(conn->pg, failure, "cannot set up the database connection", NULL);
        return -1;
    }
    return 0;
}

int pg_conn_open(struct pg_conn **out, const struct pg_settings *settings,
                 struct pg_failure *failure)
{
    struct pg_conn *conn = calloc(1, sizeof(*conn));

    *out = NULL;
    *failure = (struct pg_failure){ .class = SQLSTATE_RETRY };
    if (conn == NULL)
        return error_no_memory(&failure->error);
    conn->unprepared = settings->unprepared;
    conn->round_trip_timeout_ms = settings->statement_timeout_ms + PG_CLIENT_GRACE_MS;
    pg_session_settings_init(&conn->settings, settings);
    if (connect_within(conn, settings, failure) != 0) {
        pg_conn_close(conn);
        return -1;
    }
    *out = conn;
    return 0;
}

void pg_conn_close(struct pg_conn *conn)
{
    if (conn == NULL)
        return;
    PQfinish(conn->pg);
    free(conn);
}

void pg_conn_limit_input(struct pg_conn *conn, size_t max_bytes)
{
    conn->max_input_bytes = max_bytes;
}

void pg_conn_limit_round_trip(struct pg_conn *conn, int max_ms)
{
    conn->max_round_trip_ms = max_ms;
}

int pg_conn_server_version(const struct pg_conn *conn)
{
    return PQserverVersion(conn->pg);
}
