#include "pg/store_transaction.h"

#include "pg/round_trip.h"

int store_send(struct store_transaction *tx)
{
    if (pg_pipeline_finish(&tx->pipeline) != 0)
        return store_no_memory(tx);
    return pg_conn_round_trip(tx->conn, tx->pipeline.calls, tx->pipeline.count, &tx->failure);
}

/* The most that rows may take as values while they are changed, if they are of several entities. A
   batch that needs more is divided. */
enum { CHANGED_MAX_BYTES = 16 << 20 };

int store_init_set(struct store_transaction *tx, const struct write_request *request)
{
    const struct pg_store_target *target = tx->target;
    size_t of_one = PG_STORE_CHANGED_PER_MESSAGE_BYTE * target->max_message_bytes;
    size_t max_bytes;

    if (write_set_init(&tx->set, target->statements->entity, request, target->max_batch_bytes) != 0)
        return store_no_memory(tx);
    max_bytes = CHANGED_MAX_BYTES + (tx->set.count > 1 ? 0 : of_one);
    if (tx->set.arena.max_bytes > max_bytes)
        tx->set.arena.max_bytes = max_bytes;
    tx->set.max_extra_bytes = PG_STORE_EXTRA_PER_MESSAGE_BYTE * target->max_message_bytes;
    return 0;
}

static int say_too_much(struct store_transaction *tx, const char *how, size_t max_bytes)
{
    const struct write_set *set = &tx->set;
    const struct table *table = &set->entity->root;
    struct error *err = &tx->failure.error;

    if (set->count > 1) {
        error_set(err, ERROR_PROBLEMS, "gave up a batch", table->name,
                  "the rows of its %zu entities take more than %zu bytes %s", set->count, max_bytes,
                  how);
        return error_hint(err, "nothing has to be done: the batch is halved");
    }
    error_set(err, ERROR_PROBLEMS, "gave up an entity", table->name,
              "the rows of %s %.*s take more than %zu bytes %s", table->columns[0].name,
              SLICE_ARG(set->entities[0].id), max_bytes, how);
    return error_hint(err, "delete those of its rows that nobody needs, or raise "
                           "limits.max_message_bytes, from which this limit follows");
}

int store_no_memory(struct store_transaction *tx)
{
    tx->gave_up = true;
    tx->failure.class = SQLSTATE_RETRY;
    if (tx->set.arena.full && tx->set.count > 0)
        return say_too_much(tx, "in memory", tx->set.arena.max_bytes);
    return error_no_memory(&tx->failure.error);
}

int store_too_many_rows(struct store_transaction *tx, size_t max_bytes)
{
    tx->gave_up = true;
    return say_too_much(tx, "as they arrive", max_bytes);
}
