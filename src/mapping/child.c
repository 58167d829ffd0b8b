#include "mapping/child.h"

#include "base/json_canonical.h"
#include "mapping/convert.h"
#include "mapping/coverage.h"
#include "mapping/leftovers.h"
#include "mapping/typed_value.h"

#include <stdlib.h>

/*
 * An element that has no usable key cannot become a row, but it must not cost the others, nor be
 * lost: it is kept as text for the root's `extra`. So a row is tried in place, in the next free
 * room of one allocation for all elements, and that room is used again when the element turns out
 * to be broken. A misfit inside a broken element does not count, because its value is in the text.
 */

/* One set while it is read. */
struct set_reading {
    struct reading *reading;
    const struct mapping_child *compiled;
    const struct table *table;
    uint32_t number; /* of the child */
    struct slice root_id;
    struct slice array; /* for the array name column; data is NULL if the table has none */
    struct object_view *view;
    struct row_set *rows;
};

/* Fills the key columns except the ordinal. A misfit means that the element has no usable key. */
static enum convert_fit fill_keys(const struct set_reading *set, struct value *row)
{
    uint32_t column = 0;

    row[column++] = value_of_text(set->root_id);
    if (set->array.data != NULL)
        row[column++] = value_of_text(set->array);
    for (uint32_t i = 0; i < set->compiled->key_count; i++) {
        const struct mapping_key *key = &set->compiled->keys[i];
        struct slice text;
        enum convert_fit fit = convert_key(set->reading, set->view->found[key->slot], &text);

        if (fit != CONVERT_HELD)
            return fit;
        row[key->column] = value_of_text(text);
        object_hold(set->view, key->slot);
    }
    return CONVERT_HELD;
}

/* Fills the other columns of an element that has a key. */
static bool fill_columns(const struct set_reading *set, const struct json_node *element,
                         struct value *row)
{
    const struct mapping_object *object = &set->compiled->object;
    struct slice extra;

    if (!object_fill(set->reading, object, set->view, row))
        return false;
    if (set->compiled->typed.type_slot != MAPPING_NONE &&
        !typed_value_fill(set->reading, &set->compiled->typed, set->view, row))
        return false;
    if (!leftovers_of_object(set->reading, &object->paths, element, set->view, &extra))
        return false;
    row[set->table->extra] = value_of_text(extra);
    return true;
}

/* A misfit means that the element is broken. It is left over as a whole, so its misfits do not
   count. */
static enum convert_fit read_element(const struct set_reading *set, const struct json_node *element,
                                     struct value *row)
{
    unsigned misfits = set->reading->misfits;
    enum convert_fit fit;

    if (element->type != JSON_OBJECT)
        return CONVERT_MISFIT;
    if (!object_collect(set->reading, &set->compiled->object, element, set->view))
        return CONVERT_NO_MEMORY;
    coverage_note_element(set->reading->coverage, set->reading, set->number, set->view);
    fit = fill_keys(set, row);
    if (fit == CONVERT_MISFIT) {
        set->reading->misfits = misfits;
        memset(row, 0, set->table->column_count * sizeof(*row));
    }
    if (fit == CONVERT_HELD && !fill_columns(set, element, row))
        return CONVERT_NO_MEMORY;
    return fit;
}

/* The elements of an array are its own; an object is its only element, and null has none. */
static const struct json_node *first_element(const struct json_doc *doc,
                                             const struct json_node *node)
{
    if (node->type == JSON_ARRAY)
        return json_first(doc, node);
    return node->type == JSON_OBJECT ? node : NULL;
}

static const struct json_node *next_element(const struct json_doc *doc,
                                            const struct json_node *node,
                                            const struct json_node *element)
{
    return element != node ? json_next(doc, node, element) : NULL;
}

/* Makes room for all objects of the set, as if none were broken. */
static bool make_rows(const struct set_reading *set, const struct json_node *node,
                      struct value **values)
{
    const struct json_doc *doc = set->reading->doc;
    size_t count = 0;

    for (const struct json_node *element = first_element(doc, node); element != NULL;
         element = next_element(doc, node, element))
        count += element->type == JSON_OBJECT;
    *values =
        arena_alloc_array(set->reading->arena, count, set->table->column_count * sizeof(**values));
    set->rows->rows = arena_alloc_array(set->reading->arena, count, sizeof(*set->rows->rows));
    set->rows->count = 0;
    /* Each row goes to the server, and comes back, with a root key of its own. */
    return *values != NULL && set->rows->rows != NULL &&
           arena_count(set->reading->arena, count * set->root_id.len);
}

static void keep_broken(struct reading *reading, const struct json_node *element)
{
    struct buffer *text = reading->broken_text;

    reading->broken++;
    buffer_append_text(text, text->len == 0 ? "[" : ", ");
    json_write_canonical(reading->doc, element, text);
}

static bool read_elements(const struct set_reading *set, const struct json_node *node)
{
    const struct json_doc *doc = set->reading->doc;
    struct value *row; /* past the end once every object is a row; what follows is no object */

    if (!make_rows(set, node, &row))
        return false;
    for (const struct json_node *element = first_element(doc, node); element != NULL;
         element = next_element(doc, node, element)) {
        switch (read_element(set, element, row)) {
        case CONVERT_HELD:
        case CONVERT_IN_PART:
            set->rows->rows[set->rows->count++] = row;
            row += set->table->column_count;
            break;
        case CONVERT_MISFIT:
            keep_broken(set->reading, element);
            break;
        case CONVERT_NO_MEMORY:
            return false;
        }
    }
    return true;
}

static int compare_rows(const void *a, const void *b, void *column)
{
    const struct value *left = *(struct value *const *)a;
    const struct value *right = *(struct value *const *)b;
    size_t index = *(const uint32_t *)column;
    int order = slice_compare(value_text(&left[index]), value_text(&right[index]));

    return order != 0 ? order : (left > right) - (left < right); /* rows lie in payload order */
}

/* Numbers the rows that share a key, from 1 for each key. It sorts them first, because comparing
   every row with every other takes the square of their number. */
static bool number_within(const struct set_reading *set)
{
    uint32_t within = set->compiled->ordinal_within;
    uint32_t ordinal = set->compiled->ordinal_column;
    size_t count = set->rows->count;
    int64_t number = 0;
    struct value **sorted = arena_alloc_array(set->reading->arena, count, sizeof(*sorted));

    if (sorted == NULL)
        return false;
    if (count > 0)
        memcpy(sorted, set->rows->rows, count * sizeof(*sorted));
    qsort_r(sorted, count, sizeof(*sorted), compare_rows, &within);
    for (size_t i = 0; i < count; i++) {
        bool again = i > 0 && slice_equal(value_text(&sorted[i - 1][within]),
                                          value_text(&sorted[i][within]));

        number = again ? number + 1 : 1;
        sorted[i][ordinal] = value_of_number(number);
    }
    return true;
}

static bool number_rows(const struct set_reading *set)
{
    if (set->compiled->ordinal_within != MAPPING_NONE)
        return number_within(set);
    for (size_t i = 0; i < set->rows->count; i++)
        set->rows->rows[i][set->compiled->ordinal_column] = value_of_number((int64_t)i + 1);
    return true;
}

static bool end_broken(struct reading *reading, struct slice *broken)
{
    struct buffer *text = reading->broken_text;

    *broken = (struct slice){ NULL, 0 };
    if (text->len == 0 && !buffer_failed(text))
        return true;
    buffer_append_byte(text, ']');
    if (buffer_failed(text))
        return false;
    *broken = arena_copy_slice(reading->arena, buffer_slice(text));
    return broken->data != NULL;
}

bool child_read_set(struct reading *reading, uint32_t number, const struct json_node *node,
                    struct slice root_id, struct object_view *view, struct row_set *rows,
                    struct slice *broken)
{
    const struct mapping *mapping = reading->mapping;
    const struct mapping_set *compiled = &mapping->sets[number];
    const struct child *child = &mapping->entity.children[compiled->child];
    struct set_reading set = {
        .reading = reading,
        .compiled = &mapping->children[compiled->child],
        .table = &child->table,
        .number = compiled->child,
        .root_id = root_id,
        .view = view,
        .rows = rows,
    };

    if (child->has_set_column)
        set.array = compiled->array;
    buffer_clear(reading->broken_text);
    return read_elements(&set, node) && number_rows(&set) && end_broken(reading, broken);
}
