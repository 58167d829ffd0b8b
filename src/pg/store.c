#include "pg/store.h"

#include "pg/blame.h"
#include "pg/copy.h"
#include "pg/dead_letters.h"
#include "pg/plan.h"

#include <stdio.h>
#include <stdlib.h>

/* Of the longest trip: the root, removals and writes of each child, dead letters, the check of a
   probe; or the four of the first. */
enum { MAX_CALLS = 4 + 2 * ENTITY_MAX_CHILDREN };
_Static_assert((int)MAX_CALLS <= (int)PG_TRIP_MAX_CALLS, "every trip can be sent");

/* COPY takes two network round trips more for each table than an upsert in the pipeline; from here
   on it is well worth them. */
enum { COPY_MIN_ROWS = 200 };

/* What the rows of several entities may take: as they arrive, and as values while they are changed.
   A batch that needs more is divided; one entity alone may have as many rows as its messages gave
   it. */
enum { LOADED_MAX_BYTES = 4 << 20, CHANGED_MAX_BYTES = 16 << 20 };

struct pg_store {
    struct pg_store_target target;
    struct pg_conn *conn; /* NULL while there is none */
    bool copy_refused;    /* COPY into these tables is not possible, as with row-level security */
};

/* One transaction in progress: the calls of its next trip and their arguments. */
struct transaction {
    struct pg_store *store;
    const struct pg_statements *statements;
    struct plan plan;
    int64_t epoch_wire; /* big-endian */
    struct pg_call calls[MAX_CALLS];
    struct pg_arguments arguments[MAX_CALLS];
    size_t call_count;
    bool copies; /* the child rows of new roots are copied; never those of one entity alone, so that
                    no message is judged by COPY */
    struct pg_failure failure;
    bool out_of_memory; /* here, not in the server */
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

/* The next call of the trip, with arguments to be filled. NULL when there is no memory. */
static struct pg_arguments *add_call(struct transaction *tx, const struct pg_statement *statement,
                                     size_t scalars)
{
    struct pg_arguments *arguments = &tx->arguments[tx->call_count];

    if (tx->call_count == MAX_CALLS ||
        pg_arguments_init(arguments, statement, scalars, tx->store->target.max_batch_bytes) != 0) {
        pg_arguments_release(arguments);
        return NULL;
    }
    tx->calls[tx->call_count++] =
        (struct pg_call){ .statement = statement, .params = &arguments->params };
    return arguments;
}

static void add_plain(struct transaction *tx, const struct pg_statement *statement,
                      const struct pg_params *params)
{
    tx->calls[tx->call_count++] = (struct pg_call){ .statement = statement, .params = params };
}

static void end_trip(struct transaction *tx)
{
    pg_calls_clear(tx->calls, tx->call_count);
    for (size_t i = 0; i < tx->call_count; i++)
        pg_arguments_release(&tx->arguments[i]);
    tx->call_count = 0;
}

static int no_memory(struct transaction *tx)
{
    tx->failure.class = SQLSTATE_RETRY;
    tx->out_of_memory = true;
    return error_no_memory(&tx->failure.error);
}

/* Somebody else's doing: kopru writes nothing of that kind. The id is no secret, unlike what the
   row holds. */
static int unreadable(struct transaction *tx)
{
    const struct table *table = &tx->plan.entity->root;
    struct slice id = tx->plan.unreadable->id;

    tx->failure.class = SQLSTATE_PAUSE;
    error_set(&tx->failure.error, ERROR_PROBLEMS, "unreadable row", table->name,
              "extra of %s %.*s is no JSON object", table->columns[0].name, (int)id.len, id.data);
    return error_hint(&tx->failure.error, "put back a JSON object, such as '{}'");
}

static int send_trip(struct transaction *tx)
{
    for (size_t i = 0; i < tx->call_count; i++) {
        if (pg_arguments_finish(&tx->arguments[i]) != 0)
            return no_memory(tx);
    }
    return pg_conn_trip(tx->store->conn, tx->calls, tx->call_count, &tx->failure);
}

static int add_find(struct transaction *tx)
{
    struct pg_arguments *arguments = add_call(tx, &tx->statements->find, 0);

    if (arguments == NULL)
        return no_memory(tx);
    for (size_t i = 0; i < tx->plan.count; i++) {
        const struct plan_entity *entity = &tx->plan.entities[i];
        const uint8_t *hash = plan_entity_hash(entity);
        int64_t source_time_pg_us;

        pg_array_bytes(&arguments->arrays[0], entity->id);
        if (hash != NULL)
            pg_array_bytes(&arguments->arrays[1],
                           (struct slice){ (const char *)hash, DIGEST_BYTES });
        else
            pg_array_null(&arguments->arrays[1]);
        if (plan_entity_time(entity, &source_time_pg_us))
            pg_array_integer(&arguments->arrays[2], source_time_pg_us);
        else
            pg_array_null(&arguments->arrays[2]);
    }
    return 0;
}

static int add_epoch_check(struct transaction *tx, int64_t epoch)
{
    struct pg_arguments *arguments = add_call(tx, &PG_CHECK_EPOCH, 2);

    if (arguments == NULL)
        return no_memory(tx);
    tx->epoch_wire = (int64_t)__builtin_bswap64((uint64_t)epoch);
    pg_arguments_scalar(arguments, 0, tx->store->target.queue, strlen(tx->store->target.queue));
    pg_arguments_scalar(arguments, 1, &tx->epoch_wire, sizeof(tx->epoch_wire));
    return 0;
}

/* The first trip. *ours tells whether the queue is still this instance's. */
static int begin(struct transaction *tx, int64_t epoch, bool *ours)
{
    enum { BEGIN, SETTINGS, EPOCH, FIND };
    int result = -1;

    add_plain(tx, &PG_BEGIN, NULL);
    add_plain(tx, &PG_SETTINGS, pg_conn_settings(tx->store->conn));
    if (add_epoch_check(tx, epoch) == 0 && (tx->plan.count == 0 || add_find(tx) == 0) &&
        send_trip(tx) == 0) {
        *ours = PQntuples(tx->calls[EPOCH].result) == 1;
        result = tx->plan.count == 0 ? 0 : plan_take_found(&tx->plan, tx->calls[FIND].result);
    }
    end_trip(tx);
    return result;
}

static bool must_load(const struct plan_entity *entity)
{
    return entity->stored && !entity->identical;
}

/* Whether a message of the entity replaces a set of that child. */
static bool touches_child(const struct plan *plan, const struct plan_entity *entity, size_t child)
{
    size_t first = entity_first_set(plan->entity, child);

    for (size_t i = 0; i < entity->count; i++) {
        for (size_t s = 0; s < plan->entity->children[child].set_count; s++) {
            if (entity->messages[i]->change->set_present[first + s])
                return true;
        }
    }
    return false;
}

/* The keys of all roots to be read; of a child, only where a message replaces rows of it. */
static int add_load(struct transaction *tx, const struct pg_statement *statement,
                    const size_t *child)
{
    struct pg_arguments *arguments = add_call(tx, statement, 0);

    if (arguments == NULL)
        return no_memory(tx);
    for (size_t i = 0; i < tx->plan.count; i++) {
        const struct plan_entity *entity = &tx->plan.entities[i];

        if (must_load(entity) && (child == NULL || touches_child(&tx->plan, entity, *child)))
            pg_array_bytes(&arguments->arrays[0], entity->id);
    }
    return 0;
}

/* The second trip: the rows of what differs. The roots are locked before their children are read.
 */
static int load(struct transaction *tx)
{
    size_t children = tx->plan.entity->child_count;
    bool any = false;
    int result;

    for (size_t i = 0; i < tx->plan.count; i++)
        any = any || must_load(&tx->plan.entities[i]);
    if (!any)
        return 0;
    result = add_load(tx, &tx->statements->load, NULL);
    for (size_t c = 0; result == 0 && c < children; c++)
        result = add_load(tx, &tx->statements->children[c].load, &c);
    pg_conn_limit_input(tx->store->conn, tx->plan.count > 1 ? LOADED_MAX_BYTES : 0);
    if (result == 0)
        result = send_trip(tx);
    pg_conn_limit_input(tx->store->conn, 0);
    if (result == 0 && plan_take_roots(&tx->plan, tx->calls[0].result) != 0)
        result = no_memory(tx);
    for (size_t c = 0; result == 0 && c < children; c++) {
        if (plan_take_children(&tx->plan, c, tx->calls[1 + c].result) != 0)
            result = no_memory(tx);
    }
    end_trip(tx);
    return result;
}

static void put_row(struct pg_array *arrays, size_t columns, const struct value *values)
{
    for (size_t i = 0; i < columns; i++)
        pg_array_value(&arrays[i], &values[i]);
}

static void put_root(struct pg_array *arrays, const struct table *table,
                     const struct plan_entity *entity)
{
    const struct fold_state *state = &entity->after;
    struct pg_array *more = &arrays[table->column_count];

    put_row(arrays, table->column_count, state->root);
    pg_array_bytes(&more[ROOT_WRITE_HASH],
                   (struct slice){ (const char *)state->hash, DIGEST_BYTES });
    if (state->has_time)
        pg_array_integer(&more[ROOT_WRITE_SOURCE_TIME], state->source_time_pg_us);
    else
        pg_array_null(&more[ROOT_WRITE_SOURCE_TIME]);
    if (entity->has_updated_at)
        pg_array_integer(&more[ROOT_WRITE_UPDATED_AT], entity->updated_at_pg_us);
    else
        pg_array_null(&more[ROOT_WRITE_UPDATED_AT]);
    pg_array_integer(&more[ROOT_WRITE_TOUCHED], entity->difference.touched);
}

/* *inserts: how many of the rows are new. */
static int add_roots(struct transaction *tx, size_t *inserts)
{
    const struct table *table = &tx->plan.entity->root;
    struct pg_arguments *arguments = NULL;

    for (size_t i = 0; i < tx->plan.count; i++) {
        const struct plan_entity *entity = &tx->plan.entities[i];

        if (!entity->difference.root)
            continue;
        if (arguments == NULL && (arguments = add_call(tx, &tx->statements->write, 0)) == NULL)
            return no_memory(tx);
        put_root(arguments->arrays, table, entity);
        *inserts += !entity->before.exists;
    }
    return 0;
}

static int add_removals(struct transaction *tx, size_t child)
{
    const struct table *table = &tx->plan.entity->children[child].table;
    struct pg_arguments *arguments = NULL;

    for (size_t i = 0; i < tx->plan.count; i++) {
        const struct fold_difference *difference = &tx->plan.entities[i].difference;

        for (size_t r = 0; r < difference->delete_count; r++) {
            if (difference->deletes[r].child != child)
                continue;
            if (arguments == NULL &&
                (arguments = add_call(tx, &tx->statements->children[child].remove, 0)) == NULL)
                return no_memory(tx);
            put_row(arguments->arrays, table->key_count, difference->deletes[r].values);
        }
    }
    return 0;
}

/* Whether the entity's child rows cannot be there yet, and are copied. */
static bool is_copied(const struct transaction *tx, const struct plan_entity *entity)
{
    return tx->copies && !entity->before.exists;
}

static int add_writes(struct transaction *tx, size_t child)
{
    const struct table *table = &tx->plan.entity->children[child].table;
    struct pg_arguments *arguments = NULL;

    for (size_t i = 0; i < tx->plan.count; i++) {
        const struct fold_difference *difference = &tx->plan.entities[i].difference;

        for (size_t r = 0; r < difference->write_count && !is_copied(tx, &tx->plan.entities[i]);
             r++) {
            if (difference->writes[r].child != child)
                continue;
            if (arguments == NULL &&
                (arguments = add_call(tx, &tx->statements->children[child].write, 0)) == NULL)
                return no_memory(tx);
            put_row(arguments->arrays, table->column_count, difference->writes[r].values);
        }
    }
    return 0;
}

static int add_dead_letters(struct transaction *tx)
{
    struct pg_arguments *arguments = &tx->arguments[tx->call_count];

    if (tx->plan.dead_count == 0)
        return 0;
    if (pg_dead_letters_encode(arguments, tx->store->target.queue, tx->plan.entity->name,
                               tx->plan.dead, tx->plan.dead_count,
                               tx->store->target.max_batch_bytes) != 0) {
        pg_arguments_release(arguments);
        return no_memory(tx);
    }
    add_plain(tx, &PG_WRITE_DEAD_LETTERS, &arguments->params);
    return 0;
}

/* A root that we meant to insert but that another session inserted meanwhile has children we have
   not seen. */
static int check_inserts(struct transaction *tx, size_t inserts)
{
    const PGresult *result = tx->call_count > 0 && tx->calls[0].statement == &tx->statements->write
                                 ? tx->calls[0].result
                                 : NULL;
    size_t inserted = 0;

    for (int row = 0; result != NULL && row < PQntuples(result); row++)
        inserted += PQgetvalue(result, row, 0)[0] != 0;
    if (inserted == inserts)
        return 0;
    tx->failure.class = SQLSTATE_RETRY;
    return error_set(&tx->failure.error, ERROR_DATA, "another session wrote the same rows",
                     tx->plan.entity->root.name, "%zu rows were to be inserted, %zu were", inserts,
                     inserted);
}

static size_t count_rows_of_new_roots(const struct plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->count; i++)
        count += plan->entities[i].before.exists ? 0 : plan->entities[i].difference.write_count;
    return count;
}

static void put_copied(const struct transaction *tx, size_t child, struct pg_copy *copy)
{
    const struct table *table = &tx->plan.entity->children[child].table;

    for (size_t i = 0; i < tx->plan.count; i++) {
        const struct fold_difference *difference = &tx->plan.entities[i].difference;

        for (size_t r = 0; r < difference->write_count && is_copied(tx, &tx->plan.entities[i]);
             r++) {
            if (difference->writes[r].child == child)
                pg_copy_row(copy, table, difference->writes[r].values);
        }
    }
}

/* The child rows of the roots that this transaction has inserted: nobody else can have written any.
 */
static int copy_children(struct transaction *tx)
{
    struct pg_copy copies[ENTITY_MAX_CHILDREN];
    struct pg_copy_in ready[ENTITY_MAX_CHILDREN] = { 0 };
    size_t children = tx->plan.entity->child_count;
    size_t count = 0;
    int result = 0;

    for (size_t c = 0; c < children; c++) {
        pg_copy_init(&copies[c], tx->store->target.max_batch_bytes);
        put_copied(tx, c, &copies[c]);
        if (pg_copy_finish(&copies[c]) != 0)
            result = no_memory(tx);
        if (copies[c].rows > 0)
            ready[count++] = (struct pg_copy_in){ &tx->statements->children[c].copy,
                                                  buffer_slice(&copies[c].bytes) };
    }
    if (result == 0)
        result = pg_conn_copy(tx->store->conn, ready, count, &tx->failure);
    if (result != 0 && strcmp(tx->failure.sqlstate, "0A000") == 0) {
        tx->store->copy_refused = true;
        tx->failure.connection_lost =
            false; /* it is in order, unlike after other errors of this class */
        error_hint(&tx->failure.error, "COPY is not possible here, as with row-level security: "
                                       "this writer upserts from now on");
    }
    for (size_t c = 0; c < children; c++)
        pg_copy_release(&copies[c]);
    return result;
}

/* Every message can be a dead letter, so what refuses one is the table, and the messages that go
   with it must not be suspected. */
static void judge_dead_letters(struct pg_failure *failure)
{
    if (failure->class != SQLSTATE_REFUSE || failure->statement != PG_WRITE_DEAD_LETTERS.name)
        return;
    failure->class = SQLSTATE_PAUSE;
    error_hint(
        &failure->error,
        "a constraint or trigger on kopru.dead_letters refuses what kopru writes there: remove it");
}

/* The third trip. */
static int write_difference(struct transaction *tx, bool probe)
{
    size_t inserts = 0;
    int result;

    tx->copies = !probe && tx->plan.count > 1 && !tx->store->copy_refused &&
                 count_rows_of_new_roots(&tx->plan) >= COPY_MIN_ROWS;
    result = add_roots(tx, &inserts);
    for (size_t c = 0; result == 0 && c < tx->plan.entity->child_count; c++)
        result = add_removals(tx, c);
    for (size_t c = 0; result == 0 && c < tx->plan.entity->child_count; c++)
        result = add_writes(tx, c);
    if (result == 0)
        result = add_dead_letters(tx);
    if (result == 0 && probe)
        add_plain(tx, &PG_CHECK_CONSTRAINTS, NULL);
    if (result == 0 && tx->call_count > 0 && (result = send_trip(tx)) != 0)
        judge_dead_letters(&tx->failure);
    if (result == 0)
        result = check_inserts(tx, inserts);
    end_trip(tx);
    if (result == 0 && tx->copies)
        result = copy_children(tx);
    return result;
}

static int run(struct transaction *tx, int64_t epoch, const struct write_request *request,
               bool *ours)
{
    if (plan_init(&tx->plan, tx->statements->entity, request, tx->store->target.max_batch_bytes) !=
        0)
        return no_memory(tx);
    if (tx->plan.count > 1 && tx->plan.arena.max_bytes > CHANGED_MAX_BYTES)
        tx->plan.arena.max_bytes = CHANGED_MAX_BYTES;
    if (begin(tx, epoch, ours) != 0)
        return -1;
    if (!*ours)
        return 0;
    if (load(tx) != 0)
        return -1;
    if (plan_fold(&tx->plan) != 0)
        return tx->plan.unreadable != NULL ? unreadable(tx) : no_memory(tx);
    if (write_difference(tx, request->probe) != 0)
        return -1;
    return request->probe ? pg_conn_rollback(tx->store->conn)
                          : pg_conn_commit(tx->store->conn, &tx->failure);
}

/* Cancelled (by statement_timeout, as a rule) or out of memory, on either side. */
static bool took_too_much(const struct transaction *tx)
{
    return tx->out_of_memory || tx->failure.timed_out ||
           strcmp(tx->failure.sqlstate, "57014") == 0 || strcmp(tx->failure.sqlstate, "53200") == 0;
}

/* Only a server that is still there can have meant a message. */
static void fill_blame(struct write_report *report, const struct transaction *tx)
{
    const struct pg_failure *failure = &tx->failure;

    report->statements = pg_blame_used(&tx->plan, tx->copies);
    if (failure->sqlstate[0] == '\0')
        return;
    report->statements = pg_blame_failed(&tx->plan, tx->statements, failure);
    report->unclassified = report->statements != 0 && !failure->connection_lost &&
                           sqlstate_is_unclassified(failure->sqlstate);
}

static void fill_report(struct write_report *report, const struct transaction *tx)
{
    const struct pg_failure *failure = &tx->failure;

    snprintf(report->sqlstate, sizeof(report->sqlstate), "%s", failure->sqlstate);
    snprintf(report->table, sizeof(report->table), "%s", failure->table);
    snprintf(report->constraint, sizeof(report->constraint), "%s", failure->constraint);
    snprintf(report->column, sizeof(report->column), "%s", failure->column);
    report->error = failure->error;
    report->stale = tx->plan.stale;
    report->unreplicated = failure->unreplicated;
    report->too_much = took_too_much(tx);
    fill_blame(report, tx);
    for (size_t i = 0; i < tx->plan.count; i++)
        report->roots_written += tx->plan.entities[i].difference.root;
}

static enum write_outcome outcome_of(enum sqlstate_class class)
{
    switch (class) {
    case SQLSTATE_REFUSE:
        return WRITE_REFUSED;
    case SQLSTATE_PAUSE:
        return WRITE_PAUSE;
    case SQLSTATE_RETRY:
    case SQLSTATE_RECONNECT:
        break;
    }
    return WRITE_RETRY;
}

/* After a failure the connection is kept only if it took the ROLLBACK. */
static void settle(struct pg_store *store, const struct pg_failure *failure)
{
    if (failure->connection_lost || pg_conn_rollback(store->conn) != 0) {
        pg_conn_close(store->conn);
        store->conn = NULL;
    }
}

enum write_outcome pg_store_write(struct pg_store *store, int64_t epoch,
                                  const struct write_request *request, struct write_report *report)
{
    struct transaction *tx = calloc(1, sizeof(*tx));
    enum write_outcome outcome = WRITE_COMMITTED;
    bool ours = true;

    *report = (struct write_report){ 0 };
    if (tx == NULL) {
        error_no_memory(&report->error);
        return WRITE_RETRY;
    }
    tx->store = store;
    tx->statements = store->target.statements;
    if (store->conn == NULL &&
        pg_conn_open(&store->conn, store->target.settings, &tx->failure) != 0) {
        outcome = outcome_of(tx->failure.class);
    } else if (run(tx, epoch, request, &ours) != 0) {
        outcome = outcome_of(tx->failure.class);
        settle(store, &tx->failure);
    } else if (!ours) {
        outcome = WRITE_LOST_PLACE;
        settle(store, &tx->failure);
    }
    fill_report(report, tx);
    plan_release(&tx->plan);
    free(tx);
    return outcome;
}
