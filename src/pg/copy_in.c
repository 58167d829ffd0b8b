#include "pg/copy_in.h"

#include "base/clock.h"
#include "pg/conn_wait.h"

#include <stdlib.h>

/*
 * libpq's pipeline mode does not allow COPY. So the connection leaves that mode for the time of a
 * COPY and waits for each statement before it sends the next one. That is why COPY has round trips
 * of its own, and why it only pays where there are many rows.
 */

enum { PIECE_BYTES = 1 << 16 };

/* One COPY in progress. */
struct copying {
    struct pg_conn *conn;
    struct pg_copy_in *copy;
    int64_t deadline_ms;
    struct pg_failure *failure;
};

/* Sends the rows in pieces, which bound what libpq holds. Returns 0, also when the server has ended
   the COPY by an error meanwhile, which the next result tells; -1 when the wait has failed. */
static int send_rows(const struct copying *copying)
{
    PGconn *pg = copying->conn->pg;
    struct slice data = copying->copy->data;

    for (size_t at = 0; at < data.len; at += PIECE_BYTES) {
        size_t len = data.len - at < PIECE_BYTES ? data.len - at : PIECE_BYTES;

        if (PQputCopyData(pg, data.data + at, (int)len) != 1)
            return 0;
        if (pg_wait_sent(copying->conn, copying->deadline_ms) != 0)
            return -1;
    }
    PQputCopyEnd(pg, NULL);
    return 0;
}

/* Waits for the next result and clears it. *status is PGRES_EMPTY_QUERY when there was none.
   Returns -1 when the connection is of no more use. */
static int next_status(const struct copying *copying, ExecStatusType *status)
{
    struct pg_conn *conn = copying->conn;
    PGresult *result;

    if (pg_wait_result(conn, copying->deadline_ms, &result) != 0)
        return -1;
    *status = result != NULL ? PQresultStatus(result) : PGRES_EMPTY_QUERY;
    if (*status == PGRES_COMMAND_OK)
        copying->copy->written = strtoull(PQcmdTuples(result), NULL, 10);
    if (result != NULL && *status == PGRES_FATAL_ERROR)
        pg_conn_refused(conn, copying->failure, result, copying->copy->statement->name);
    PQclear(result);
    return PQstatus(conn->pg) == CONNECTION_BAD ? -1 : 0;
}

/* Runs one COPY from its beginning to its end; *refused tells whether the server refused it.
   Returns -1 when the connection is of no more use. */
static int copy_one(const struct copying *copying, bool *refused)
{
    ExecStatusType status;
    ExecStatusType end;

    if (PQsendQuery(copying->conn->pg, copying->copy->statement->sql) != 1 ||
        next_status(copying, &status) != 0)
        return -1;
    if (status == PGRES_COPY_IN && (send_rows(copying) != 0 || next_status(copying, &status) != 0))
        return -1;
    if (status != PGRES_COMMAND_OK && status != PGRES_FATAL_ERROR)
        return -1;
    *refused = status == PGRES_FATAL_ERROR;
    return next_status(copying, &end) == 0 && end == PGRES_EMPTY_QUERY ? 0 : -1;
}

int pg_conn_copy(struct pg_conn *conn, struct pg_copy_in *copies, size_t count,
                 struct pg_failure *failure)
{
    struct copying copying = { .conn = conn,
                               .deadline_ms = clock_monotonic_ms() + conn->round_trip_timeout_ms,
                               .failure = failure };
    bool refused = false;
    int result = PQexitPipelineMode(conn->pg) == 1 ? 0 : -1;

    *failure = (struct pg_failure){ .class = SQLSTATE_RETRY };
    for (size_t i = 0; i < count && result == 0 && !refused; i++) {
        copying.copy = &copies[i];
        result = copy_one(&copying, &refused);
        if (result != 0)
            failure->statement = copies[i].statement->name;
    }
    if (result == 0 && PQenterPipelineMode(conn->pg) != 1)
        result = -1;
    if (result != 0)
        pg_wait_failed(conn, failure);
    return result != 0 || refused ? -1 : 0;
}
