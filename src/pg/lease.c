#include "pg/lease.h"

#include "base/clock.h"
#include "base/text.h"
#include "pg/binary.h"
#include "pg/catalog_queue.h"
#include "pg/foreign.h"
#include "pg/round_trip.h"
#include "pg/session_settings.h"
#include "pg/transaction.h"

#include <stdio.h>
#include <string.h>

/*
 * No clock of a server decides anything, since it may be set, and a server may be replaced by one
 * with another clock: renewed_at is for people. That a row was renewed shows in xmin, which every
 * UPDATE changes. renewed_at is read with clock_timestamp(), because now() would be the time at
 * which the transaction began, before it waited for a lock. Reading adds the missing row, so that
 * acquiring is one UPDATE which compares epoch and version with what was read: of two instances
 * that read the same, one acquires the lease, and neither does if the holder renewed it. The wait
 * for the transactions of the previous holder has a lock_timeout of its own, because meanwhile the
 * leases of all other queues are not renewed.
 */

enum { ENTITY_COLUMN = 6 }; /* of READ: the first of CATALOG_QUEUE_COLUMNS */

static const char LOCK_NOT_AVAILABLE[] = "55P03";

/* How much longer than the server an acquisition waits for the lock: where it takes longer, the
   server's clock was set back, and the lock timeout with it. */
enum { LOCK_GRACE_MS = 2000 };

static const struct pg_statement ADD = {
    .name = "kopru_lease_add",
    .sql = "INSERT INTO kopru.queues (queue, entity, root_table) VALUES ($1, $2, $3)"
           " ON CONFLICT (queue) DO UPDATE SET root_table = excluded.root_table"
           " WHERE kopru.queues.entity = excluded.entity AND kopru.queues.root_table IS NULL",
    .param_count = 3,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_OID, TEXT_OID },
};

static const struct pg_statement READ = {
    .name = "kopru_lease_read",
    .sql = "SELECT epoch, holder, instance, state,"
           " xmin::text::bigint, coalesce(returns, 0)::bigint,"
           " " CATALOG_QUEUE_COLUMNS " FROM kopru.queues WHERE queue = $1",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_OID },
};

static const struct pg_statement LOCK_TIMEOUT = {
    .name = "kopru_lease_lock_timeout",
    .sql = "SELECT set_config('lock_timeout', $1::bigint::text, true)",
    .param_count = 1,
    .param_types = (const Oid[]){ INT8_OID },
};

/* A client that freezes between two round trips is ended by the idle timeout of its transaction.
   Nothing ends one that freezes while it sends, because its session waits for the rest of a
   message. A RowShareLock shows that the session checked an epoch or is about to acquire a
   lease. Sessions are named by process id and the time of their last change of state, which is
   compared and not measured: who is named at one look and again at the next has stood still in
   between. */
static const struct pg_statement END_FROZEN = {
    .name = "kopru_lease_end_frozen",
    .sql = "WITH still AS (SELECT a.pid,"
           " a.pid || '/' || (extract(epoch FROM a.state_change) * 1000000)::bigint AS name"
           " FROM pg_stat_activity AS a"
           " WHERE a.datname = current_database() AND a.usename = current_user"
           " AND a.wait_event = 'ClientRead'"
           " AND EXISTS (SELECT FROM pg_locks AS l WHERE l.pid = a.pid"
           " AND l.relation = 'kopru.queues'::regclass AND l.mode = 'RowShareLock' AND l.granted)"
           " ORDER BY a.state_change LIMIT 50)"
           " SELECT count(*) FILTER (WHERE CASE WHEN name = ANY (string_to_array($1, ' '))"
           " THEN pg_terminate_backend(pid) END), coalesce(string_agg(name, ' '), '')"
           " FROM still",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_OID },
};

static const struct pg_statement LOCK = {
    .name = "kopru_lease_lock",
    .sql = "SELECT 1 FROM kopru.queues WHERE queue = $1 FOR UPDATE",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_OID },
};

/* The new epoch is higher, and not only by one: after a failover to a server that lost a takeover,
   another acquisition must not give the epoch under which the holder of the lost one writes. */
static const struct pg_statement ACQUIRE = {
    .name = "kopru_lease_acquire",
    .sql = "UPDATE kopru.queues SET epoch = epoch + 1 + floor(random() * 100000)::bigint,"
           " holder = $3, instance = $4, state = 'held', renewed_at = clock_timestamp()"
           " WHERE queue = $1 AND epoch = $2 AND xmin::text::bigint = $5 RETURNING epoch",
    .param_count = 5,
    .param_types = (const Oid[]){ TEXT_OID, INT8_OID, TEXT_OID, TEXT_OID, INT8_OID },
};

static const struct pg_statement RENEW = {
    .name = "kopru_lease_renew",
    .sql = "UPDATE kopru.queues SET renewed_at = clock_timestamp(),"
           " holder = $6, instance = $7, state = $8,"
           " last_message_at = coalesce(now() - $3 * interval '1 ms', last_message_at),"
           " last_commit_at = coalesce(now() - $4 * interval '1 ms', last_commit_at),"
           " returns = nullif($5, 0), mapping_doubt = $9"
           " WHERE queue = $1 AND epoch = $2 RETURNING 1",
    .param_count = 9,
    .param_types = (const Oid[]){ TEXT_OID, INT8_OID, INT8_OID, INT8_OID, INT8_OID, TEXT_OID,
                                  TEXT_OID, TEXT_OID, TEXT_OID },
};

static const struct pg_statement RELEASE = {
    .name = "kopru_lease_release",
    .sql = "UPDATE kopru.queues SET renewed_at = clock_timestamp(),"
           " holder = NULL, instance = NULL, state = NULL,"
           " last_message_at = coalesce(now() - $3 * interval '1 ms', last_message_at),"
           " last_commit_at = coalesce(now() - $4 * interval '1 ms', last_commit_at),"
           " returns = nullif($5, 0)"
           " WHERE queue = $1 AND epoch = $2 RETURNING 1",
    .param_count = 5,
    .param_types = (const Oid[]){ TEXT_OID, INT8_OID, INT8_OID, INT8_OID, INT8_OID },
};

const struct pg_statement *const PG_LEASE_STATEMENTS[PG_LEASE_STATEMENT_COUNT] = {
    [PG_LEASE_ADD] = &ADD,
    [PG_LEASE_READ] = &READ,
    [PG_LEASE_LOCK_TIMEOUT] = &LOCK_TIMEOUT,
    [PG_LEASE_LOCK] = &LOCK,
    [PG_LEASE_ACQUIRE] = &ACQUIRE,
    [PG_LEASE_END_FROZEN] = &END_FROZEN,
    [PG_LEASE_RENEW] = &RENEW,
    [PG_LEASE_RELEASE] = &RELEASE,
};

/* Runs one transaction around the calls from the third on; the first two are filled in here. max_ms
   limits the calls, not COMMIT, which may wait for a standby of the server; 0 for the usual limit.
   The caller clears the results. */
static int run_within(struct pg_conn *conn, struct pg_call *calls, size_t count, int max_ms,
                      struct pg_failure *failure)
{
    int result;

    calls[0] = (struct pg_call){ .statement = &PG_BEGIN };
    calls[1] = (struct pg_call){ .statement = &PG_SETTINGS, .params = pg_conn_settings(conn) };
    pg_conn_limit_round_trip(conn, max_ms);
    result = pg_conn_round_trip(conn, calls, count, failure);
    pg_conn_limit_round_trip(conn, 0);
    if (result == 0 && pg_conn_commit(conn, failure) == 0)
        return 0;
    if (!failure->connection_lost && pg_conn_rollback(conn) != 0)
        failure->connection_lost = true;
    return -1;
}

static int run_transaction(struct pg_conn *conn, struct pg_call *calls, size_t count,
                           struct pg_failure *failure)
{
    return run_within(conn, calls, count, 0, failure);
}

/* A trigger or rule of the site on kopru.queues has undone what was written there. Returns -1. */
static int report_swallowed(struct pg_conn *conn, const char *queue, struct pg_failure *failure)
{
    failure->class = SQLSTATE_PAUSE;
    error_set(&failure->error, ERROR_PROBLEMS, "the database did not do what it was told",
              "kopru.queues", "the row of queue %s was not written", queue);
    pg_foreign_hint(conn, "queues", failure);
    return -1;
}

static void take_text(char *out, size_t size, const PGresult *result, int column)
{
    snprintf(out, size, "%s", PQgetvalue(result, 0, column));
}

/* Reads the lease from a row; a column that is null reads as the empty string. */
static void take_lease(struct lease *lease, const PGresult *row)
{
    char state[32];

    lease->epoch = pg_read_i64(PQgetvalue(row, 0, 0));
    take_text(lease->holder.name, sizeof(lease->holder.name), row, 1);
    take_text(lease->holder.instance, sizeof(lease->holder.instance), row, 2);
    take_text(state, sizeof(state), row, 3);
    lease->state = lease_state_of(state);
    lease->version = pg_read_i64(PQgetvalue(row, 0, 4));
    lease->returns = (uint32_t)pg_read_i64(PQgetvalue(row, 0, 5));
}

int pg_lease_read(struct pg_conn *conn, const char *queue, const struct entity *entity,
                  struct lease *lease, struct error *other, struct pg_failure *failure)
{
    const char *values[] = { queue, entity->name, entity->root.name };
    const int lengths[] = { (int)strlen(queue), (int)strlen(entity->name),
                            (int)strlen(entity->root.name) };
    const struct pg_params all = { 3, values, lengths };
    const struct pg_params first = { 1, values, lengths };
    struct pg_call calls[4] = {
        [2] = { .statement = &ADD, .params = &all }, [3] = { .statement = &READ, .params = &first }
    };
    int result = run_transaction(conn, calls, 4, failure);

    *lease = (struct lease){ 0 };
    if (result == 0 && PQntuples(calls[3].result) == 1) {
        take_lease(lease, calls[3].result);
        result = catalog_queue_check_entity(calls[3].result, ENTITY_COLUMN, queue, entity, other);
    } else if (result == 0) {
        result = report_swallowed(conn, queue, failure);
    }
    pg_calls_clear(calls, 4);
    return result;
}

int pg_lease_look(struct pg_conn *conn, const char *queue, struct lease *lease,
                  struct pg_failure *failure)
{
    const struct pg_params params = { 1, &queue, (const int[]){ (int)strlen(queue) } };
    struct pg_call calls[3] = { [2] = { .statement = &READ, .params = &params } };
    int result = run_transaction(conn, calls, 3, failure);

    *lease = (struct lease){ 0 };
    if (result == 0 && PQntuples(calls[2].result) == 1)
        take_lease(lease, calls[2].result);
    pg_calls_clear(calls, 3);
    return result;
}

/* Ends the sessions of clients that went silent while they held a queue's row, and stood still
   since the look before, if that is long enough ago. Returns their number, or -1. */
static int end_frozen(struct pg_conn *conn, int frozen_after_ms, struct pg_lease_stillness *seen,
                      struct pg_failure *failure)
{
    const int length = (int)strlen(seen->sessions);
    const struct pg_params params = { 1, (const char *[]){ seen->sessions }, &length };
    struct pg_call calls[3] = { [2] = { .statement = &END_FROZEN, .params = &params } };
    int64_t now_ms = clock_monotonic_ms();
    int result;

    if (length > 0 && now_ms - seen->at_ms < frozen_after_ms)
        return 0;
    result = run_transaction(conn, calls, 3, failure);
    if (result == 0) {
        result = (int)pg_read_i64(PQgetvalue(calls[2].result, 0, 0));
        take_text(seen->sessions, sizeof(seen->sessions), calls[2].result, 1);
        seen->at_ms = clock_monotonic_ms();
    }
    pg_calls_clear(calls, 3);
    return result;
}

/* No row was updated. Returns 0 when the row has another epoch or another version (0: any) by now,
   or -1 when it has not, and so something has kept it from being updated. */
static int explain_nothing(struct pg_conn *conn, const char *queue, int64_t epoch, int64_t version,
                           struct pg_failure *failure)
{
    struct lease now;

    if (pg_lease_look(conn, queue, &now, failure) != 0)
        return -1;
    if (now.epoch != epoch || (version != 0 && now.version != version))
        return 0;
    return report_swallowed(conn, queue, failure);
}

/* Returns 1, 0 when the row is not as it was read, or -1. */
static int lock_and_acquire(struct pg_conn *conn, const char *queue,
                            const struct lease_holder *holder, int wait_ms, struct lease *lease,
                            struct pg_failure *failure)
{
    int64_t wire[] = { pg_wire_i64(lease->epoch), pg_wire_i64(wait_ms),
                       pg_wire_i64(lease->version) };
    const char *values[] = { queue, (const char *)&wire[0], holder->name, holder->instance,
                             (const char *)&wire[2] };
    const int lengths[] = { (int)strlen(queue), 8, (int)strlen(holder->name),
                            (int)strlen(holder->instance), 8 };
    const struct pg_params all = { 5, values, lengths };
    const struct pg_params first = { 1, values, lengths };
    const struct pg_params wait = { 1, (const char *[]){ (const char *)&wire[1] }, &lengths[1] };
    struct pg_call calls[5] = { [2] = { .statement = &LOCK_TIMEOUT, .params = &wait },
                                [3] = { .statement = &LOCK, .params = &first },
                                [4] = { .statement = &ACQUIRE, .params = &all } };
    int result = run_within(conn, calls, 5, wait_ms + LOCK_GRACE_MS, failure);

    if (result == 0) {
        result = PQntuples(calls[4].result);
        if (result == 1)
            lease->epoch = pg_read_i64(PQgetvalue(calls[4].result, 0, 0));
    }
    pg_calls_clear(calls, 5);
    return result;
}

int pg_lease_acquire(struct pg_conn *conn, const char *queue, const struct lease_holder *holder,
                     const struct pg_lease_patience *patience, struct pg_lease_stillness *seen,
                     struct lease *lease, struct pg_failure *failure)
{
    int64_t before = lease->epoch;
    int result = lock_and_acquire(conn, queue, holder, patience->wait_ms, lease, failure);

    if (result < 0 && !failure->connection_lost &&
        strcmp(failure->sqlstate, LOCK_NOT_AVAILABLE) == 0) {
        lease->sessions_ended = end_frozen(conn, patience->frozen_after_ms, seen, failure);
        return lease->sessions_ended < 0 ? -1 : 0;
    }
    if (result == 1 && lease->epoch == before)
        return report_swallowed(conn, queue, failure);
    return result == 0 ? explain_nothing(conn, queue, lease->epoch, lease->version, failure)
                       : result;
}

/* RENEW with that lease, or RELEASE, which takes only its epoch. */
static int update(struct pg_conn *conn, const struct pg_statement *statement, const char *queue,
                  const struct lease *mine, const struct freshness *freshness,
                  struct pg_failure *failure)
{
    const char *state = lease_state_name(mine->state);
    int64_t wire[] = { pg_wire_i64(mine->epoch), pg_wire_i64(freshness->message_age_ms),
                       pg_wire_i64(freshness->commit_age_ms), pg_wire_i64(freshness->returns) };
    const char *values[] = {
        queue,
        (const char *)&wire[0],
        freshness->message_age_ms != FRESHNESS_NEVER ? (const char *)&wire[1] : NULL,
        freshness->commit_age_ms != FRESHNESS_NEVER ? (const char *)&wire[2] : NULL,
        (const char *)&wire[3],
        mine->holder.name,
        mine->holder.instance,
        state,
        text_or_null(freshness->mapping_doubt)
    };
    const int lengths[] = { (int)strlen(queue),
                            8,
                            8,
                            8,
                            8,
                            (int)strlen(mine->holder.name),
                            (int)strlen(mine->holder.instance),
                            (int)strlen(state),
                            (int)strlen(freshness->mapping_doubt) };
    const struct pg_params params = { statement->param_count, values, lengths };
    struct pg_call calls[3] = { [2] = { .statement = statement, .params = &params } };
    int result = run_transaction(conn, calls, 3, failure);

    if (result == 0)
        result = PQntuples(calls[2].result);
    pg_calls_clear(calls, 3);
    return result == 0 ? explain_nothing(conn, queue, mine->epoch, 0, failure) : result;
}

int pg_lease_renew(struct pg_conn *conn, const char *queue, const struct lease *mine,
                   const struct freshness *freshness, struct pg_failure *failure)
{
    return update(conn, &RENEW, queue, mine, freshness, failure);
}

int pg_lease_release(struct pg_conn *conn, const char *queue, int64_t epoch,
                     const struct freshness *freshness, struct pg_failure *failure)
{
    const struct lease mine = { .epoch = epoch };

    return update(conn, &RELEASE, queue, &mine, freshness, failure);
}
