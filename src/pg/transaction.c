#include "pg/transaction.h"

#include "pg/conn_state.h"
#include "pg/round_trip.h"

#include <string.h>

const struct pg_statement PG_BEGIN = {
    .name = "kopru_begin",
    .sql = "BEGIN ISOLATION LEVEL READ COMMITTED",
    .begins_transaction = true,
};

const struct pg_statement PG_COMMIT = { .name = "kopru_commit", .sql = "COMMIT" };
static const struct pg_statement ROLLBACK = { .name = "kopru_rollback", .sql = "ROLLBACK" };

/* A server whose transaction was aborted answers COMMIT with the tag ROLLBACK and without an error:
   taking that for success would acknowledge messages that were never written. */
int pg_conn_commit(struct pg_conn *conn, struct pg_failure *failure)
{
    struct pg_call call = { .statement = &PG_COMMIT };
    int result;

    conn->unreplicated = false;
    result = pg_conn_round_trip(conn, &call, 1, failure);
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
    result = pg_conn_round_trip(conn, &call, 1, &failure);
    pg_calls_clear(&call, 1);
    conn->in_transaction = false;
    return result;
}
