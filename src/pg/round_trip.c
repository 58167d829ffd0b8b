#include "pg/round_trip.h"

#include "base/clock.h"
#include "pg/conn_wait.h"
#include "pg/diagnosis.h"

#include <stdlib.h>

/*
 * In pipeline mode libpq does not say which statement a result belongs to; only the order tells,
 * and a PREPARE that is sent before a statement has a result of its own. So each round trip
 * remembers for each of its calls whether it prepares. From this it also knows what to forget when
 * it fails before the server came to a PREPARE: a statement that is wrongly taken for prepared
 * would fail with 26000, which is the sign of a pooler that does not keep statements.
 */

/* The answers of one round trip while they are read. */
struct answers {
    struct pg_conn *conn;
    int64_t deadline_ms;
    bool prepared_now; /* the statement that is being answered was prepared just before */
    bool failed;       /* a statement was refused, and the server skipped those that followed it */
    struct pg_failure *failure;
};

/* All parameters are binary, and libpq wants to be told so for each. The usual number needs no
   memory; for a larger one *owned must be freed. Returns NULL when there is no memory. */
static const int *binary_formats(int count, int **owned)
{
    static const int few[32] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

    *owned = NULL;
    if (count <= 32)
        return few;
    *owned = malloc((size_t)count * sizeof(**owned));
    for (int i = 0; *owned != NULL && i < count; i++)
        (*owned)[i] = 1;
    return *owned;
}

/* Sends a call. name is that of the prepared statement, or NULL to send its text. */
static int queue_execution(PGconn *pg, const struct pg_call *call, const char *name)
{
    const struct pg_statement *statement = call->statement;
    const struct pg_params none = { 0 };
    const struct pg_params *params = call->params != NULL ? call->params : &none;
    int *owned;
    const int *formats = binary_formats(params->count, &owned);
    int sent;

    if (formats == NULL)
        return -1;
    if (name != NULL)
        sent = PQsendQueryPrepared(pg, name, params->count, params->values, params->lengths,
                                   formats, 1);
    else
        sent = PQsendQueryParams(pg, statement->sql, params->count, statement->param_types,
                                 params->values, params->lengths, formats, 1);
    free(owned);
    return sent == 1 ? 0 : -1;
}

/* Queues one statement, and before it its preparation where that is due. */
static int queue_call(struct pg_conn *conn, const struct pg_call *call, bool *prepares)
{
    const char *name = pg_prepared_name(&conn->prepared, call->statement);

    *prepares =
        name == NULL && conn->prepared.count < PG_PREPARED_MAX && !atomic_load(conn->unprepared);
    if (*prepares) {
        name = pg_prepared_add(&conn->prepared, conn->pg, call->statement);
        if (name == NULL)
            return -1;
    }
    return queue_execution(conn->pg, call, name);
}

static int queue_calls(struct pg_conn *conn, struct pg_call *calls, size_t count, bool *prepares)
{
    if (count > PG_ROUND_TRIP_MAX_CALLS)
        return -1;
    for (size_t i = 0; i < count; i++) {
        calls[i].result = NULL;
        conn->in_transaction = conn->in_transaction || calls[i].statement->begins_transaction;
        if (queue_call(conn, &calls[i], &prepares[i]) != 0)
            return -1;
        if (calls[i].flush && PQsendFlushRequest(conn->pg) != 1)
            return -1;
    }
    return PQpipelineSync(conn->pg) == 1 ? 0 : -1;
}

static bool is_ok(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* The wait for the answer of that statement has failed. A crashed backend may not have sent all the
   answers that it had ready, so the statement is only the first that can have been at fault. */
static int note_unanswered(struct answers *answers, const struct pg_statement *statement)
{
    if (!answers->failed)
        answers->failure->statement = statement->name;
    return -1;
}

static bool is_first_use(const struct answers *answers, const struct pg_statement *statement)
{
    return answers->prepared_now || pg_prepared_name(&answers->conn->prepared, statement) == NULL;
}

/* Reads all results of one statement and gives the first good one to *keep, unless keep is NULL. Of
   several failures of a round trip the first one counts. Returns -1 when the wait has failed. */
static int read_answer(struct answers *answers, const struct pg_statement *statement,
                       PGresult **keep)
{
    PGconn *pg = answers->conn->pg;
    PGresult *result;

    for (;;) {
        if (pg_wait_result(answers->conn, answers->deadline_ms, &result) != 0)
            return note_unanswered(answers, statement);
        if (result == NULL)
            return 0;
        if (!is_ok(result) && !answers->failed) {
            answers->failed = true;
            pg_conn_refused(answers->conn, answers->failure, result, statement->name);
            if (is_first_use(answers, statement))
                pg_diagnose_first_use(answers->failure, result);
        }
        if (keep != NULL && *keep == NULL && is_ok(result))
            *keep = result;
        else
            PQclear(result);
        if (PQstatus(pg) == CONNECTION_BAD)
            return -1;
    }
}

static int read_sync(struct answers *answers)
{
    PGresult *sync = NULL;
    int result = pg_wait_result(answers->conn, answers->deadline_ms, &sync);

    if (result == 0 && PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
        result = -1;
    PQclear(sync);
    return result;
}

/* Turns prepares[i] off for each statement that is prepared now, whatever became of the rest of the
   round trip. Returns -1 when the wait has failed. */
static int read_answers(struct answers *answers, struct pg_call *calls, bool *prepares,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        answers->prepared_now = prepares[i];
        if (prepares[i] && read_answer(answers, calls[i].statement, NULL) != 0)
            return -1;
        prepares[i] = prepares[i] && answers->failed;
        if (read_answer(answers, calls[i].statement, &calls[i].result) != 0)
            return -1;
    }
    return read_sync(answers);
}

static void forget_unprepared(struct pg_conn *conn, const struct pg_call *calls,
                              const bool *prepares, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (prepares[i])
            pg_prepared_forget(&conn->prepared, calls[i].statement);
    }
}

static int round_trip_timeout_ms(const struct pg_conn *conn)
{
    bool limited =
        conn->max_round_trip_ms > 0 && conn->max_round_trip_ms < conn->round_trip_timeout_ms;

    return limited ? conn->max_round_trip_ms : conn->round_trip_timeout_ms;
}

int pg_conn_round_trip(struct pg_conn *conn, struct pg_call *calls, size_t count,
                       struct pg_failure *failure)
{
    struct answers answers = { .conn = conn,
                               .deadline_ms = clock_monotonic_ms() + round_trip_timeout_ms(conn),
                               .failure = failure };
    bool prepares[PG_ROUND_TRIP_MAX_CALLS] = { false };

    *failure = (struct pg_failure){ .class = SQLSTATE_RETRY };
    conn->input_bytes = 0;
    if (queue_calls(conn, calls, count, prepares) != 0) {
        pg_diagnose_loss(conn->pg, failure, "cannot send to the database", NULL);
        return -1;
    }
    if (read_answers(&answers, calls, prepares, count) != 0)
        pg_wait_failed(conn, failure);
    else if (!answers.failed)
        return 0;
    forget_unprepared(conn, calls, prepares, count);
    return -1;
}

void pg_calls_clear(struct pg_call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PQclear(calls[i].result);
        calls[i].result = NULL;
    }
}
