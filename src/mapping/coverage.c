#include "mapping/coverage.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_TEXT_BYTES = 128, MORE_BYTES = 32 };

bool coverage_init(struct coverage *coverage, const struct mapping *mapping)
{
    size_t count = mapping->entity.child_count;

    *coverage = (struct coverage){
        .mapping = mapping,
        .root = calloc(mapping->root.slot_count, sizeof(*coverage->root)),
        .children = calloc(count + 1, sizeof(*coverage->children)),
        .elements = calloc(count + 1, sizeof(*coverage->elements)),
    };
    if (coverage->root == NULL || coverage->children == NULL || coverage->elements == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        coverage->children[i] =
            calloc(mapping->children[i].object.slot_count + 1, sizeof(**coverage->children));
        if (coverage->children[i] == NULL)
            return false;
    }
    return true;
}

void coverage_release(struct coverage *coverage)
{
    if (coverage->children != NULL)
        for (size_t i = 0; i < coverage->mapping->entity.child_count; i++)
            free(coverage->children[i]);
    free(coverage->children);
    free(coverage->root);
    free(coverage->elements);
    *coverage = (struct coverage){ 0 };
}

/* Returns whether something was found. */
static bool note(bool *seen, const struct object_view *view, uint32_t first, uint32_t end,
                 struct reading *reading)
{
    bool found = false;

    for (uint32_t slot = first; slot < end; slot++) {
        if (view->found[slot] == NULL)
            continue;
        found = true;
        reading->judged_anew = reading->judged_anew || !seen[slot];
        seen[slot] = true;
    }
    return found;
}

/* An array that says that there are no elements is understood. One with elements is understood if
   something was found in one of them. */
static bool is_empty_set(const struct reading *reading, const struct json_node *node)
{
    return node != NULL && (node->type == JSON_NULL ||
                            (node->type == JSON_ARRAY && json_first(reading->doc, node) == NULL));
}

void coverage_note_root(struct coverage *coverage, struct reading *reading,
                        const struct object_view *view)
{
    uint32_t columns = 1 + (uint32_t)coverage->mapping->entity.set_count;

    if (++coverage->messages == COVERAGE_JUDGED_AFTER)
        reading->judged_anew = true;
    note(coverage->root, view, 0, columns, reading);
    if (note(coverage->root, view, columns, coverage->mapping->root.slot_count, reading))
        reading->mapped = true;
    for (uint32_t slot = 1; slot < columns; slot++)
        if (is_empty_set(reading, view->found[slot]))
            reading->mapped = true;
}

void coverage_note_element(struct coverage *coverage, struct reading *reading, uint32_t child,
                           const struct object_view *view)
{
    uint32_t count = coverage->mapping->children[child].object.slot_count;

    if (++coverage->elements[child] == COVERAGE_JUDGED_AFTER)
        reading->judged_anew = true;
    if (note(coverage->children[child], view, 0, count, reading))
        reading->mapped = true;
}

/* A list of paths that is being written. */
struct listing {
    char *text;
    size_t size;
    size_t count;
    size_t written;
};

static void add_path(struct listing *list, const char *array, const struct path_level *level,
                     uint32_t slot)
{
    char path[PATH_TEXT_BYTES] = "";
    size_t used = strlen(list->text);

    path_text(level, slot, path, sizeof(path));
    list->count++;
    if (list->written + 1 < list->count ||
        used + strlen(array) + strlen(path) + sizeof(", [].") + MORE_BYTES > list->size)
        return;
    snprintf(list->text + used, list->size - used, "%s%s%s%s", used > 0 ? ", " : "", array,
             array[0] != '\0' ? "[]." : "", path);
    list->written++;
}

static void list_columns(struct listing *list, const char *array,
                         const struct mapping_object *object, const bool *seen)
{
    for (uint32_t i = 0; i < object->source_count; i++) {
        const struct mapping_source *source = &object->sources[i];
        bool matched = false;

        for (uint32_t k = 0; k < source->slot_count; k++)
            matched = matched || seen[source->first_slot + k];
        if (!matched && source->slot_count > 0)
            add_path(list, array, &object->paths, source->first_slot);
    }
}

static void list_slot(struct listing *list, const char *array, const struct mapping_object *object,
                      const bool *seen, uint32_t slot)
{
    if (slot != MAPPING_NONE && !seen[slot])
        add_path(list, array, &object->paths, slot);
}

/* The first of the arrays whose elements become rows of the child. */
static const char *array_of(const struct mapping *mapping, uint32_t child, char *out, size_t size)
{
    for (uint32_t set = 0; set < mapping->entity.set_count; set++) {
        if (mapping->sets[set].child == child) {
            text_set(out, size, "%.*s", SLICE_ARG(mapping->sets[set].array));
            break;
        }
    }
    return out;
}

static bool feeds_column(const struct mapping_object *object, uint32_t slot)
{
    for (uint32_t i = 0; i < object->source_count; i++) {
        const struct mapping_source *source = &object->sources[i];

        if (slot >= source->first_slot && slot < source->first_slot + source->slot_count)
            return true;
    }
    return false;
}

static void list_child(struct listing *list, const struct coverage *coverage, uint32_t number)
{
    const struct mapping_child *child = &coverage->mapping->children[number];
    const bool *seen = coverage->children[number];
    char array[PATH_TEXT_BYTES] = "";

    if (coverage->elements[number] < COVERAGE_JUDGED_AFTER)
        return;
    array_of(coverage->mapping, number, array, sizeof(array));
    for (uint32_t i = 0; i < child->key_count; i++)
        list_slot(list, array, &child->object, seen, child->keys[i].slot);
    list_columns(list, array, &child->object, seen);
    if (child->typed.type_slot == MAPPING_NONE)
        return;
    if (!feeds_column(&child->object, child->typed.type_slot))
        list_slot(list, array, &child->object, seen, child->typed.type_slot);
    list_slot(list, array, &child->object, seen, child->typed.value_slot);
}

size_t coverage_unmatched(const struct coverage *coverage, char *text, size_t size)
{
    const struct mapping *mapping = coverage->mapping;
    struct listing list = { .text = text, .size = size };

    text[0] = '\0';
    if (coverage->messages < COVERAGE_JUDGED_AFTER)
        return 0;
    list_columns(&list, "", &mapping->root, coverage->root);
    for (uint32_t set = 0; set < mapping->entity.set_count; set++)
        list_slot(&list, "", &mapping->root, coverage->root, 1 + set);
    for (uint32_t child = 0; child < mapping->entity.child_count; child++)
        list_child(&list, coverage, child);
    if (list.written < list.count)
        text_append(text, size, "%s%zu more", list.written > 0 ? ", and " : "",
                    list.count - list.written);
    return list.count;
}
