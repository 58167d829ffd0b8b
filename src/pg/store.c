#include "pg/store.h"

#include "base/log.h"
#include "base/text.h"
#include "pg/blame.h"
#include "pg/foreign.h"
#include "pg/partition.h"
#include "pg/site_key.h"
#include "pg/store_changes.h"
#include "pg/store_copy.h"
#include "pg/store_find.h"
#include "pg/store_load.h"
#include "pg/store_report.h"
#include "pg/store_witness.h"
#include "pg/store_written.h"
#include "pg/transaction.h"

#include <stdlib.h>
#include <string.h>

/*
 * Rows are read, changed in memory and written back, although one upsert for each message would be
 * simpler. But SQL cannot well express the mapping: what a message does not name stays, an array
 * that it names replaces rows, what has no column is merged into `extra`, and a late message must
 * not undo a newer one. Besides, a batch that is folded first writes each entity once, however many
 * of its messages are about it. No other session can change the rows between the read and the
 * write: stored roots are locked, and a root that appears meanwhile makes the transaction fail and
 * start over (statements.c says how that is noticed).
 */

static const char IDLE_SESSION_TIMEOUT[] = "57P05";

struct pg_store {
    struct pg_store_target target;
    struct pg_conn *conn; /* NULL while there is none */
    bool copy_refused;    /* this and the next two: see struct store_transaction */
    bool conn_lost;
    bool partitioned;
    /* One for each child table, and one for the root table after the last child. */
    struct store_witness witnesses[ENTITY_MAX_CHILDREN + 1];
};

struct pg_store *pg_store_new(const struct pg_store_target *target)
{
    struct pg_store *store = calloc(1, sizeof(*store));

    if (store != NULL)
        store->target = *target;
    return store;
}

void pg_store_free(struct pg_store *store)
{
    if (store == NULL)
        return;
    pg_conn_close(store->conn);
    free(store);
}

/* Somebody else wrote this, since kopru never writes it. The id is no secret, unlike the content of
   the row. */
static int report_unreadable(struct store_transaction *tx)
{
    const struct table *table = &tx->set.entity->root;
    struct slice id = tx->set.unreadable->id;

    tx->failure.class = SQLSTATE_PAUSE;
    error_set(&tx->failure.error, ERROR_PROBLEMS, "unreadable row", table->name,
              "extra of %s %.*s is not a JSON object", table->columns[0].name, (int)id.len,
              id.data);
    return error_hint(&tx->failure.error, "put back a JSON object, such as '{}'");
}

static int write_rows(struct store_transaction *tx, bool probe)
{
    if (store_load(tx) != 0)
        return -1;
    if (write_set_fold(&tx->set) != 0)
        return tx->set.unreadable != NULL ? report_unreadable(tx) : store_no_memory(tx);
    store_copy_decide(tx, probe);
    if (store_write_changes(tx) != 0)
        return -1;
    if (tx->copies && (store_copy(tx) != 0 || store_write_end(tx) != 0))
        return -1;
    return store_written_verify(tx);
}

/* Runs the whole transaction. When the lease turns out to be lost, the transaction is left open for
   a rollback. */
static int run(struct store_transaction *tx, int64_t epoch, const struct write_request *request,
               bool *lease_held)
{
    if (store_init_set(tx, request) != 0 || store_find(tx, epoch, lease_held) != 0)
        return -1;
    if (!*lease_held)
        return 0;
    if (write_rows(tx, request->probe) != 0)
        return -1;
    return request->probe ? pg_conn_rollback(tx->conn) : pg_conn_commit(tx->conn, &tx->failure);
}

/* Keeps the connection only if it takes the ROLLBACK. */
static void abandon(struct pg_store *store, const struct pg_failure *failure)
{
    if (failure->connection_lost || pg_conn_rollback(store->conn) != 0) {
        pg_conn_close(store->conn);
        store->conn = NULL;
    }
}

/* After the rollback: in a transaction that failed, the server answers no question. */
static void judge(struct pg_store *store, struct store_transaction *tx)
{
    pg_partition_look_up(store->conn, store->target.statements->entity, &tx->failure);
    store_judge(tx);
}

static enum write_outcome write_in_transaction(struct pg_store *store, struct store_transaction *tx,
                                               int64_t epoch, const struct write_request *request)
{
    bool lease_held = true;

    if (store->conn == NULL &&
        pg_conn_open(&store->conn, store->target.settings, &tx->failure) != 0) {
        store_judge(tx);
        return store_outcome(&tx->failure);
    }
    tx->conn = store->conn;
    if (run(tx, epoch, request, &lease_held) != 0) {
        abandon(store, &tx->failure);
        judge(store, tx);
        if (tx->failure.not_written)
            pg_foreign_hint(store->conn, tx->failure.table, &tx->failure);
        else
            pg_site_key_judge(store->conn, store->target.statements->entity, &tx->failure);
        return store_outcome(&tx->failure);
    }
    if (!lease_held) {
        abandon(store, &tx->failure);
        return WRITE_LEASE_LOST;
    }
    return WRITE_COMMITTED;
}

/* Returns NULL when there is no memory. */
static struct store_transaction *new_transaction(const struct pg_store *store)
{
    struct store_transaction *tx = calloc(1, sizeof(*tx));

    if (tx == NULL)
        return NULL;
    tx->target = &store->target;
    tx->pipeline.max_bytes = store->target.max_batch_bytes;
    tx->copy_refused = store->copy_refused;
    tx->conn_lost = store->conn_lost;
    tx->partitioned = store->partitioned;
    return tx;
}

static enum write_outcome write_once(struct pg_store *store, int64_t epoch,
                                     const struct write_request *request,
                                     struct write_report *report)
{
    struct store_transaction *tx = new_transaction(store);
    enum write_outcome outcome;

    *report = (struct write_report){ 0 };
    if (tx == NULL) {
        error_no_memory(&report->error);
        return WRITE_RETRY;
    }
    outcome = write_in_transaction(store, tx, epoch, request);
    store->copy_refused = tx->copy_refused;
    store->conn_lost =
        outcome != WRITE_COMMITTED && (store->conn_lost || tx->failure.connection_lost);
    store->partitioned = tx->partitioned;
    store_fill_report(report, tx);
    if (outcome != WRITE_COMMITTED || request->probe)
        write_set_take_back(&tx->set);
    write_set_release(&tx->set);
    free(tx);
    return outcome;
}

/* With idle_session_timeout the server ends a session that nobody uses, which shows when it is
   used next: nothing that was sent on it has been executed, and a new connection is all that it
   takes. */
enum write_outcome pg_store_write(struct pg_store *store, int64_t epoch,
                                  const struct write_request *request, struct write_report *report)
{
    enum write_outcome outcome = write_once(store, epoch, request, report);

    if (strcmp(report->sqlstate, IDLE_SESSION_TIMEOUT) != 0)
        return outcome;
    log_event(LOG_DEBUG, "idle_session_ended",
              "the server had ended an idle session, so the writer connects again",
              LOG_TEXT("queue", store->target.queue));
    return write_once(store, epoch, request, report);
}

/* A rule of the site refuses the witness for what it is, as a unique key of the site does with
   every copy: then the witness says nothing about the message. */
static bool is_refused_itself(const struct pg_failure *failure)
{
    return failure->class == SQLSTATE_REFUSE && !failure->unproven && failure->suspect;
}

/* Asks the next witness of a table (as in store_witness.h). The results are those of
   pg_store_ask_witness(). */
static int ask(struct pg_store *store, struct store_transaction *tx, size_t table, int64_t epoch,
               uint64_t statements, uint64_t *passed)
{
    struct store_witness *witness = &store->witnesses[table];
    int result;

    if (store->conn == NULL &&
        pg_conn_open(&store->conn, store->target.settings, &tx->failure) != 0)
        return -1;
    tx->conn = store->conn;
    result = store_witness_choose(tx, table, witness);
    if (result > 0) {
        result = pg_conn_rollback(tx->conn);
        tx->failure.connection_lost = result != 0;
    }
    if (result == 0 && witness->len > 0)
        result = store_witness_write(tx, witness, epoch, statements, passed);
    abandon(store, &tx->failure);
    if (result != 0)
        judge(store, tx);
    return is_refused_itself(&tx->failure) ? 0 : result;
}

int pg_store_ask_witness(struct pg_store *store, int64_t epoch, uint64_t *rest, uint64_t *passed)
{
    const struct entity *entity = store->target.statements->entity;
    struct store_transaction *tx = new_transaction(store);
    uint64_t before = *passed;
    size_t table = 0;
    int result;

    if (tx == NULL)
        return -1;
    while (table < entity->child_count && (*rest & pg_blame_of_table(entity, table)) == 0)
        table++;
    result = ask(store, tx, table, epoch, *rest, passed);
    *rest &= ~(*passed | pg_blame_of_table(entity, table));
    log_event(LOG_DEBUG, "witness", "a stored row was written again, and rolled back",
              LOG_TEXT("queue", store->target.queue),
              LOG_TEXT("result", result != 0         ? "refused"
                                 : *passed == before ? "no witness"
                                                     : "taken"),
              LOG_TEXT("sqlstate", text_or_null(tx->failure.sqlstate)));
    write_set_release(&tx->set);
    free(tx);
    return result;
}
