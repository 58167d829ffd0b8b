/*
 * Converts one JSON value to the type of a column. What fits a type is a contract, and
 * tests/golden/rules.txt lists it. Nothing is trimmed.
 */
#ifndef KOPRU_MAPPING_CONVERT_H
#define KOPRU_MAPPING_CONVERT_H

#include "mapping/reading.h"
#include "model/value.h"

/* A value that was sent and is not null. Its text is the decoded content of a string; of any other
   value it is the characters in the body. */
struct sent {
    enum json_type type;
    struct slice text;
};

enum convert_fit {
    CONVERT_HELD,    /* the column holds everything that was sent */
    CONVERT_IN_PART, /* it fits, but something was cut off: the original goes to `extra`, too */
    CONVERT_MISFIT,  /* it does not fit: the column is null, and `extra` gets the value */
    CONVERT_NO_MEMORY,
};

/* Fills *sent from a node that is not null. Returns false when there is no memory. */
bool convert_sent(struct reading *reading, const struct json_node *node, struct sent *sent);

/* Fills value, and date (if not NULL) with the civil date of an instant. A misfit leaves both as
   they are: SQL null. */
enum convert_fit convert_value(struct reading *reading, enum value_type type, struct sent sent,
                               struct value *value, struct value *date);

/* Reads a key: a string of 1 to ENTITY_KEY_MAX_BYTES, or an integer of at most as many characters,
   which is kept as it was written. */
enum convert_fit convert_key(struct reading *reading, const struct json_node *node,
                             struct slice *key);

#endif
