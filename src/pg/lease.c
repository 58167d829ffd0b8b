#include "pg/lease.h"

#include "pg/binary.h"
#include "pg/round_trip.h"
#include "pg/session_settings.h"
#include "pg/transaction.h"

#include <stdio.h>
#include <string.h>

static const char LOCK_NOT_AVAILABLE[] = "55P03";

static const struct pg_statement ADD = {
    .name = "kopru_lease_add",
    .sql = "INSERT INTO kopru.queues (queue, entity) VALUES ($1, $2) ON CONFLICT (queue) DO UPDATE "
           "SET entity = excluded.entity"
           " WHERE kopru.queues.entity IS DISTINCT FROM excluded.entity",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_OID },
};

static const struct pg_statement READ = {
    .name = "kopru_lease_read",
    .sql =
        "SELECT epoch, holder, (extract(epoch FROM clock_timestamp() - renewed_at) * 1000)::bigint"
        " FROM kopru.queues WHERE queue = $1",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_OID },
};

static const struct pg_statement PATIENCE = {
    .name = "kopru_lease_patience",
    .sql = "SELECT set_config('lock_timeout', '1000', true)",
};

/* A client that freezes between two trips is ended by the idle timeout of its transaction; one that
   freezes while it sends is not by anything: its session waits for the rest of a message.
   RowShareLock: it looked at an epoch, or is about to take a queue. */
static const struct pg_statement EVICT = {
    .name = "kopru_lease_evict",
    .sql = "SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid)) FROM pg_stat_activity AS a"
           " WHERE a.datname = current_database() AND a.usename = current_user AND a.wait_event = "
           "'ClientRead'"
           " AND a.state_change < clock_timestamp() - interval '6 seconds' AND EXISTS (SELECT FROM "
           "pg_locks AS l"
           " WHERE l.pid = a.pid AND l.relation = 'kopru.queues'::regclass AND l.mode = "
           "'RowShareLock' AND l.granted)",
};

static const struct pg_statement LOCK = {
    .name = "kopru_lease_lock",
    .sql = "SELECT 1 FROM kopru.queues WHERE queue = $1 FOR UPDATE",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_OID },
};

static const struct pg_statement TAKE = {
    .name = "kopru_lease_take",
    .sql = "UPDATE kopru.queues SET epoch = epoch + 1, holder = $3, renewed_at = clock_timestamp()"
           " WHERE queue = $1 AND epoch = $2 RETURNING epoch",
    .param_count = 3,
    .param_types = (const Oid[]){ TEXT_OID, INT8_OID, TEXT_OID },
};

static const struct pg_statement RENEW = {
    .name = "kopru_lease_renew",
    .sql = "UPDATE kopru.queues SET renewed_at = clock_timestamp(), holder = $5,"
           " last_message_at = greatest(last_message_at, $3), last_commit_at = "
           "greatest(last_commit_at, $4)"
           " WHERE queue = $1 AND epoch = $2 RETURNING 1",
    .param_count = 5,
    .param_types = (const Oid[]){ TEXT_OID, INT8_OID, TIMESTAMPTZ_OID, TIMESTAMPTZ_OID, TEXT_OID },
};

const struct pg_statement *const PG_LEASE_STATEMENTS[] = { &ADD,  &READ,  &PATIENCE, &LOCK,
                                                           &TAKE, &EVICT, &RENEW };

/* One transaction around the calls from the third on; the first two are filled in here. Keeps the
   results for the caller. */
static int run_transaction(struct pg_conn *conn, struct pg_call *calls, size_t count,
                           struct pg_failure *failure)
{
    calls[0] = (struct pg_call){ .statement = &PG_BEGIN };
    calls[1] = (struct pg_call){ .statement = &PG_SETTINGS, .params = pg_conn_settings(conn) };
    if (pg_conn_round_trip(conn, calls, count, failure) == 0 && pg_conn_commit(conn, failure) == 0)
        return 0;
    if (!failure->connection_lost && pg_conn_rollback(conn) != 0)
        failure->connection_lost = true;
    return -1;
}

int pg_lease_read(struct pg_conn *conn, const char *queue, const char *entity, struct lease *lease,
                  struct pg_failure *failure)
{
    const char *values[] = { queue, entity };
    const int lengths[] = { (int)strlen(queue), (int)strlen(entity) };
    const struct pg_params both = { 2, values, lengths };
    const struct pg_params first = { 1, values, lengths };
    struct pg_call calls[4] = {
        [2] = { .statement = &ADD, .params = &both }, [3] = { .statement = &READ, .params = &first }
    };
    int result = run_transaction(conn, calls, 4, failure);

    *lease = (struct lease){ .silent_ms = INT64_MAX };
    if (result == 0 && PQntuples(calls[3].result) == 1) {
        lease->epoch = pg_read_i64(PQgetvalue(calls[3].result, 0, 0));
        snprintf(lease->holder, sizeof(lease->holder), "%s", PQgetvalue(calls[3].result, 0, 1));
        if (!PQgetisnull(calls[3].result, 0, 2))
            lease->silent_ms = pg_read_i64(PQgetvalue(calls[3].result, 0, 2));
    }
    pg_calls_clear(calls, 4);
    return result;
}

/* Ends the sessions of clients that went silent while they held a queue's row. Returns how many, or
   -1. */
static int evict(struct pg_conn *conn, struct pg_failure *failure)
{
    struct pg_call calls[3] = { [2] = { .statement = &EVICT } };
    int result = run_transaction(conn, calls, 3, failure);

    if (result == 0)
        result = (int)pg_read_i64(PQgetvalue(calls[2].result, 0, 0));
    pg_calls_clear(calls, 3);
    return result;
}

int pg_lease_take(struct pg_conn *conn, const char *queue, const char *holder, struct lease *lease,
                  struct pg_failure *failure)
{
    int64_t epoch = pg_wire_i64(lease->epoch);
    const char *values[] = { queue, (const char *)&epoch, holder };
    const int lengths[] = { (int)strlen(queue), sizeof(epoch), (int)strlen(holder) };
    const struct pg_params all = { 3, values, lengths };
    const struct pg_params first = { 1, values, lengths };
    struct pg_call calls[5] = { [2] = { .statement = &PATIENCE },
                                [3] = { .statement = &LOCK, .params = &first },
                                [4] = { .statement = &TAKE, .params = &all } };
    int result = run_transaction(conn, calls, 5, failure);

    if (result == 0) {
        result = PQntuples(calls[4].result);
        if (result == 1)
            lease->epoch = pg_read_i64(PQgetvalue(calls[4].result, 0, 0));
    }
    pg_calls_clear(calls, 5);
    if (result < 0 && !failure->connection_lost &&
        strcmp(failure->sqlstate, LOCK_NOT_AVAILABLE) == 0) {
        lease->evicted = evict(conn, failure);
        result = lease->evicted < 0 ? -1 : 0;
    }
    return result;
}

int pg_lease_renew(struct pg_conn *conn, const char *queue, int64_t epoch,
                   const struct lease_news *news, const char *holder, struct pg_failure *failure)
{
    int64_t wire[] = { pg_wire_i64(epoch), pg_wire_i64(news->last_message_us),
                       pg_wire_i64(news->last_commit_us) };
    const char *values[] = { queue, (const char *)&wire[0],
                             news->last_message_us != 0 ? (const char *)&wire[1] : NULL,
                             news->last_commit_us != 0 ? (const char *)&wire[2] : NULL, holder };
    const int lengths[] = { (int)strlen(queue), 8, 8, 8, holder != NULL ? (int)strlen(holder) : 0 };
    const struct pg_params params = { 5, values, lengths };
    struct pg_call calls[3] = { [2] = { .statement = &RENEW, .params = &params } };
    int result = run_transaction(conn, calls, 3, failure);

    if (result == 0)
        result = PQntuples(calls[2].result);
    pg_calls_clear(calls, 3);
    return result;
}
