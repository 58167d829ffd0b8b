/*
 * What makes a body a message about an entity, or a dead letter: the refusals of the contract, in
 * its order.
 */
#ifndef KOPRU_MAPPING_PAYLOAD_H
#define KOPRU_MAPPING_PAYLOAD_H

#include "mapping/object.h"
#include "model/refusal.h"

/* Reads the body into doc, and makes sure that it is one object. */
enum map_outcome payload_read(const struct mapping *mapping, struct slice body,
                              struct json_doc *doc, struct refusal *refusal);

/* The root's id. view is that of the whole payload. */
enum map_outcome payload_id(struct reading *reading, const struct object_view *view,
                            struct slice *id, struct refusal *refusal);

/* Refuses a scalar where an array belongs: the set it replaces cannot be known. */
enum map_outcome payload_check_arrays(struct reading *reading, const struct object_view *view,
                                      struct slice id, struct refusal *refusal);

#endif
