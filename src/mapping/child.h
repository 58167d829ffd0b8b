/*
 * An array of the payload as the rows of a child table.
 */
#ifndef KOPRU_MAPPING_CHILD_H
#define KOPRU_MAPPING_CHILD_H

#include "mapping/object.h"
#include "model/change.h"

/* Reads a present array, an object (an array of one) or a null (none) into rows. Elements that
 *became no row are counted, and broken is a JSON array of them; data is NULL if there is none. view
 *is scratch. */
bool child_read_set(struct reading *reading, uint32_t number, const struct json_node *node,
                    struct slice root_id, struct object_view *view, struct row_set *rows,
                    struct slice *broken);

#endif
