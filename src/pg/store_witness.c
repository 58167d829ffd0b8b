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
 * stands in a message's way stand in the witness's, too. The entity is written as it is, and as a
 * new one under another key, because what the site has put there may meet updates alone, or
 * inserts.
 */

/* What the new key has after the stored one. So it follows that in the order of write sets, and
   where the site's keys are numbers it is one, too. */
static const char NEW_KEY_SUFFIX[] = "000000";

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

/* Adds the removal of the rows where a removal was refused, and only there: foreign keys of the
   site may refer to the rows. */
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

/* Returns a copy of the row whose first column is the key, or NULL when there is no memory. */
static struct value *copy_row(struct arena *arena, const struct value *row, size_t columns,
                              struct slice key)
{
    struct value *copy = arena_alloc_array(arena, columns, sizeof(*copy));

    if (copy == NULL)
        return NULL;
    memcpy(copy, row, columns * sizeof(*copy));
    copy[0] = value_of_text(key);
    return copy;
}

static int copy_rows(struct arena *arena, struct row_set *set, size_t columns, struct slice key)
{
    struct value **rows = arena_alloc_array(arena, set->count, sizeof(*rows));

    if (rows == NULL)
        return -1;
    for (size_t r = 0; r < set->count; r++) {
        rows[r] = copy_row(arena, set->rows[r], columns, key);
        if (rows[r] == NULL)
            return -1;
    }
    set->rows = rows;
    return 0;
}

/* Gives the new entity the rows of the stored one. */
static int copy_state(const struct fold_state *stored, struct slice key, struct arena *arena,
                      struct fold_state *copy)
{
    const struct entity *entity = stored->entity;
    size_t number = 0;

    *copy = *stored;
    copy->root = copy_row(arena, stored->root, entity->root.column_count, key);
    copy->sets = arena_alloc_array(arena, entity->set_count, sizeof(*copy->sets));
    if (copy->root == NULL || copy->sets == NULL)
        return -1;
    memcpy(copy->sets, stored->sets, entity->set_count * sizeof(*copy->sets));
    for (size_t c = 0; c < entity->child_count; c++) {
        for (size_t s = 0; s < entity->children[c].set_count; s++, number++)
            if (copy_rows(arena, &copy->sets[number], entity->children[c].table.column_count,
                          key) != 0)
                return -1;
    }
    return 0;
}

/* Makes the new entity, and the difference to a table that has nothing of it. */
static int make_new(struct store_transaction *tx, const struct write_set_entity *stored,
                    struct write_set_entity *new)
{
    struct arena *arena = &tx->set.arena;

    if (fold_start(&new->before, tx->set.entity, new->id, arena) != 0 ||
        copy_state(&stored->before, new->id, arena, &new->after) != 0 ||
        fold_compare(&new->before, &new->after, arena, &new->difference) != 0)
        return store_no_memory(tx);
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

static int write_both(struct store_transaction *tx, uint64_t statements, uint64_t *passed)
{
    struct write_set_entity *stored = &tx->set.entities[0];
    struct write_set_entity *new = &tx->set.entities[1];
    uint64_t used;

    if (differ_in_all(tx, stored) != 0 || make_new(tx, stored, new) != 0 ||
        remove_rows(tx, statements, &stored->difference) != 0 || store_write_changes(tx) != 0)
        return -1;
    used = pg_blame_used(&tx->set, false);
    stored->difference.delete_count = 0; /* the rows are there again, and are counted */
    if (store_written_verify(tx) != 0)
        return -1;
    *passed |= used;
    return 0;
}

int store_witness_write(struct store_transaction *tx, const struct store_witness *witness,
                        int64_t epoch, uint64_t statements, uint64_t *passed)
{
    char key[sizeof(witness->id) + sizeof(NEW_KEY_SUFFIX)];
    struct change as_it_is = { .id = { witness->id, witness->len } };
    struct change as_new = { .id = { key, witness->len + sizeof(NEW_KEY_SUFFIX) - 1 } };
    struct message first = { .change = &as_it_is };
    struct message second = { .change = &as_new };
    struct message *messages[] = { &first, &second };
    const struct write_request request = { .messages = messages, .count = 2, .probe = true };
    bool lease_held = false;

    memcpy(key, witness->id, witness->len);
    memcpy(key + witness->len, NEW_KEY_SUFFIX, sizeof(NEW_KEY_SUFFIX));
    if (store_init_set(tx, &request) != 0 || speak_of_all(tx, &as_it_is) != 0 ||
        speak_of_all(tx, &as_new) != 0 || store_find(tx, epoch, &lease_held) != 0 || !lease_held ||
        store_load(tx) != 0)
        return -1;
    if (!tx->set.entities[0].loaded || tx->set.entities[1].stored)
        return 0;
    return write_both(tx, statements, passed);
}
