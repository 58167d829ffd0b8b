/*
 * The value of a name/valueType/value triplet: one column holds it as it was sent, and another one
 * holds it in the type that valueType names. In an entity file it is a `typed_value`.
 */
#ifndef KOPRU_MAPPING_TYPED_VALUE_H
#define KOPRU_MAPPING_TYPED_VALUE_H

#include "mapping/object.h"

/* Fills the columns of row that hold the value, which is then not left over for `extra`. Returns
   false when there is no memory. */
bool typed_value_fill(struct reading *reading, const struct mapping_typed_value *typed,
                      struct object_view *view, struct value *row);

#endif
