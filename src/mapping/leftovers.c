#include "mapping/leftovers.h"

#include "base/json_canonical.h"

#include <stdlib.h>

/*
 * `extra` is written in the form in which PostgreSQL prints jsonb, with sorted names, because the
 * writer compares it as text with what is stored. Each member is appended first and cut off again
 * if nothing of it is left: whether something is left is only known after the walk through its own
 * members.
 */

bool leftovers_members(struct reading *reading, const struct path_level *level,
                       const struct json_node *object, struct member **members, size_t *count)
{
    const struct json_doc *doc = reading->doc;
    size_t total = 0;

    for (const struct json_node *node = json_first(doc, object); node != NULL;
         node = json_next(doc, object, node))
        total++;
    *count = total;
    *members = arena_alloc_array(reading->arena, total, sizeof(**members));
    if (*members == NULL)
        return false;
    total = 0;
    for (const struct json_node *node = json_first(doc, object); node != NULL;
         node = json_next(doc, object, node)) {
        struct slice name = json_name(doc, node, reading->arena);

        if (name.data == NULL)
            return false;
        (*members)[total++] = (struct member){ name, node, path_find(level, name) };
    }
    return true;
}

static int compare_members(const void *a, const void *b)
{
    return json_name_compare(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* Removes what was appended after mark. */
static void cut_back(struct buffer *out, size_t mark)
{
    out->len = mark;
    out->data[mark] = '\0';
}

/* Recurses at most as deep as the longest path. Writes nothing if nothing is left. */
static bool write_object(struct reading *reading, const struct path_level *level,
                         const struct json_node *object, const struct object_view *view,
                         struct buffer *out)
{
    size_t start = out->len;
    struct member *members;
    size_t count;

    if (!leftovers_members(reading, level, object, &members, &count))
        return false;
    qsort(members, count, sizeof(*members), compare_members);
    buffer_append_byte(out, '{');
    for (size_t i = 0; i < count && !buffer_failed(out); i++) {
        size_t before = out->len;
        size_t value_at;

        if (before > start + 1)
            buffer_append(out, ", ", 2);
        json_write_string(members[i].name, out);
        buffer_append(out, ": ", 2);
        value_at = out->len;
        if (!leftovers_write_member(reading, &members[i], view, out))
            return false;
        if (!buffer_failed(out) && out->len == value_at)
            cut_back(out, before);
    }
    if (buffer_failed(out))
        return false;
    if (out->len == start + 1)
        cut_back(out, start);
    else
        buffer_append_byte(out, '}');
    return !buffer_failed(out);
}

bool leftovers_write_member(struct reading *reading, const struct member *member,
                            const struct object_view *view, struct buffer *out)
{
    const struct path_step *step = member->step;

    if (step != NULL && step->below != NULL) {
        if (member->node->type == JSON_NULL)
            return true;
        if (member->node->type == JSON_OBJECT)
            return write_object(reading, step->below, member->node, view, out);
    } else if (step != NULL && view->held[step->slot]) {
        return true;
    }
    json_write_canonical(reading->doc, member->node, out);
    return !buffer_failed(out);
}

bool leftovers_of_object(struct reading *reading, const struct path_level *level,
                         const struct json_node *object, const struct object_view *view,
                         struct slice *text)
{
    struct buffer *out;

    *text = SLICE_LITERAL("{}");
    if (view->left == 0)
        return true;
    out = reading_begin_text(reading);
    if (!write_object(reading, level, object, view, out))
        return false;
    return reading_end_text(reading, text);
}
