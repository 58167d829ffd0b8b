/*
 * Reads one object of the payload into one row: finds the values at the paths, fills the columns
 * with them, and notes what is left over for `extra`. Functions return false when there is no
 * memory.
 *
 *     object_collect(reading, compiled, node, &view)   // finds the values
 *     object_fill(reading, compiled, &view, row)       // fills the columns, marks what they hold
 *     leftovers_of_object(reading, &compiled->paths, node, &view, &text)
 */
#ifndef KOPRU_MAPPING_OBJECT_H
#define KOPRU_MAPPING_OBJECT_H

#include "mapping/reading.h"

/* Scratch memory of the mapper, with room for all slots of an object. */
struct object_view {
    const struct json_node **found; /* per slot; NULL if the object has nothing at the path */
    bool *held;  /* per slot: a column holds the value, or it is null, so it is not left over */
    size_t left; /* how many members are left over, as a whole or in part; commonly 0 */
};

bool object_view_init(struct object_view *view, size_t slot_count);
void object_view_release(struct object_view *view);

bool object_collect(struct reading *reading, const struct mapping_object *compiled,
                    const struct json_node *node, struct object_view *view);

/* row has a value for each column of the table; all are null. */
bool object_fill(struct reading *reading, const struct mapping_object *compiled,
                 struct object_view *view, struct value *row);

/* Marks a slot whose value the row holds in another way than through a column's paths: a key, an
   array, a typed value. */
void object_hold(struct object_view *view, uint32_t slot);

/* Whether a slot holds a value other than null. */
static inline bool object_has(const struct object_view *view, uint32_t slot)
{
    return view->found[slot] != NULL && view->found[slot]->type != JSON_NULL;
}

#endif
