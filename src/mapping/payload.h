/*
 * Decides whether a body is a message about an entity or becomes a dead letter: the reasons for a
 * refusal that the contract lists (model/refusal.h), checked in its order.
 */
#ifndef KOPRU_MAPPING_PAYLOAD_H
#define KOPRU_MAPPING_PAYLOAD_H

#include "mapping/object.h"
#include "model/refusal.h"

/* Reads the body into doc, and refuses it unless it is one JSON object within the limits. */
enum map_outcome payload_read(const struct mapping *mapping, struct slice body,
                              struct json_doc *doc, struct refusal *refusal);

/* Returns how many bytes longer the body becomes when jsonb writes out its exponents: 1e131000 has
   8 bytes here and 131,001 there. */
size_t payload_written_out_bytes(const struct json_doc *doc);

/* Reads the root's id. view is that of the whole payload. */
enum map_outcome payload_id(struct reading *reading, const struct object_view *view,
                            struct slice *id, struct refusal *refusal);

/* Refuses a scalar where an array belongs, and an object that numbers the elements
   ({"0": {}, "2": {}}), as some serializers write an array with gaps: as an array of one it would
   replace the set by nothing. */
enum map_outcome payload_check_arrays(struct reading *reading, const struct object_view *view,
                                      struct slice id, struct refusal *refusal);

#endif
