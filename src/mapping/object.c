#include "mapping/object.h"

#include "base/json_canonical.h"
#include "mapping/convert.h"

#include <stdlib.h>

/*
 * One walk over the members finds the values of all paths, because a search per column would read
 * the object once for each of its columns. The walk counts what it meets, and whoever takes a value
 * subtracts it again; where nothing is left in the end, as is common, `extra` is known to be empty
 * without a second walk.
 */

bool object_view_init(struct object_view *view, size_t slot_count)
{
    view->found = calloc(slot_count + 1, sizeof(const struct json_node *));
    view->held = calloc(slot_count + 1, sizeof(*view->held));
    return view->found != NULL && view->held != NULL;
}

void object_view_release(struct object_view *view)
{
    free(view->found);
    free(view->held);
}

void object_hold(struct object_view *view, uint32_t slot)
{
    if (view->found[slot] == NULL || view->held[slot])
        return;
    view->held[slot] = true;
    view->left--;
}

static bool collect_below(struct reading *reading, const struct path_level *level,
                          const struct json_node *object, struct object_view *view);

/* Handles a member whose name is the beginning of paths, and the end of none. */
static bool collect_inside(struct reading *reading, const struct path_step *step,
                           const struct json_node *node, struct object_view *view)
{
    if (node->type == JSON_NULL)
        return true;
    if (node->type != JSON_OBJECT) {
        view->left++;
        reading->misfits++;
        return true;
    }
    return collect_below(reading, step->below, node, view);
}

enum { OTHER_CASE_MAX_CHECKS = 8 }; /* per object: each reads all of its names */

static bool has_member(struct reading *reading, const struct json_node *object, struct slice name,
                       bool *found)
{
    const struct json_doc *doc = reading->doc;

    *found = false;
    for (const struct json_node *node = json_first(doc, object); node != NULL && !*found;
         node = json_next(doc, object, node)) {
        struct slice other = json_name(doc, node, reading->arena);

        if (other.data == NULL)
            return false;
        *found = slice_equal(other, name);
    }
    return true;
}

/* Notes that the object has a name of the entity file in another letter case alone. Where it has
   both, the other one is a property of its own. */
static bool note_other_case(struct reading *reading, const struct path_level *level,
                            const struct json_node *object, struct slice name, unsigned *checks)
{
    const struct path_step *step;
    bool both;

    if (reading->other_case.data != NULL || *checks >= OTHER_CASE_MAX_CHECKS)
        return true;
    step = path_find_other_case(level, name);
    if (step == NULL)
        return true;
    (*checks)++;
    if (!has_member(reading, object, step->name, &both))
        return false;
    if (!both)
        reading->other_case = step->name;
    return true;
}

/* Recurses at most as deep as the longest path. */
static bool collect_below(struct reading *reading, const struct path_level *level,
                          const struct json_node *object, struct object_view *view)
{
    const struct json_doc *doc = reading->doc;
    unsigned checks = 0;

    for (const struct json_node *node = json_first(doc, object); node != NULL;
         node = json_next(doc, object, node)) {
        struct slice name = json_name(doc, node, reading->arena);
        const struct path_step *step;

        if (name.data == NULL)
            return false;
        step = path_find(level, name);
        if (step != NULL && step->below != NULL) {
            if (!collect_inside(reading, step, node, view))
                return false;
            continue;
        }
        view->left++;
        if (step == NULL) {
            if (!note_other_case(reading, level, object, name, &checks))
                return false;
            continue;
        }
        view->found[step->slot] = node;
        if (node->type == JSON_NULL)
            object_hold(view, step->slot); /* a null in the column says everything */
    }
    return true;
}

bool object_collect(struct reading *reading, const struct mapping_object *compiled,
                    const struct json_node *node, struct object_view *view)
{
    memset(view->found, 0, compiled->slot_count * sizeof(const struct json_node *));
    memset(view->held, 0, compiled->slot_count * sizeof(*view->held));
    view->left = 0;
    return collect_below(reading, &compiled->paths, node, view);
}

/* Tells whether both are the same JSON value. */
static bool same_value(struct reading *reading, const struct json_node *a,
                       const struct json_node *b, bool *same)
{
    struct buffer *text = reading_begin_text(reading);
    size_t length;

    *same = slice_equal(json_text(reading->doc, a), json_text(reading->doc, b));
    if (*same || a->type != b->type)
        return true;
    json_write_canonical(reading->doc, a, text);
    length = text->len;
    json_write_canonical(reading->doc, b, text);
    if (buffer_failed(text))
        return false;
    *same = text->len == 2 * length && memcmp(text->data, text->data + length, length) == 0;
    return true;
}

/* Marks the alternatives after the one that fed the column as held where they have the same value:
   they add nothing. */
static bool hold_equals(struct reading *reading, const struct mapping_source *source,
                        uint32_t winner, struct object_view *view)
{
    for (uint32_t slot = winner + 1; slot < source->first_slot + source->slot_count; slot++) {
        bool same;

        if (!object_has(view, slot))
            continue;
        if (!same_value(reading, view->found[winner], view->found[slot], &same))
            return false;
        if (same)
            object_hold(view, slot);
    }
    return true;
}

static bool fill_column(struct reading *reading, const struct mapping_source *source,
                        uint32_t winner, struct object_view *view, struct value *row)
{
    struct value *date = source->date_column != MAPPING_NONE ? &row[source->date_column] : NULL;
    struct sent sent;

    if (!convert_sent(reading, view->found[winner], &sent))
        return false;
    switch (convert_value(reading, source->type, sent, &row[source->column], date)) {
    case CONVERT_HELD:
        object_hold(view, winner);
        break;
    case CONVERT_IN_PART:
        break;
    case CONVERT_MISFIT:
        reading->misfits++;
        break;
    case CONVERT_NO_MEMORY:
        return false;
    }
    return hold_equals(reading, source, winner, view);
}

bool object_fill(struct reading *reading, const struct mapping_object *compiled,
                 struct object_view *view, struct value *row)
{
    for (uint32_t i = 0; i < compiled->source_count; i++) {
        const struct mapping_source *source = &compiled->sources[i];
        uint32_t end = source->first_slot + source->slot_count;

        for (uint32_t slot = source->first_slot; slot < end; slot++) {
            if (!object_has(view, slot))
                continue;
            if (!fill_column(reading, source, slot, view, row))
                return false;
            break;
        }
    }
    return true;
}
