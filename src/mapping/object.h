/*
 * One object of the payload, read by its plan: which values stand at the paths, what the columns
 * make of them, and what is left over for `extra`.
 *
 *     object_collect(reading, compiled, node, &view)     finds the values
 *     object_fill(reading, compiled, &view, row)         fills the columns, marks what they hold
 *     leftovers_of_object(reading, &compiled->paths, node, &view, &text)
 */
#ifndef KOPRU_MAPPING_OBJECT_H
#define KOPRU_MAPPING_OBJECT_H

#include "mapping/reading.h"

/* Scratch memory of the mapper, with room for the slots of the compiled. */
struct object_view {
    const struct json_node **found; /* per slot; NULL if the path leads nowhere */
    bool *held;  /* per slot: stands in a column, or says nothing, so it is not left over */
    size_t left; /* members below which something is left over; 0 is common */
};

bool object_view_init(struct object_view *view, size_t slot_count);
void object_view_release(struct object_view *view);

bool object_collect(struct reading *reading, const struct mapping_object *compiled,
                    const struct json_node *node, struct object_view *view);

/* row has a value for each column of the table, all null. */
bool object_fill(struct reading *reading, const struct mapping_object *compiled,
                 struct object_view *view, struct value *row);

/* A slot whose value is in the row by other means than a column's source: a key, an array, a bag's
   value. */
void object_hold(struct object_view *view, uint32_t slot);

/* Whether a slot holds a value other than null. */
static inline bool object_has(const struct object_view *view, uint32_t slot)
{
    return view->found[slot] != NULL && view->found[slot]->type != JSON_NULL;
}

#endif
