/*
 * The value of a name/valueType/value triplet: as it was sent, and once more in the type that
 * valueType names.
 */
#ifndef KOPRU_MAPPING_TYPED_VALUE_H
#define KOPRU_MAPPING_TYPED_VALUE_H

#include "mapping/object.h"

/* Fills the value's columns of row; the value is then held. */
bool typed_value_fill(struct reading *reading, const struct mapping_typed_value *typed,
                      struct object_view *view, struct value *row);

#endif
