/*
 * What no column holds of an object, as jsonb prints it: the same names and the same nesting,
 * without what the columns hold. Functions return false when there is no memory.
 */
#ifndef KOPRU_MAPPING_LEFTOVERS_H
#define KOPRU_MAPPING_LEFTOVERS_H

#include "mapping/object.h"
#include "model/change.h"

/* A member of an object that paths lead through. */
struct member {
    struct slice name; /* decoded */
    const struct json_node *node;
    const struct path_step *step; /* NULL if no path has this name */
};

/* Lists the object's members in payload order; of members with the same name, the last one. */
bool leftovers_members(struct reading *reading, const struct path_level *level,
                       const struct json_node *object, struct member **members, size_t *count);

/* Appends what is left of a member's value, which may be nothing. */
bool leftovers_write_member(struct reading *reading, const struct member *member,
                            const struct object_view *view, struct buffer *out);

/* Makes the `extra` of a child row; it is "{}" if nothing is left. */
bool leftovers_of_object(struct reading *reading, const struct path_level *level,
                         const struct json_node *object, const struct object_view *view,
                         struct slice *text);

#endif
