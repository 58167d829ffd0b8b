#include "pg/store_changes.h"

#include "pg/dead_letters.h"
#include "pg/store_copy.h"
#include "pg/store_written.h"

/*
 * There is one statement for each table and kind of change, whatever the number of rows, since a
 * statement costs the server more than a row does; new roots have one of their own. All of them go
 * in one round trip. Roots come before children, as the foreign keys demand, and removals before
 * writes, because a unique constraint of the site may allow a new row only after an old one has
 * gone.
 *
 * A statement without rows is not sent, so a call is only added with its first row.
 */

const struct pg_statement PG_CHECK_CONSTRAINTS = {
    .name = "kopru_check_constraints",
    .sql = "SET CONSTRAINTS ALL IMMEDIATE",
};

/* A statement that may get rows. */
struct row_call {
    const struct pg_statement *statement;
    struct pg_arguments *arguments; /* NULL until the first row adds the call */
};

/* Returns the arrays that take the next row, or NULL when there is no memory; tx->failure is filled
   then. */
static struct pg_array *next_row(struct store_transaction *tx, struct row_call *call)
{
    if (call->arguments == NULL)
        call->arguments = pg_pipeline_add(&tx->pipeline, call->statement, 0);
    if (call->arguments != NULL)
        return call->arguments->arrays;
    store_no_memory(tx);
    return NULL;
}

static void put_row(struct pg_array *arrays, size_t columns, const struct value *values)
{
    for (size_t i = 0; i < columns; i++)
        pg_array_value(&arrays[i], &values[i]);
}

static void put_time(struct pg_array *array, bool is_there, int64_t time)
{
    if (is_there)
        pg_array_integer(array, time);
    else
        pg_array_null(array);
}

static void put_root(struct pg_array *arrays, const struct table *table,
                     const struct write_set_entity *entity, bool stored)
{
    const struct fold_state *state = &entity->after;
    struct pg_array *more = &arrays[table->column_count];

    put_row(arrays, table->column_count, state->root);
    pg_array_bytes(&more[ROOT_WRITE_HASH],
                   (struct slice){ (const char *)state->hash, DIGEST_BYTES });
    put_time(&more[ROOT_WRITE_SOURCE_TIME], state->has_time, state->source_time_pg_us);
    if (!stored)
        return;
    put_time(&more[ROOT_WRITE_UPDATED_AT], entity->has_updated_at, entity->updated_at_pg_us);
    pg_array_integer(&more[ROOT_WRITE_TOUCHED], entity->difference.touched);
}

/* The roots that are stored, or those that are not. */
static int add_roots(struct store_transaction *tx, bool stored)
{
    const struct write_set *set = &tx->set;
    const struct pg_statements *statements = tx->target->statements;
    struct row_call call = { .statement = stored ? &statements->write : &statements->insert };

    for (size_t i = 0; i < set->count; i++) {
        const struct write_set_entity *entity = &set->entities[i];
        struct pg_array *arrays;

        if (!entity->difference.root || entity->before.exists != stored)
            continue;
        arrays = next_row(tx, &call);
        if (arrays == NULL)
            return -1;
        put_root(arrays, &set->entity->root, entity, stored);
    }
    return 0;
}

static int add_removals(struct store_transaction *tx, size_t child)
{
    const struct table *table = &tx->set.entity->children[child].table;
    struct row_call call = { .statement = &tx->target->statements->children[child].remove };

    for (size_t i = 0; i < tx->set.count; i++) {
        const struct fold_difference *difference = &tx->set.entities[i].difference;

        for (size_t r = 0; r < difference->delete_count; r++) {
            struct pg_array *arrays;

            if (difference->deletes[r].child != child)
                continue;
            arrays = next_row(tx, &call);
            if (arrays == NULL)
                return -1;
            put_row(arrays, table->key_count, difference->deletes[r].values);
        }
    }
    return 0;
}

static int add_writes(struct store_transaction *tx, size_t child)
{
    const struct table *table = &tx->set.entity->children[child].table;
    struct row_call call = { .statement = &tx->target->statements->children[child].write };

    for (size_t i = 0; i < tx->set.count; i++) {
        const struct write_set_entity *entity = &tx->set.entities[i];
        size_t count = store_copy_has(tx, entity) ? 0 : entity->difference.write_count;

        for (size_t r = 0; r < count; r++) {
            const struct child_row *row = &entity->difference.writes[r];
            struct pg_array *arrays;

            if (row->child != child)
                continue;
            arrays = next_row(tx, &call);
            if (arrays == NULL)
                return -1;
            put_row(arrays, table->column_count, row->values);
        }
    }
    return 0;
}

static int add_dead_letters(struct store_transaction *tx)
{
    struct pg_arguments *arguments;

    if (tx->set.dead_letter_count == 0)
        return 0;
    arguments = pg_pipeline_add(&tx->pipeline, &PG_WRITE_DEAD_LETTERS, PG_DEAD_LETTER_SCALARS);
    if (arguments == NULL ||
        pg_dead_letters_fill(arguments, tx->target->queue, tx->set.entity->name,
                             tx->set.dead_letters, tx->set.dead_letter_count) != 0)
        return store_no_memory(tx);
    return 0;
}

static int add_changes(struct store_transaction *tx)
{
    size_t children = tx->set.entity->child_count;
    int result = add_roots(tx, false) == 0 ? add_roots(tx, true) : -1;

    for (size_t c = 0; result == 0 && c < children; c++)
        result = add_removals(tx, c);
    for (size_t c = 0; result == 0 && c < children; c++)
        result = add_writes(tx, c);
    return result;
}

/* What ends the changes: is there anything of the site's on the tables; deferred constraints speak
   now, so that COMMIT fails for no row; and then come the dead letters, so that those are not taken
   for rows that the message brought. */
static int add_end(struct store_transaction *tx)
{
    if (tx->pipeline.count > 0 || tx->copies)
        store_written_ask(tx);
    if (tx->pipeline.count > 0 || tx->set.dead_letter_count > 0)
        pg_pipeline_add_ready(&tx->pipeline, &PG_CHECK_CONSTRAINTS, NULL);
    return add_dead_letters(tx);
}

/* A row that is missing explains a failure that only follows from it. */
static int send_and_count(struct store_transaction *tx)
{
    int result = store_send(tx);

    if (result == 0 || !tx->failure.connection_lost)
        result = store_written_count(tx) != 0 ? -1 : result;
    if (result != 0 && !tx->failure.not_written)
        store_written_merged(tx);
    return result;
}

int store_write_changes(struct store_transaction *tx)
{
    int result = add_changes(tx);

    if (result == 0 && !tx->copies)
        result = add_end(tx);
    if (result == 0 && tx->pipeline.count > 0)
        result = send_and_count(tx);
    pg_pipeline_clear(&tx->pipeline);
    return result;
}

int store_write_end(struct store_transaction *tx)
{
    int result = add_end(tx);

    if (result == 0)
        result = send_and_count(tx);
    pg_pipeline_clear(&tx->pipeline);
    return result;
}
