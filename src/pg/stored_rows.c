#include "pg/stored_rows.h"

#include "pg/binary.h"
#include "pg/statements.h"

#include <string.h>

/*
 * Rows come in no useful order: those of a child table in whatever order the server's index scan
 * gives them. Sorting them there would cost the server more than the search costs here, and the
 * search is mostly a single comparison, because rows of one entity tend to come together.
 *
 * All that is read lives in the arena of the write set, which frees it in one call after the
 * commit; nothing here is freed on its own.
 */

static struct slice cell(const PGresult *result, int row, int column)
{
    return (struct slice){ PQgetvalue(result, row, column),
                           (size_t)PQgetlength(result, row, column) };
}

void stored_rows_mark_found(struct write_set *set, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        uint32_t ordinal = pg_read_u32(PQgetvalue(result, row, 0));
        struct write_set_entity *entity = &set->entities[ordinal - 1];

        entity->stored = true;
        entity->identical = PQgetvalue(result, row, 1)[0] != 0;
    }
}

/* Reads a binary cell as a value whose text lives in the arena. */
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

bool stored_rows_have_key(const PGresult *result, int row, const struct table *table,
                          const struct value *values)
{
    for (size_t i = 0; i < table->key_count; i++) {
        enum value_type type = table->columns[i].type;
        struct value value = value_of_text(cell(result, row, (int)i));

        if ((!value_is_text(type) && read_value(result, row, (int)i, type, NULL, &value) != 0) ||
            !value_equal(type, &value, &values[i]))
            return false;
    }
    return true;
}

/* The root's key, which is the first column, is the entity's own: many rows share it. */
static int read_row(const PGresult *result, int row, const struct table *table, struct slice id,
                    struct arena *arena, struct value *values)
{
    values[0] = value_of_text(id);
    for (size_t i = 1; i < table->column_count; i++) {
        if (read_value(result, row, (int)i, table->columns[i].type, arena, &values[i]) != 0)
            return -1;
    }
    return 0;
}

/* Finds the entity of an id in the batch, which is sorted by id. *guess is tried first, and set,
   because rows of one entity mostly come together. */
static struct write_set_entity *find_entity(const struct write_set *set, struct slice id,
                                            size_t *guess)
{
    size_t low = 0;
    size_t high = set->count;

    if (*guess < high && slice_equal(id, set->entities[*guess].id))
        return &set->entities[*guess];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(id, set->entities[middle].id);

        if (order == 0) {
            *guess = middle;
            return &set->entities[middle];
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void read_metadata(struct write_set_entity *entity, const PGresult *result, int row,
                          int first)
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

int stored_rows_read_roots(struct write_set *set, const PGresult *result)
{
    const struct table *table = &set->entity->root;
    size_t guess = 0;

    for (int row = 0; row < PQntuples(result); row++) {
        struct write_set_entity *entity = find_entity(set, cell(result, row, 0), &guess);

        if (entity == NULL)
            continue;
        if (fold_start(&entity->before, set->entity, entity->id, &set->arena) != 0 ||
            read_row(result, row, table, entity->id, &set->arena, entity->before.root) != 0)
            return -1;
        entity->before.extra_read = slice_is(value_text(&entity->before.root[table->extra]), "{}");
        read_metadata(entity, result, row, (int)table->column_count);
        entity->loaded = true;
    }
    return 0;
}

/* Finds the set of the child that a row belongs to. A row of an array that no mapping names any
   more has none. */
static struct row_set *rows_of_set(const struct write_set *set, struct write_set_entity *entity,
                                   size_t child_number, const struct value *row)
{
    const struct child *child = &set->entity->children[child_number];
    struct row_set *first = &entity->before.sets[entity_first_set(set->entity, child_number)];

    if (!child->has_set_column)
        return first;
    for (size_t i = 0; i < child->set_count; i++) {
        if (slice_is(value_text(&row[1]), child->sets[i].array))
            return first + i;
    }
    return NULL;
}

/* Each set's array grows by doubling in the arena. */
static int append_row(struct row_set *rows, struct value *row, struct arena *arena)
{
    if ((rows->count & (rows->count - 1)) == 0) {
        size_t capacity = rows->count == 0 ? 1 : rows->count * 2;
        struct value **grown = arena_alloc_array(arena, capacity, sizeof(*grown));

        if (grown == NULL)
            return -1;
        if (rows->count > 0)
            memcpy(grown, rows->rows, rows->count * sizeof(*grown));
        rows->rows = grown;
    }
    rows->rows[rows->count++] = row;
    return 0;
}

int stored_rows_read_children(struct write_set *set, size_t child, const PGresult *result)
{
    const struct table *table = &set->entity->children[child].table;
    size_t guess = 0;

    for (int row = 0; row < PQntuples(result); row++) {
        struct write_set_entity *entity = find_entity(set, cell(result, row, 0), &guess);
        struct value *values;
        struct row_set *rows;

        if (entity == NULL || !entity->loaded)
            continue;
        values = arena_alloc_array(&set->arena, table->column_count, sizeof(*values));
        if (values == NULL || read_row(result, row, table, entity->id, &set->arena, values) != 0)
            return -1;
        rows = rows_of_set(set, entity, child, values);
        if (rows != NULL && append_row(rows, values, &set->arena) != 0)
            return -1;
    }
    return 0;
}
