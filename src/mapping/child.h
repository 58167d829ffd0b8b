/*
 * Reads an array of the payload into rows of a child table.
 */
#ifndef KOPRU_MAPPING_CHILD_H
#define KOPRU_MAPPING_CHILD_H

#include "mapping/object.h"
#include "model/change.h"

/* Reads set `number` of the entity from node: an array, an object (an array of one element) or null
   (an empty array). Elements that do not become a row are counted in reading->broken, and *broken
   is a JSON array of them, whose data is NULL if there are none. view is scratch memory. Returns
   false when there is no memory. */
bool child_read_set(struct reading *reading, uint32_t number, const struct json_node *node,
                    struct slice root_id, struct object_view *view, struct row_set *rows,
                    struct slice *broken);

#endif
