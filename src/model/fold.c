#include "model/fold.h"

#include "model/fold_extra.h"

#include <stdlib.h>

/*
 * Messages are applied here and not in SQL, so that the rules of absence, of late messages and of
 * `extra` exist once, can be tested without a server, and cost one read and one write per entity
 * and batch, however many of its messages are in the batch. Rows are never changed in place: each
 * step makes new arrays and shares the rows that stay. That is why a copy of the struct is enough
 * to keep the state that was read, and why sets with the same pointer need no comparison.
 */

int fold_start(struct fold_state *state, const struct entity *entity, struct slice id,
               struct arena *arena)
{
    *state = (struct fold_state){ .entity = entity };
    state->root = arena_alloc_array(arena, entity->root.column_count, sizeof(*state->root));
    state->sets = arena_alloc_array(arena, entity->set_count, sizeof(*state->sets));
    if (state->root == NULL || state->sets == NULL)
        return -1;
    state->root[0] = value_of_text(id);
    state->root[entity->root.extra] = value_of_text(SLICE_LITERAL("{}"));
    state->extra_read = true;
    return 0;
}

static int apply_root(struct fold_state *state, const struct change *change, struct arena *arena)
{
    const struct table *table = &state->entity->root;
    struct value *root = arena_alloc_array(arena, table->column_count, sizeof(*root));

    if (root == NULL)
        return -1;
    memcpy(root, state->root, table->column_count * sizeof(*root));
    for (size_t i = table->key_count; i < table->extra; i++) {
        if (change->root_set[i])
            root[i] = change->root[i];
    }
    state->root = root;
    return 0;
}

static int apply_sets(struct fold_state *state, const struct change *change, struct arena *arena)
{
    size_t count = state->entity->set_count;
    struct row_set *sets = arena_alloc_array(arena, count, sizeof(*sets));

    if (sets == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        sets[i] = change->set_present[i] ? change->sets[i] : state->sets[i];
    state->sets = sets;
    return 0;
}

enum fold_result fold_apply(struct fold_state *state, const struct change *change,
                            struct arena *arena)
{
    bool newer = change->has_time &&
                 (!state->has_time || change->source_time_pg_us > state->source_time_pg_us);
    enum fold_result result;

    if (change->may_be_late && change->has_time && state->has_time &&
        change->source_time_pg_us < state->source_time_pg_us)
        return FOLD_STALE;
    if (state->has_hash && memcmp(state->hash, change->hash, DIGEST_BYTES) == 0) {
        if (newer) {
            state->has_time = true;
            state->source_time_pg_us = change->source_time_pg_us;
        }
        return FOLD_IDENTICAL;
    }
    result = fold_extra_apply(state, change, arena);
    if (result != FOLD_APPLIED)
        return result;
    if (apply_root(state, change, arena) != 0 || apply_sets(state, change, arena) != 0)
        return FOLD_NO_MEMORY;
    state->exists = true;
    state->has_hash = true;
    memcpy(state->hash, change->hash, DIGEST_BYTES);
    state->has_time = change->has_time;
    state->source_time_pg_us = change->has_time ? change->source_time_pg_us : 0;
    return FOLD_APPLIED;
}

int fold_end(struct fold_state *state, struct arena *arena)
{
    return fold_extra_end(state, arena);
}

/* The key columns that tell the rows of one set apart: all but the root's key and, if the table has
   a column for it, the array's name. */
struct row_key {
    const struct table *table;
    size_t first;
};

/* For qsort_r(). */
static int compare_keys(const void *a, const void *b, void *key_pointer)
{
    const struct row_key *key = key_pointer;
    const struct value *left = *(struct value *const *)a;
    const struct value *right = *(struct value *const *)b;

    for (size_t i = key->first; i < key->table->key_count; i++) {
        int order = value_compare(key->table->columns[i].type, &left[i], &right[i]);

        if (order != 0)
            return order;
    }
    return 0;
}

static bool row_differs(const struct table *table, const struct value *stored,
                        const struct value *row)
{
    for (size_t i = table->key_count; i < table->column_count; i++) {
        if (!value_equal(table->columns[i].type, &stored[i], &row[i]))
            return true;
    }
    return false;
}

/* The rows that come from the database are usually in order already. */
static bool are_sorted(struct value **rows, size_t count, struct row_key *key)
{
    for (size_t i = 1; i < count; i++) {
        if (compare_keys(&rows[i - 1], &rows[i], key) > 0)
            return false;
    }
    return true;
}

static struct value **sorted_rows(struct row_key *key, const struct row_set *set,
                                  struct arena *arena)
{
    struct value **rows;

    if (are_sorted(set->rows, set->count, key))
        return set->rows;
    rows = arena_alloc_array(arena, set->count, sizeof(*rows));
    if (rows == NULL)
        return NULL;
    memcpy(rows, set->rows, set->count * sizeof(*rows));
    qsort_r(rows, set->count, sizeof(*rows), compare_keys, key);
    return rows;
}

/* Merges both sorted sets. The difference's arrays have room for every row. */
static int compare_set(size_t child_number, const struct child *child, const struct row_set *stored,
                       const struct row_set *set, struct arena *arena,
                       struct fold_difference *difference)
{
    struct row_key key = { &child->table, child->has_set_column ? 2 : 1 };
    struct value **before = sorted_rows(&key, stored, arena);
    struct value **after = sorted_rows(&key, set, arena);
    size_t b = 0;
    size_t a = 0;

    if ((before == NULL && stored->count > 0) || (after == NULL && set->count > 0))
        return -1;
    while (b < stored->count || a < set->count) {
        int order = b == stored->count ? 1
                    : a == set->count  ? -1
                                       : compare_keys(&before[b], &after[a], &key);

        if (order < 0) {
            difference->deletes[difference->delete_count++] =
                (struct child_row){ child_number, before[b++] };
            continue;
        }
        if (order > 0 || row_differs(&child->table, before[b], after[a]))
            difference->writes[difference->write_count++] =
                (struct child_row){ child_number, after[a] };
        b += order == 0;
        a++;
    }
    return 0;
}

static bool same_metadata(const struct fold_state *stored, const struct fold_state *state)
{
    return stored->has_hash == state->has_hash &&
           memcmp(stored->hash, state->hash, DIGEST_BYTES) == 0 &&
           stored->has_time == state->has_time &&
           stored->source_time_pg_us == state->source_time_pg_us;
}

int fold_compare(const struct fold_state *stored, const struct fold_state *state,
                 struct arena *arena, struct fold_difference *difference)
{
    const struct entity *entity = state->entity;
    size_t before = 0;
    size_t after = 0;
    size_t number = 0;

    *difference = (struct fold_difference){ 0 };
    for (size_t i = 0; i < entity->set_count; i++) {
        before += stored->sets[i].count;
        after += state->sets[i].count;
    }
    difference->deletes = arena_alloc_array(arena, before, sizeof(*difference->deletes));
    difference->writes = arena_alloc_array(arena, after, sizeof(*difference->writes));
    if (difference->deletes == NULL || difference->writes == NULL)
        return -1;
    for (size_t c = 0; c < entity->child_count; c++) {
        for (size_t s = 0; s < entity->children[c].set_count; s++, number++) {
            if (stored->sets[number].rows == state->sets[number].rows)
                continue;
            if (compare_set(c, &entity->children[c], &stored->sets[number], &state->sets[number],
                            arena, difference) != 0)
                return -1;
        }
    }
    difference->touched = stored->exists != state->exists ||
                          row_differs(&entity->root, stored->root, state->root) ||
                          difference->delete_count > 0 || difference->write_count > 0;
    difference->root = difference->touched || !same_metadata(stored, state);
    return 0;
}
