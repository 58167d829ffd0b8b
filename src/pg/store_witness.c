#include "pg/store_witness.h"

#include "pg/blame.h"
#include "pg/session_settings.h"
#include "pg/store_changes.h"
#include "pg/store_find.h"
#include "pg/store_load.h"
#include "pg/store_written.h"
#include "pg/transaction.h"

#include <string.h>

/*
 * The statements are those of every transaction, and not some of its own: only then does whatever
 * stands in a message's way stand in the witness's, too. INSERT ... ON CONFLICT routes the row to
 * its partition and fires the site's BEFORE INSERT triggers although the row is stored; what it
 * does not fire is an AFTER INSERT trigger.
 */

static int ask_next(struct store_transaction *tx, const struct pg_statement *next, bool first,
                    struct store_witness *witness)
{
    struct pg_arguments *arguments;
    const PGresult *result;
    int found;

    if (first) {
        pg_pipeline_add_ready(&tx->pipeline, &PG_BEGIN, NULL);
        pg_pipeline_add_ready(&tx->pipeline, &PG_SETTINGS, pg_conn_settings(tx->conn));
    }
    arguments = pg_pipeline_add(&tx->pipeline, next, 1);
    if (arguments == NULL)
        return store_no_memory(tx);
    pg_arguments_scalar(arguments, 0, witness->id, witness->len);
    if (store_send(tx) != 0)
        return -1;
    result = tx->pipeline.calls[tx->pipeline.count - 1].result;
    found = PQntuples(result);
    witness->len = found > 0 ? (size_t)PQgetlength(result, 0, 0) : 0;
    if (witness->len > sizeof(witness->id)) {
        witness->len = 0;
        return 0;
    }
    if (found > 0)
        memcpy(witness->id, PQgetvalue(result, 0, 0), witness->len);
    return found;
}

int store_witness_choose(struct store_transaction *tx, size_t table, struct store_witness *witness)
{
    const struct pg_statements *all = tx->target->statements;
    const struct pg_statement *next =
        table < all->entity->child_count ? &all->children[table].next : &all->next;
    bool from_start = witness->len == 0;
    int found = ask_next(tx, next, true, witness);

    pg_pipeline_clear(&tx->pipeline);
    if (found == 0 && !from_start) {
        found = ask_next(tx, next, false, witness);
        pg_pipeline_clear(&tx->pipeline);
    }
    return found;
}

/* Makes the difference that there would be if nothing were stored. */
static int differ_in_all(struct store_transaction *tx, struct write_set_entity *entity)
{
    struct arena *arena = &tx->set.arena;
    struct fold_state nothing;

    entity->after = entity->before;
    if (fold_start(&nothing, tx->set.entity, entity->id, arena) != 0 ||
        fold_compare(&nothing, &entity->before, arena, &entity->difference) != 0)
        return store_no_memory(tx);
    return 0;
}

/* Only where a removal was refused: other keys of the site may refer to the rows. */
static int remove_rows(struct store_transaction *tx, uint64_t statements,
                       struct fold_difference *difference)
{
    size_t count = difference->write_count;

    difference->deletes = arena_alloc_array(&tx->set.arena, count, sizeof(struct child_row));
    if (difference->deletes == NULL && count > 0)
        return store_no_memory(tx);
    for (size_t r = 0; r < count; r++) {
        if (pg_blame_removes(statements, difference->writes[r].child))
            difference->deletes[difference->delete_count++] = difference->writes[r];
    }
    return 0;
}

/* A message that speaks about every set, so that all of them are loaded. */
static int speak_of_all(struct store_transaction *tx, struct change *change)
{
    size_t count = tx->set.entity->set_count;

    change->set_present = arena_alloc_array(&tx->set.arena, count, sizeof(*change->set_present));
    if (change->set_present == NULL)
        return store_no_memory(tx);
    for (size_t i = 0; i < count; i++)
        change->set_present[i] = true;
    return 0;
}

int store_witness_write(struct store_transaction *tx, const struct store_witness *witness,
                        int64_t epoch, uint64_t statements, uint64_t *passed)
{
    struct change change = { .id = { witness->id, witness->len } };
    struct message message = { .change = &change };
    struct message *messages[] = { &message };
    const struct write_request request = { .messages = messages, .count = 1, .probe = true };
    struct write_set_entity *entity;
    bool lease_held = false;

    if (store_init_set(tx, &request) != 0 || speak_of_all(tx, &change) != 0 ||
        store_find(tx, epoch, &lease_held) != 0 || !lease_held || store_load(tx) != 0)
        return -1;
    entity = &tx->set.entities[0];
    if (!entity->loaded)
        return 0;
    if (differ_in_all(tx, entity) != 0 || remove_rows(tx, statements, &entity->difference) != 0 ||
        store_write_changes(tx) != 0)
        return -1;
    *passed |= pg_blame_used(&tx->set, false);
    entity->difference.delete_count = 0; /* they are there again */
    return store_written_verify(tx);
}
