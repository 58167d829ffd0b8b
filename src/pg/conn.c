#include "pg/conn.h"

#include "base/clock.h"
#include "base/digest.h"
#include "pg/binary.h"
#include "pg/conninfo.h"
#include "pg/diagnosis.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MAX_PREPARED = 64 };

/* A statement the server knows, under a name that tells its text: behind a pooler another release
   may have left its own there. */
struct prepared {
    const struct pg_statement *statement;
    char name[96];
};

struct pg_conn {
    PGconn *pg;
    int trip_timeout_ms;
    atomic_bool *unprepared;
    struct prepared prepared[MAX_PREPARED];
    size_t prepared_count;
    bool in_transaction;
    bool unreplicated;      /* see pg_failure */
    size_t max_input_bytes; /* of a trip; 0 for any amount */
    size_t input_bytes;     /* of this trip so far; only with a limit */
    /* the parameters of PG_SETTINGS */
    char statement_timeout[16];
    char lock_timeout[16];
    const char *setting_values[2];
    int setting_lengths[2];
    struct pg_params settings;
};

const struct pg_statement PG_BEGIN = { .name = "kopru_begin",
                                       .sql = "BEGIN ISOLATION LEVEL READ COMMITTED" };

/* SET LOCAL for all that a role, a database, libpq's environment or a pooler may have set
   otherwise. Every statement of kopru looks rows up by key, so a plan that scans a table or hashes
   it is never right, whatever the statistics say. The idle timeout is the server's way out when
   this process freezes inside a transaction. synchronous_commit: off would let an acknowledged
   message be lost; any other setting is the DBA's. */
const struct pg_statement PG_SETTINGS = {
    .name = "kopru_settings",
    .sql = "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),"
           " set_config('search_path', 'pg_catalog, kopru', true), set_config('statement_timeout', "
           "$1, true),"
           " set_config('lock_timeout', $2, true), "
           "set_config('idle_in_transaction_session_timeout', $1, true),"
           " set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
           " set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', "
           "'force_generic_plan', true),"
           " set_config('jit', 'off', true), set_config('extra_float_digits', '1', true),"
           " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
           " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_OID },
};

static const struct pg_statement COMMIT = { .name = "kopru_commit", .sql = "COMMIT" };
static const struct pg_statement ROLLBACK = { .name = "kopru_rollback", .sql = "ROLLBACK" };

static void lost(struct pg_conn *conn, struct pg_failure *failure, const char *what,
                 const char *why)
{
    pg_diagnose_loss(conn->pg, failure, what, why);
}

/* Prepared statements come and go by themselves only behind a pooler that hands each transaction to
   another server session. */
static bool is_pooler(const char *sqlstate)
{
    return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0;
}

static void refused(struct pg_conn *conn, struct pg_failure *failure, const PGresult *result,
                    const char *statement)
{
    pg_diagnose_refusal(conn->pg, failure, result, statement);
    if (is_pooler(failure->sqlstate))
        atomic_store(conn->unprepared, true);
}

/* All notices are passed over but one: that a COMMIT no longer waits for the synchronous standby.
   Its text is translated and it has no SQLSTATE of its own, but the server says where in its source
   it comes from. */
static void take_notice(void *conn_pointer, const PGresult *result)
{
    struct pg_conn *conn = conn_pointer;
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    if (function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0)
        conn->unreplicated = true;
}

/* Waits until the socket is ready as asked. -1 past the deadline. */
static int wait_socket(struct pg_conn *conn, short events, int64_t deadline_ms)
{
    struct pollfd watched = { .fd = PQsocket(conn->pg), .events = events };
    int ready;

    do {
        ready = poll(&watched, 1, clock_left_ms(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    return ready > 0 ? watched.revents : -1;
}

static int finish_connect(struct pg_conn *conn, int timeout_ms, struct pg_failure *failure)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED || PQstatus(conn->pg) == CONNECTION_BAD) {
            pg_diagnose_login(conn->pg, failure);
            return -1;
        }
        if (wait_socket(conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline) < 0) {
            lost(conn, failure, "cannot connect to the database",
                 "no answer within the connect timeout");
            return -1;
        }
        status = PQconnectPoll(conn->pg);
    }
    return 0;
}

/* What stands before dbname is a default that conninfo overrides; what stands behind it holds. */
static PGconn *start_connect(const char *conninfo)
{
    static const char *const keywords[] = { "keepalives_idle",
                                            "keepalives_interval",
                                            "keepalives_count",
                                            "tcp_user_timeout",
                                            "sslmode",
                                            "fallback_application_name",
                                            "dbname",
                                            "client_encoding",
                                            NULL };
    const char *const values[] = {
        "30",    "10",     "3",    "30000", pg_conninfo_default_sslmode(conninfo),
        "kopru", conninfo, "UTF8", NULL
    };

    return PQconnectStartParams(keywords, values, 1);
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
    conn->trip_timeout_ms = settings->statement_timeout_ms + PG_CLIENT_GRACE_MS;
    conn->setting_lengths[0] = snprintf(conn->statement_timeout, sizeof(conn->statement_timeout),
                                        "%d", settings->statement_timeout_ms);
    conn->setting_lengths[1] =
        snprintf(conn->lock_timeout, sizeof(conn->lock_timeout), "%d", settings->lock_timeout_ms);
    conn->setting_values[0] = conn->statement_timeout;
    conn->setting_values[1] = conn->lock_timeout;
    conn->settings = (struct pg_params){ 2, conn->setting_values, conn->setting_lengths };
    conn->pg = start_connect(settings->conninfo);
    if (conn->pg == NULL) {
        free(conn);
        return error_no_memory(&failure->error);
    }
    PQsetErrorVerbosity(
        conn->pg, PQERRORS_VERBOSE); /* a refused login names user and database, never a value */
    PQsetNoticeReceiver(conn->pg, take_notice, conn);
    if (finish_connect(conn, settings->connect_timeout_ms, failure) != 0) {
        pg_conn_close(conn);
        return -1;
    }
    PQsetErrorVerbosity(conn->pg, PQERRORS_SQLSTATE);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1) {
        lost(conn, failure, "cannot set up the database connection", NULL);
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

static bool has_too_much_input(const struct pg_conn *conn)
{
    return conn->max_input_bytes > 0 && conn->input_bytes > conn->max_input_bytes;
}

/* libpq does not tell how much it reads. */
static void count_input(struct pg_conn *conn)
{
    int waiting;

    if (conn->max_input_bytes > 0 && ioctl(PQsocket(conn->pg), FIONREAD, &waiting) == 0)
        conn->input_bytes += (size_t)waiting;
}

/* Sends what is buffered and reads what arrives, so that neither side waits for the other with full
   buffers. */
static int pump(struct pg_conn *conn, bool need_input, int64_t deadline_ms)
{
    int unsent = PQflush(conn->pg);
    int events;

    if (unsent < 0)
        return -1;
    if (unsent == 0 && !need_input)
        return 0;
    events = wait_socket(conn, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)), deadline_ms);
    if (events < 0)
        return -1;
    if ((events & (POLLIN | POLLHUP | POLLERR)) == 0)
        return 0;
    count_input(conn);
    return !has_too_much_input(conn) && PQconsumeInput(conn->pg) == 1 ? 0 : -1;
}

static const char *prepared_name(const struct pg_conn *conn, const struct pg_statement *statement)
{
    for (size_t i = 0; i < conn->prepared_count; i++) {
        if (conn->prepared[i].statement == statement)
            return conn->prepared[i].name;
    }
    return NULL;
}

/* Queues the preparation of a statement. Returns its name, or NULL when it could not be sent. */
static const char *prepare(struct pg_conn *conn, const struct pg_statement *statement)
{
    struct prepared *prepared = &conn->prepared[conn->prepared_count];

    prepared->statement = statement;
    snprintf(prepared->name, sizeof(prepared->name), "%.40s_%016" PRIx64, statement->name,
             digest_quick(slice_of(statement->sql)));
    if (PQsendPrepare(conn->pg, prepared->name, statement->sql, statement->param_count,
                      statement->param_types) != 1)
        return NULL;
    conn->prepared_count++;
    return prepared->name;
}

/* Queues one statement, and its preparation before it where that is due. */
static int queue_call(struct pg_conn *conn, const struct pg_call *call, bool *prepares)
{
    static const int all_binary[32] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    const struct pg_statement *statement = call->statement;
    const struct pg_params none = { 0 };
    const struct pg_params *params = call->params != NULL ? call->params : &none;
    const int *formats = params->count <= 32 ? all_binary : NULL;
    const char *name = prepared_name(conn, statement);
    int *many = NULL;
    int sent;

    *prepares =
        name == NULL && conn->prepared_count < MAX_PREPARED && !atomic_load(conn->unprepared);
    if (*prepares) {
        name = prepare(conn, statement);
        if (name == NULL)
            return -1;
    }
    if (formats == NULL) {
        many = malloc((size_t)params->count * sizeof(*many));
        if (many == NULL)
            return -1;
        for (int i = 0; i < params->count; i++)
            many[i] = 1;
        formats = many;
    }
    if (name != NULL)
        sent = PQsendQueryPrepared(conn->pg, name, params->count, params->values, params->lengths,
                                   formats, 1);
    else
        sent = PQsendQueryParams(conn->pg, statement->sql, params->count, statement->param_types,
                                 params->values, params->lengths, formats, 1);
    free(many);
    return sent == 1 ? 0 : -1;
}

/* The next result, NULL at the end of one statement's results. -1 when the connection failed or the
   deadline passed. */
static int next_result(struct pg_conn *conn, int64_t deadline_ms, PGresult **result)
{
    while (PQisBusy(conn->pg)) {
        if (pump(conn, true, deadline_ms) != 0)
            return -1;
    }
    *result = PQgetResult(conn->pg);
    return 0;
}

static bool is_ok(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Reads one statement's result. The first failure of the trip is the one that counts; what follows
   it was not run. */
static int read_answer(struct pg_conn *conn, const struct pg_statement *statement,
                       int64_t deadline_ms, PGresult **keep, bool *failed,
                       struct pg_failure *failure)
{
    PGresult *result;

    for (;;) {
        if (next_result(conn, deadline_ms, &result) != 0)
            return -1;
        if (result == NULL)
            return 0;
        if (!is_ok(result) && !*failed) {
            *failed = true;
            refused(conn, failure, result, statement->name);
        }
        if (keep != NULL && *keep == NULL && is_ok(result))
            *keep = result;
        else
            PQclear(result);
        if (PQstatus(conn->pg) == CONNECTION_BAD)
            return -1;
    }
}

/* Turns prepares[i] off for each statement that is prepared now, whatever became of the rest of the
   trip. */
static int read_answers(struct pg_conn *conn, struct pg_call *calls, bool *prepares, size_t count,
                        int64_t deadline_ms, struct pg_failure *failure)
{
    bool failed = false;
    PGresult *sync = NULL;

    for (size_t i = 0; i < count; i++) {
        if (prepares[i] &&
            read_answer(conn, calls[i].statement, deadline_ms, NULL, &failed, failure) != 0)
            goto lost;
        prepares[i] = prepares[i] && failed;
        if (read_answer(conn, calls[i].statement, deadline_ms, &calls[i].result, &failed,
                        failure) != 0)
            goto lost;
    }
    if (next_result(conn, deadline_ms, &sync) != 0 || PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
        goto lost;
    PQclear(sync);
    return failed ? -1 : 0;

lost:
    PQclear(sync);
    failure->timed_out = PQstatus(conn->pg) != CONNECTION_BAD;
    if (has_too_much_input(conn))
        lost(conn, failure, "gave up the connection to the database",
             "the rows of the batch take too much memory here");
    else
        lost(conn, failure, "lost the connection to the database",
             PQstatus(conn->pg) == CONNECTION_BAD ? NULL
                                                  : "no answer within the statement timeout");
    return -1;
}

/* What a failed trip left unprepared is prepared again on its next use. */
static void forget_prepared(struct pg_conn *conn, const struct pg_call *calls, const bool *prepares,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; prepares[i] && p < conn->prepared_count; p++) {
            if (conn->prepared[p].statement == calls[i].statement)
                conn->prepared[p--] = conn->prepared[--conn->prepared_count];
        }
    }
}

int pg_conn_trip(struct pg_conn *conn, struct pg_call *calls, size_t count,
                 struct pg_failure *failure)
{
    int64_t deadline = clock_monotonic_ms() + conn->trip_timeout_ms;
    bool prepares[PG_TRIP_MAX_CALLS] = { false };
    bool failed = false;

    *failure = (struct pg_failure){ .class = SQLSTATE_RETRY };
    conn->input_bytes = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        calls[i].result = NULL;
        conn->in_transaction = conn->in_transaction || calls[i].statement == &PG_BEGIN;
        failed = i == PG_TRIP_MAX_CALLS || queue_call(conn, &calls[i], &prepares[i]) != 0;
    }
    if (failed || PQpipelineSync(conn->pg) != 1) {
        lost(conn, failure, "cannot send to the database", NULL);
        return -1;
    }
    if (read_answers(conn, calls, prepares, count, deadline, failure) == 0)
        return 0;
    forget_prepared(conn, calls, prepares, count);
    return -1;
}

/* Sends what COPY reads, in pieces, which bound what libpq holds. Also 0 when the server has ended
   the COPY by an error meanwhile. */
static int send_copy_data(struct pg_conn *conn, struct slice data, int64_t deadline_ms)
{
    enum { PIECE_BYTES = 1 << 16 };

    for (size_t at = 0; at < data.len; at += PIECE_BYTES) {
        size_t len = data.len - at < PIECE_BYTES ? data.len - at : PIECE_BYTES;

        if (PQputCopyData(conn->pg, data.data + at, (int)len) != 1)
            return 0;
        while (PQflush(conn->pg) == 1) {
            if (pump(conn, false, deadline_ms) != 0)
                return -1;
        }
    }
    PQputCopyEnd(conn->pg, NULL);
    return 0;
}

/* Waits for the next result and clears it. *status is PGRES_EMPTY_QUERY when there was none. */
static int next_status(struct pg_conn *conn, const struct pg_copy_in *copy, int64_t deadline_ms,
                       ExecStatusType *status, struct pg_failure *failure)
{
    PGresult *result;

    if (next_result(conn, deadline_ms, &result) != 0)
        return -1;
    *status = PQresultStatus(result);
    if (*status == PGRES_FATAL_ERROR && result != NULL)
        refused(conn, failure, result, copy->statement->name);
    else if (result == NULL)
        *status = PGRES_EMPTY_QUERY;
    PQclear(result);
    return PQstatus(conn->pg) == CONNECTION_BAD ? -1 : 0;
}

/* One COPY from its beginning to its end; *failed tells that the server refused it. -1: the
   connection is of no more use. */
static int copy_one(struct pg_conn *conn, const struct pg_copy_in *copy, int64_t deadline_ms,
                    bool *failed, struct pg_failure *failure)
{
    ExecStatusType status;

    if (PQsendQuery(conn->pg, copy->statement->sql) != 1 ||
        next_status(conn, copy, deadline_ms, &status, failure) != 0)
        return -1;
    if (status == PGRES_COPY_IN && (send_copy_data(conn, copy->data, deadline_ms) != 0 ||
                                    next_status(conn, copy, deadline_ms, &status, failure) != 0))
        return -1;
    if (status != PGRES_COMMAND_OK && status != PGRES_FATAL_ERROR)
        return -1;
    *failed = status == PGRES_FATAL_ERROR;
    return next_status(conn, copy, deadline_ms, &status, failure) == 0 &&
                   status == PGRES_EMPTY_QUERY
               ? 0
               : -1;
}

/* Pipeline mode knows no COPY. */
int pg_conn_copy(struct pg_conn *conn, const struct pg_copy_in *copies, size_t count,
                 struct pg_failure *failure)
{
    int64_t deadline_ms = clock_monotonic_ms() + conn->trip_timeout_ms;
    bool failed = false;
    int result = PQexitPipelineMode(conn->pg) == 1 ? 0 : -1;

    *failure = (struct pg_failure){ .class = SQLSTATE_RETRY };
    for (size_t i = 0; i < count && result == 0 && !failed; i++)
        result = copy_one(conn, &copies[i], deadline_ms, &failed, failure);
    if (result == 0 && PQenterPipelineMode(conn->pg) != 1)
        result = -1;
    if (result != 0) {
        failure->timed_out = PQstatus(conn->pg) != CONNECTION_BAD;
        lost(conn, failure, "lost the connection to the database",
             PQstatus(conn->pg) == CONNECTION_BAD ? NULL
                                                  : "no answer within the statement timeout");
    }
    return result != 0 || failed ? -1 : 0;
}

int pg_conn_commit(struct pg_conn *conn, struct pg_failure *failure)
{
    struct pg_call call = { .statement = &COMMIT };
    int result;

    conn->unreplicated = false;
    result = pg_conn_trip(conn, &call, 1, failure);
    failure->unreplicated = conn->unreplicated;
    if (result == 0 && strcmp(PQcmdStatus(call.result), "COMMIT") != 0) {
        failure->class = SQLSTATE_RETRY;
        result =
            error_set(&failure->error, ERROR_DATA, "the database rolled back instead of committing",
                      NULL, "command tag %s", PQcmdStatus(call.result));
    }
    pg_calls_clear(&call, 1);
    if (result == 0)
        conn->in_transaction = false;
    return result;
}

int pg_conn_rollback(struct pg_conn *conn)
{
    struct pg_call call = { .statement = &ROLLBACK };
    struct pg_failure failure;
    int result;

    if (!conn->in_transaction)
        return 0;
    result = pg_conn_trip(conn, &call, 1, &failure);
    pg_calls_clear(&call, 1);
    conn->in_transaction = false;
    return result;
}

const struct pg_params *pg_conn_settings(const struct pg_conn *conn)
{
    return &conn->settings;
}

void pg_calls_clear(struct pg_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PQclear(calls[i].result);
        calls[i].result = NULL;
    }
}

int pg_conn_server_version(const struct pg_conn *conn)
{
    return PQserverVersion(conn->pg);
}
