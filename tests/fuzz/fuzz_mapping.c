#include "fuzz_mapping.h"

#include "base/civil_time.h"
#include "base/json_read.h"
#include "base/numeric.h"

#include <stdio.h>
#include <stdlib.h>

static const char ZONE[] = "Europe/Istanbul";

enum { KEY_MAX_BYTES = 255 };

void fuzz_mapping_load(struct fuzz_mapping *mapping, const char *path)
{
    const struct mapping_rules rules = { ZONE, FUZZ_MAX_MESSAGE_BYTES, FUZZ_MAX_DEPTH };
    struct error_list problems;
    struct error err;

    REQUIRE(civil_zone_set(ZONE, &err) == 0);
    error_list_init(&problems);
    if (mapping_load(&mapping->mapping, path, &rules, &problems) != 0) {
        for (size_t i = 0; i < problems.count; i++)
            fprintf(stderr, "%s: %s\n", problems.items[i].subject, problems.items[i].why);
        fprintf(stderr, "cannot load %s; targets run in the root of the source tree\n", path);
        exit(66);
    }
    error_list_release(&problems);
    mapping->mapper = mapper_new(mapping->mapping);
    REQUIRE(mapping->mapper != NULL);
}

void fuzz_map(const struct fuzz_mapping *mapping, const void *body, size_t size,
              struct fuzz_mapped *mapped)
{
    *mapped = (struct fuzz_mapped){ .body = fuzz_copy(body, size), .size = size };
    arena_init(&mapped->arena, mapper_arena_limit(mapping->mapping));
    mapped->outcome = mapper_map(mapping->mapper, (struct slice){ mapped->body, size },
                                 &mapped->arena, &mapped->change, &mapped->refusal);
    REQUIRE(mapped->outcome != MAP_NO_MEMORY);
}

void fuzz_mapped_release(struct fuzz_mapped *mapped)
{
    arena_release(&mapped->arena);
    free(mapped->body);
}

static void require_key(struct slice key)
{
    require_text(key);
    REQUIRE(key.len > 0 && key.len <= KEY_MAX_BYTES);
}

/* As numeric prints it: no exponent, and writing it again changes nothing. */
static void require_numeric(struct slice text)
{
    struct numeric number;
    struct buffer again;

    require_text(text);
    REQUIRE(numeric_parse(text, &number));
    REQUIRE(!number.has_exponent);
    buffer_init(&again, text.len);
    numeric_write(&number, &again);
    REQUIRE(!buffer_failed(&again) && slice_equal(buffer_slice(&again), text));
    buffer_release(&again);
}

static void require_value(enum value_type type, const struct value *value)
{
    if (!value->present)
        return;
    switch (type) {
    case VALUE_TEXT:
        require_text(value_text(value));
        break;
    case VALUE_NUMERIC:
        require_numeric(value_text(value));
        break;
    case VALUE_JSONB:
        require_canonical(value_text(value));
        break;
    case VALUE_DATE: /* 0001-01-01 to 9999-12-31 */
        REQUIRE(value->number >= -730119 && value->number <= 2921939);
        break;
    case VALUE_TIMESTAMPTZ:
        REQUIRE(value->number >= -730119 * INT64_C(86400000000) &&
                value->number < 2921940 * INT64_C(86400000000));
        break;
    case VALUE_BOOLEAN:
        REQUIRE(value->number == 0 || value->number == 1);
        break;
    case VALUE_INTEGER: /* an ordinal */
        REQUIRE(value->number >= 1 && value->number <= INT32_MAX);
        break;
    }
}

static int compare_keys(const void *a, const void *b, void *argument)
{
    const struct value *left = *(struct value *const *)a;
    const struct value *right = *(struct value *const *)b;
    const struct table *table = argument;
    int order = 0;

    for (size_t i = 0; order == 0 && i < table->key_count; i++)
        order = value_compare(table->columns[i].type, &left[i], &right[i]);
    return order;
}

static void require_row(const struct table *table, const struct value *row, struct slice root_id)
{
    for (size_t i = 0; i < table->column_count; i++)
        require_value(table->columns[i].type, &row[i]);
    for (size_t i = 0; i < table->key_count; i++) {
        REQUIRE(row[i].present);
        if (table->columns[i].type == VALUE_TEXT)
            require_key(value_text(&row[i]));
    }
    REQUIRE(slice_equal(value_text(&row[0]), root_id));
    REQUIRE(row[table->extra].present);
    REQUIRE(row[table->extra].data[0] == '{');
}

/* The rows of all sets of one child table. */
static void require_child(const struct entity *entity, size_t number, const struct change *change)
{
    const struct child *child = &entity->children[number];
    const struct row_set *sets = &change->sets[entity_first_set(entity, number)];
    struct value **rows;
    size_t count = 0;
    size_t filled = 0;

    for (size_t s = 0; s < child->set_count; s++)
        count += sets[s].count;
    rows = calloc(count + 1, sizeof(*rows));
    REQUIRE(rows != NULL);
    for (size_t s = 0; s < child->set_count; s++) {
        for (size_t i = 0; i < sets[s].count; i++) {
            rows[filled++] = sets[s].rows[i];
            require_row(&child->table, sets[s].rows[i], change->id);
            if (child->has_set_column)
                REQUIRE(slice_is(value_text(&sets[s].rows[i][1]), child->sets[s].array));
        }
    }
    qsort_r(rows, count, sizeof(*rows), compare_keys, (void *)(uintptr_t)&child->table);
    for (size_t i = 1; i < count; i++)
        REQUIRE(compare_keys(&rows[i - 1], &rows[i], (void *)(uintptr_t)&child->table) < 0);
    free(rows);
}

void require_change(const struct entity *entity, const struct change *change)
{
    const struct table *root = &entity->root;

    require_key(change->id);
    for (size_t i = 1; i < change->name_count; i++)
        REQUIRE(slice_compare(change->names[i - 1], change->names[i]) < 0);
    for (size_t i = 0; i < change->name_count; i++)
        require_text(change->names[i]);
    REQUIRE(change->root[0].present && slice_equal(value_text(&change->root[0]), change->id));
    for (size_t i = 0; i < root->column_count; i++) {
        require_value(root->columns[i].type, &change->root[i]);
        REQUIRE(i == 0 || !change->root[i].present || change->root_set[i]);
    }
    REQUIRE(!change->root_set[0] && !change->root_set[root->extra]);
    for (size_t i = 0; i < change->leftover_count; i++) {
        const struct json_pair *pair = &change->leftovers[i];

        REQUIRE(i == 0 || json_name_compare(pair[-1].name, pair->name) < 0);
        REQUIRE(change_names(change, pair->name));
        require_canonical(pair->text);
    }
    for (size_t i = 0; i < entity->set_count; i++)
        REQUIRE(change->set_present[i] || change->sets[i].count == 0);
    for (size_t i = 0; i < entity->child_count; i++)
        require_child(entity, i, change);
}

void require_refusal(const struct refusal *refusal)
{
    REQUIRE(refusal->reason < REFUSAL_REJECTED_BY_DATABASE);
    REQUIRE(refusal->detail[0] != '\0');
    REQUIRE(refusal->sqlstate[0] == '\0');
    require_text(slice_of(refusal->path));
    require_text(slice_of(refusal->detail));
    REQUIRE(strlen(refusal->path) + strlen(": ") + strlen(refusal->detail) <=
            REFUSAL_DETAIL_MAX_BYTES);
    if (refusal->entity_id.data != NULL)
        require_key(refusal->entity_id);
}

bool fuzz_same_row(const struct table *table, const struct value *a, const struct value *b)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (!value_equal(table->columns[i].type, &a[i], &b[i]))
            return false;
    return true;
}
