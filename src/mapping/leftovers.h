/*
 * What no column holds of an object, as jsonb: the same names, the same nesting, less what the
 * columns hold.
 */
#ifndef KOPRU_MAPPING_LEFTOVERS_H
#define KOPRU_MAPPING_LEFTOVERS_H

#include "mapping/object.h"
#include "model/change.h"

/* A member of an object that is read by paths. */
struct member {
    struct slice name; /* decoded */
    const struct json_node *node;
    const struct path_step *step; /* NULL if no path has the name */
};

/* The object's members, the last of each name, in payload order. */
bool leftovers_members(struct reading *reading, const struct path_level *level,
                       const struct json_node *object, struct member **members, size_t *count);

/* Appends what is left of a member's value. Appends nothing if nothing is left. */
bool leftovers_write_member(struct reading *reading, const struct member *member,
                            const struct object_view *view, struct buffer *out);

/* The `extra` of a child row; "{}" if nothing is left. */
bool leftovers_of_object(struct reading *reading, const struct path_level *level,
                         const struct json_node *object, const struct object_view *view,
                         struct slice *text);

#endif
