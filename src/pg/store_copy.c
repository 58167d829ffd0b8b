#include "pg/store_copy.h"

#include "pg/copy.h"
#include "pg/copy_in.h"
#include "pg/store_written.h"

#include <string.h>

/* COPY takes two round trips more for each table than an upsert in the pipeline; from here on it is
   well worth them. */
enum { COPY_MIN_ROWS = 200 };

static const char FEATURE_NOT_SUPPORTED[] = "0A000";

static size_t count_rows_of_new_roots(const struct write_set *set)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++)
        count += set->entities[i].before.exists ? 0 : set->entities[i].difference.write_count;
    return count;
}

void store_copy_decide(struct store_transaction *tx, bool probe)
{
    tx->copies = !probe && tx->set.count > 1 && !tx->copy_refused &&
                 count_rows_of_new_roots(&tx->set) >= COPY_MIN_ROWS;
}

bool store_copy_has(const struct store_transaction *tx, const struct write_set_entity *entity)
{
    return tx->copies && !entity->before.exists;
}

/* Collects the rows of one child table. Returns 0, or -1 when there is no memory. Release in both
   cases. */
static int encode_rows(const struct store_transaction *tx, size_t child, struct pg_copy *copy)
{
    const struct table *table = &tx->set.entity->children[child].table;

    pg_copy_init(copy, tx->target->max_batch_bytes);
    for (size_t i = 0; i < tx->set.count; i++) {
        const struct write_set_entity *entity = &tx->set.entities[i];
        size_t count = store_copy_has(tx, entity) ? entity->difference.write_count : 0;

        for (size_t r = 0; r < count; r++) {
            if (entity->difference.writes[r].child == child)
                pg_copy_row(copy, table, entity->difference.writes[r].values);
        }
    }
    return pg_copy_finish(copy);
}

/* An error of this class usually costs the connection; after this one it is in order. */
static void remember_refusal(struct store_transaction *tx)
{
    if (strcmp(tx->failure.sqlstate, FEATURE_NOT_SUPPORTED) != 0)
        return;
    tx->copy_refused = true;
    tx->failure.connection_lost = false;
    error_hint(&tx->failure.error, "COPY is not possible here, as with row-level security: "
                                   "this writer upserts from now on");
}

int store_copy(struct store_transaction *tx)
{
    struct pg_copy copies[ENTITY_MAX_CHILDREN];
    struct pg_copy_in ready[ENTITY_MAX_CHILDREN] = { 0 };
    size_t children = tx->set.entity->child_count;
    size_t count = 0;
    int result = 0;

    for (size_t c = 0; c < children; c++) {
        if (encode_rows(tx, c, &copies[c]) != 0)
            result = store_no_memory(tx);
        if (copies[c].rows > 0)
            ready[count++] =
                (struct pg_copy_in){ .statement = &tx->target->statements->children[c].copy,
                                     .data = buffer_slice(&copies[c].bytes),
                                     .rows = copies[c].rows };
    }
    if (result == 0) {
        result = pg_conn_copy(tx->conn, ready, count, &tx->failure);
        if (result != 0)
            remember_refusal(tx);
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        if (ready[i].written != ready[i].rows)
            result = store_not_written(tx, ready[i].statement->writes, "written", ready[i].rows,
                                       ready[i].written);
    }
    for (size_t c = 0; c < children; c++)
        pg_copy_release(&copies[c]);
    return result;
}
