#include "pg/plan.h"

#include "pg/binary.h"
#include "pg/statements.h"

#include <stdlib.h>

static bool same_entity(const struct message *a, const struct message *b)
{
    return slice_equal(a->change->id, b->change->id);
}

int plan_init(struct plan *plan, const struct entity *entity, const struct write_request *request,
              size_t max_bytes)
{
    *plan = (struct plan){ .entity = entity };
    arena_init(&plan->arena, max_bytes);
    plan->entities = arena_alloc_array(&plan->arena, request->count, sizeof(*plan->entities));
    plan->dead = arena_alloc_array(&plan->arena, request->count, sizeof(struct message *));
    if (plan->entities == NULL || plan->dead == NULL)
        return -1;
    for (size_t i = 0; i < request->count; i++) {
        struct message *message = request->messages[i];
        struct plan_entity *last = plan->count > 0 ? &plan->entities[plan->count - 1] : NULL;

        if (message->refused) {
            plan->dead[plan->dead_count++] = message;
        } else if (last != NULL && same_entity(last->messages[last->count - 1], message)) {
            last->count++;
        } else {
            last = &plan->entities[plan->count++];
            *last = (struct plan_entity){ .messages = &request->messages[i],
                                          .count = 1,
                                          .id = message->change->id };
        }
    }
    return 0;
}

void plan_release(struct plan *plan)
{
    arena_release(&plan->arena);
}

const uint8_t *plan_entity_hash(const struct plan_entity *entity)
{
    const uint8_t *hash = entity->messages[0]->change->hash;

    for (size_t i = 1; i < entity->count; i++) {
        if (memcmp(entity->messages[i]->change->hash, hash, DIGEST_BYTES) != 0)
            return NULL;
    }
    return hash;
}

bool plan_entity_time(const struct plan_entity *entity, int64_t *source_time_pg_us)
{
    bool found = false;

    for (size_t i = 0; i < entity->count; i++) {
        const struct change *change = entity->messages[i]->change;

        if (change->has_time && (!found || change->source_time_pg_us > *source_time_pg_us)) {
            *source_time_pg_us = change->source_time_pg_us;
            found = true;
        }
    }
    return found;
}

static struct slice cell(const PGresult *result, int row, int column)
{
    return (struct slice){ PQgetvalue(result, row, column),
                           (size_t)PQgetlength(result, row, column) };
}

int plan_take_found(struct plan *plan, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        uint32_t ordinal = pg_read_u32(PQgetvalue(result, row, 0));
        struct plan_entity *entity = &plan->entities[ordinal - 1];

        entity->stored = true;
        entity->identical = PQgetvalue(result, row, 1)[0] != 0;
    }
    return 0;
}

/* A binary cell as a value whose text lives in the arena. */
static int read_value(const PGresult *result, int row, int column, enum value_type type,
                      struct arena *arena, struct value *value)
{
    const char *bytes = PQgetvalue(result, row, column);

    *value = (struct value){ .present = PQgetisnull(result, row, column) == 0 };
    if (!value->present)
        return 0;
    switch (type) {
    case VALUE_TEXT:
    case VALUE_NUMERIC:
    case VALUE_JSONB:
        *value = value_of_text(arena_copy_slice(arena, cell(result, row, column)));
        return value->data != NULL ? 0 : -1;
    case VALUE_DATE:
    case VALUE_INTEGER:
        value->number = (int32_t)pg_read_u32(bytes);
        return 0;
    case VALUE_TIMESTAMPTZ:
        value->number = pg_read_i64(bytes);
        return 0;
    case VALUE_BOOLEAN:
        value->number = bytes[0] != 0;
        return 0;
    }
    return -1;
}

static int read_row(const PGresult *result, int row, const struct table *table, struct arena *arena,
                    struct value *values)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (read_value(result, row, (int)i, table->columns[i].type, arena, &values[i]) != 0)
            return -1;
    }
    return 0;
}

/* The batch is sorted by id. Rows of one entity mostly come together: *guess is tried first, and
   set. */
static struct plan_entity *find_entity(const struct plan *plan, struct slice id, size_t *guess)
{
    size_t low = 0;
    size_t high = plan->count;

    if (*guess < high && slice_equal(id, plan->entities[*guess].id))
        return &plan->entities[*guess];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(id, plan->entities[middle].id);

        if (order == 0) {
            *guess = middle;
            return &plan->entities[middle];
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void take_metadata(struct plan_entity *entity, const PGresult *result, int row, int first)
{
    struct fold_state *before = &entity->before;

    before->exists = true;
    if (PQgetlength(result, row, first + ROOT_LOAD_HASH) == DIGEST_BYTES) {
        before->has_hash = true;
        memcpy(before->hash, PQgetvalue(result, row, first + ROOT_LOAD_HASH), DIGEST_BYTES);
    }
    if (!PQgetisnull(result, row, first + ROOT_LOAD_SOURCE_TIME)) {
        before->has_time = true;
        before->source_time_pg_us =
            pg_read_i64(PQgetvalue(result, row, first + ROOT_LOAD_SOURCE_TIME));
    }
    entity->has_updated_at = true;
    entity->updated_at_pg_us = pg_read_i64(PQgetvalue(result, row, first + ROOT_LOAD_UPDATED_AT));
}

int plan_take_roots(struct plan *plan, const PGresult *result)
{
    const struct table *table = &plan->entity->root;
    size_t guess = 0;

    for (int row = 0; row < PQntuples(result); row++) {
        struct plan_entity *entity = find_entity(plan, cell(result, row, 0), &guess);

        if (entity == NULL)
            continue;
        if (fold_start(&entity->before, plan->entity, entity->id, &plan->arena) != 0 ||
            read_row(result, row, table, &plan->arena, entity->before.root) != 0)
            return -1;
        entity->before.extra_read = slice_is(value_text(&entity->before.root[table->extra]), "{}");
        take_metadata(entity, result, row, (int)table->column_count);
        entity->loaded = true;
    }
    return 0;
}

/* The set of the child that a row belongs to; an array that no mapping names any more has none. */
static struct row_set *set_of_row(const struct plan *plan, struct plan_entity *entity,
                                  size_t child_number, const struct value *row)
{
    const struct child *child = &plan->entity->children[child_number];
    struct row_set *first = &entity->before.sets[entity_first_set(plan->entity, child_number)];

    if (!child->has_set_column)
        return first;
    for (size_t i = 0; i < child->set_count; i++) {
        if (slice_is(value_text(&row[1]), child->sets[i].array))
            return first + i;
    }
    return NULL;
}

/* Rows come in no order: each set's array grows by doubling in the arena. */
static int append_row(struct row_set *set, struct value *row, struct arena *arena)
{
    if ((set->count & (set->count - 1)) == 0) {
        size_t capacity = set->count == 0 ? 1 : set->count * 2;
        struct value **rows = arena_alloc_array(arena, capacity, sizeof(*rows));

        if (rows == NULL)
            return -1;
        if (set->count > 0)
            memcpy(rows, set->rows, set->count * sizeof(*rows));
        set->rows = rows;
    }
    set->rows[set->count++] = row;
    return 0;
}

int plan_take_children(struct plan *plan, size_t child, const PGresult *result)
{
    const struct table *table = &plan->entity->children[child].table;
    size_t guess = 0;

    for (int row = 0; row < PQntuples(result); row++) {
        struct plan_entity *entity = find_entity(plan, cell(result, row, 0), &guess);
        struct value *values =
            arena_alloc_array(&plan->arena, table->column_count, sizeof(*values));
        struct row_set *set;

        if (values == NULL || read_row(result, row, table, &plan->arena, values) != 0)
            return -1;
        set = entity != NULL && entity->loaded ? set_of_row(plan, entity, child, values) : NULL;
        if (set != NULL && append_row(set, values, &plan->arena) != 0)
            return -1;
    }
    return 0;
}

static int fold_entity(struct plan *plan, struct plan_entity *entity)
{
    if (!entity->loaded && fold_start(&entity->before, plan->entity, entity->id, &plan->arena) != 0)
        return -1;
    entity->after = entity->before;
    for (size_t i = 0; i < entity->count; i++) {
        enum fold_result result =
            fold_apply(&entity->after, entity->messages[i]->change, &plan->arena);

        if (result == FOLD_UNREADABLE)
            plan->unreadable = entity;
        if (result == FOLD_UNREADABLE || result == FOLD_NO_MEMORY)
            return -1;
        plan->stale += result == FOLD_STALE;
    }
    return fold_compare(&entity->before, &entity->after, &plan->arena, &entity->difference);
}

int plan_fold(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (!plan->entities[i].identical && fold_entity(plan, &plan->entities[i]) != 0)
            return -1;
    }
    return 0;
}
