#include "pg/store_transaction.h"

#include "pg/round_trip.h"

int store_send(struct store_transaction *tx)
{
    if (pg_pipeline_finish(&tx->pipeline) != 0)
        return store_no_memory(tx);
    return pg_conn_round_trip(tx->conn, tx->pipeline.calls, tx->pipeline.count, &tx->failure);
}

int store_no_memory(struct store_transaction *tx)
{
    tx->failure.class = SQLSTATE_RETRY;
    tx->out_of_memory = true;
    return error_no_memory(&tx->failure.error);
}
