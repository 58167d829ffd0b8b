/*
 * The golden cases are read against this output, so it shows what the database will hold and not
 * how kopru keeps it: dates and instants are text, and so is a numeric, because a JSON number would
 * pass through somebody's double. jsonb is printed verbatim for the same reason. A column that the
 * payload does not mention is left out, one that it clears is null, and a child table appears only
 * when the payload replaces at least one of its arrays, because the contract tells absent from
 * empty.
 */
#include "cmd/map_print.h"

#include "base/civil_time.h"
#include "base/text.h"

enum { TIME_MAX_BYTES = 64 };

static void print_time(struct json_out *out, const struct column *column, int64_t number)
{
    struct buffer text;

    buffer_init(&text, TIME_MAX_BYTES);
    if (column->type == VALUE_DATE)
        civil_write_date(number, &text);
    else
        civil_write_instant(number, &text);
    if (buffer_failed(&text))
        json_out_fail(out);
    else
        json_out_string(out, column->name, buffer_slice(&text));
    buffer_release(&text);
}

static void print_value(struct json_out *out, const struct column *column,
                        const struct value *value)
{
    if (!value->present) {
        json_out_null(out, column->name);
        return;
    }
    switch (column->type) {
    case VALUE_TEXT:
    case VALUE_NUMERIC:
        json_out_string(out, column->name, value_text(value));
        return;
    case VALUE_DATE:
    case VALUE_TIMESTAMPTZ:
        print_time(out, column, value->number);
        return;
    case VALUE_BOOLEAN:
        json_out_bool(out, column->name, value->number != 0);
        return;
    case VALUE_JSONB:
        json_out_raw(out, column->name, value_text(value));
        return;
    case VALUE_INTEGER:
        json_out_integer(out, column->name, value->number);
        return;
    }
}

static size_t leftovers_bytes(const struct change *change)
{
    size_t bytes = 2;

    for (size_t i = 0; i < change->leftover_count; i++)
        bytes += 6 * change->leftovers[i].name.len + change->leftovers[i].text.len +
                 6; /* quotes, colon, comma and spaces; an escaped byte takes 6, as in \u001f */
    return bytes;
}

static void print_leftovers(struct json_out *out, const char *name, const struct change *change)
{
    struct buffer text;

    buffer_init(&text, leftovers_bytes(change));
    json_pairs_write(change->leftovers, change->leftover_count, &text);
    if (buffer_failed(&text))
        json_out_fail(out);
    else
        json_out_raw(out, name, buffer_slice(&text));
    buffer_release(&text);
}

static void print_root(struct json_out *out, const struct entity *entity,
                       const struct change *change)
{
    const struct table *table = &entity->root;

    json_out_array(out, table->name);
    json_out_object(out, NULL);
    for (size_t i = 0; i < table->column_count; i++) {
        if (i == table->extra)
            print_leftovers(out, table->columns[i].name, change);
        else if (i < table->key_count || change->root_set[i])
            print_value(out, &table->columns[i], &change->root[i]);
    }
    json_out_end(out);
    json_out_end(out);
}

static void print_rows(struct json_out *out, const struct table *table, const struct row_set *set)
{
    for (size_t row = 0; row < set->count; row++) {
        json_out_object(out, NULL);
        for (size_t i = 0; i < table->column_count; i++)
            print_value(out, &table->columns[i], &set->rows[row][i]);
        json_out_end(out);
    }
}

/* A table that holds several arrays appears when the payload replaces at least one of them. */
static void print_child(struct json_out *out, const struct entity *entity, size_t number,
                        const struct change *change)
{
    const struct child *child = &entity->children[number];
    size_t first = entity_first_set(entity, number);
    bool present = false;

    for (size_t i = 0; i < child->set_count; i++)
        present = present || change->set_present[first + i];
    if (!present)
        return;
    json_out_array(out, child->table.name);
    for (size_t i = 0; i < child->set_count; i++)
        if (change->set_present[first + i])
            print_rows(out, &child->table, &change->sets[first + i]);
    json_out_end(out);
}

void map_print_change(struct json_out *out, const struct entity *entity,
                      const struct change *change)
{
    json_out_object(out, NULL);
    json_out_text(out, "entity", entity->name);
    json_out_string(out, "id", change->id);
    json_out_object(out, "rows");
    print_root(out, entity, change);
    for (size_t i = 0; i < entity->child_count; i++)
        print_child(out, entity, i, change);
    json_out_end(out);
    json_out_integer(out, "misfits", change->misfits);
    json_out_integer(out, "broken", change->broken);
    json_out_end(out);
}

void map_print_refusal(struct json_out *out, const struct entity *entity,
                       const struct refusal *refusal)
{
    json_out_object(out, NULL);
    json_out_text(out, "entity", entity->name);
    if (refusal->entity_id.data != NULL)
        json_out_string(out, "id", refusal->entity_id);
    else
        json_out_null(out, "id");
    json_out_object(out, "dead_letter");
    json_out_text(out, "reason", refusal_reason_name(refusal->reason));
    json_out_text(out, "path", text_or_null(refusal->path));
    json_out_text(out, "detail", refusal->detail);
    json_out_end(out);
    json_out_end(out);
}
