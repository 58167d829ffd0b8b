#include "pg/store_find.h"

#include "pg/binary.h"
#include "pg/session_settings.h"
#include "pg/stored_rows.h"
#include "pg/transaction.h"

#include <string.h>

const struct pg_statement PG_CHECK_EPOCH = {
    .name = "kopru_check_epoch",
    .sql = "SELECT 1 FROM kopru.queues WHERE queue = $1 AND epoch = $2 FOR KEY SHARE",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, INT8_OID },
};

static int add_epoch_check(struct store_transaction *tx, int64_t epoch)
{
    const char *queue = tx->target->queue;
    struct pg_arguments *arguments = pg_pipeline_add(&tx->pipeline, &PG_CHECK_EPOCH, 2);

    if (arguments == NULL)
        return store_no_memory(tx);
    tx->epoch_wire = pg_wire_i64(epoch);
    pg_arguments_scalar(arguments, 0, queue, strlen(queue));
    pg_arguments_scalar(arguments, 1, &tx->epoch_wire, sizeof(tx->epoch_wire));
    return 0;
}

static void put_entity(struct pg_array *arrays, const struct write_set_entity *entity)
{
    const uint8_t *hash = write_set_entity_hash(entity);
    int64_t source_time_pg_us;

    pg_array_bytes(&arrays[0], entity->id);
    if (hash != NULL)
        pg_array_bytes(&arrays[1], (struct slice){ (const char *)hash, DIGEST_BYTES });
    else
        pg_array_null(&arrays[1]);
    if (write_set_entity_time(entity, &source_time_pg_us))
        pg_array_integer(&arrays[2], source_time_pg_us);
    else
        pg_array_null(&arrays[2]);
}

/* A batch of dead letters alone has no entities to ask for. */
static int add_find(struct store_transaction *tx)
{
    struct pg_arguments *arguments;

    if (tx->set.count == 0)
        return 0;
    arguments = pg_pipeline_add(&tx->pipeline, &tx->target->statements->find, 0);
    if (arguments == NULL)
        return store_no_memory(tx);
    for (size_t i = 0; i < tx->set.count; i++)
        put_entity(arguments->arrays, &tx->set.entities[i]);
    return 0;
}

int store_find(struct store_transaction *tx, int64_t epoch, bool *lease_held)
{
    enum { BEGIN, SETTINGS, EPOCH, FIND };
    const struct pg_call *calls = tx->pipeline.calls;
    int result = -1;

    pg_pipeline_add_ready(&tx->pipeline, &PG_BEGIN, NULL);
    pg_pipeline_add_ready(&tx->pipeline, &PG_SETTINGS, pg_conn_settings(tx->conn));
    if (add_epoch_check(tx, epoch) == 0 && add_find(tx) == 0) {
        tx->pipeline.calls[EPOCH].flush = tx->conn_lost;
        result = store_send(tx);
    }
    if (result == 0) {
        *lease_held = PQntuples(calls[EPOCH].result) == 1;
        if (tx->set.count > 0)
            stored_rows_mark_found(&tx->set, calls[FIND].result);
    }
    pg_pipeline_clear(&tx->pipeline);
    return result;
}
