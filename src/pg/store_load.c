#include "pg/store_load.h"

#include "pg/stored_rows.h"

/* The most that rows may take as they arrive. */
enum { LOADED_MAX_BYTES = 4 << 20 };

static size_t max_loaded_bytes(const struct store_transaction *tx)
{
    size_t of_one = PG_STORE_LOADED_PER_MESSAGE_BYTE * tx->target->max_message_bytes;

    return LOADED_MAX_BYTES + (tx->set.count > 1 ? 0 : of_one);
}

static bool must_load(const struct write_set_entity *entity)
{
    return entity->stored && !entity->identical;
}

static bool must_load_any(const struct write_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (must_load(&set->entities[i]))
            return true;
    }
    return false;
}

/* Whether a message of the entity replaces a set of that child. */
static bool touches_child(const struct write_set *set, const struct write_set_entity *entity,
                          size_t child)
{
    size_t first = entity_first_set(set->entity, child);

    for (size_t i = 0; i < entity->count; i++) {
        for (size_t s = 0; s < set->entity->children[child].set_count; s++) {
            if (entity->messages[i]->change->set_present[first + s])
                return true;
        }
    }
    return false;
}

/* Adds the keys of the roots to be read: all for the root table, and for a child table those of
   which a message replaces rows. */
static int add_load(struct store_transaction *tx, const struct pg_statement *statement,
                    const size_t *child)
{
    const struct write_set *set = &tx->set;
    struct pg_arguments *arguments = pg_pipeline_add(&tx->pipeline, statement, 0);

    if (arguments == NULL)
        return store_no_memory(tx);
    for (size_t i = 0; i < set->count; i++) {
        const struct write_set_entity *entity = &set->entities[i];

        if (must_load(entity) && (child == NULL || touches_child(set, entity, *child)))
            pg_array_bytes(&arguments->arrays[0], entity->id);
    }
    return 0;
}

/* The roots come first: they are locked before their children are read. */
static int add_loads(struct store_transaction *tx)
{
    const struct pg_statements *statements = tx->target->statements;
    int result =
        add_load(tx, tx->partitioned ? &statements->load_partitioned : &statements->load, NULL);

    for (size_t c = 0; result == 0 && c < tx->set.entity->child_count; c++) {
        const struct pg_child_statements *child = &statements->children[c];

        result = add_load(tx, tx->partitioned ? &child->load_partitioned : &child->load, &c);
    }
    return result;
}

static int send_within_limit(struct store_transaction *tx)
{
    size_t max_bytes = max_loaded_bytes(tx);
    int result;

    pg_conn_limit_input(tx->conn, max_bytes);
    result = store_send(tx);
    pg_conn_limit_input(tx->conn, 0);
    return result != 0 && tx->failure.over_limit ? store_too_many_rows(tx, max_bytes) : result;
}

static int read_rows(struct store_transaction *tx)
{
    const struct pg_call *calls = tx->pipeline.calls;

    if (stored_rows_read_roots(&tx->set, calls[0].result) != 0)
        return store_no_memory(tx);
    for (size_t c = 0; c < tx->set.entity->child_count; c++) {
        if (stored_rows_read_children(&tx->set, c, calls[1 + c].result) != 0)
            return store_no_memory(tx);
    }
    return 0;
}

int store_load(struct store_transaction *tx)
{
    int result;

    if (!must_load_any(&tx->set))
        return 0;
    result = add_loads(tx);
    if (result == 0)
        result = send_within_limit(tx);
    if (result == 0)
        result = read_rows(tx);
    pg_pipeline_clear(&tx->pipeline);
    return result;
}
