/*
 * One JSON value as a value of a column's type, by the contract's table of what fits. Nothing is
 * trimmed.
 */
#ifndef KOPRU_MAPPING_CONVERT_H
#define KOPRU_MAPPING_CONVERT_H

#include "mapping/reading.h"
#include "model/value.h"

/* A value that is not null, with its text: a string's content, of all else the characters of the
   body. */
struct sent {
    enum json_type type;
    struct slice text;
};

enum convert_fit {
    CONVERT_HELD,    /* the column holds all that was sent */
    CONVERT_IN_PART, /* it fits, but something was cut: the original stays in `extra` */
    CONVERT_MISFIT,  /* the column is null */
    CONVERT_NO_MEMORY,
};

bool convert_sent(struct reading *reading, const struct json_node *node, struct sent *sent);

/* Fills value, and date (if not NULL) with the civil date of an instant. A misfit leaves both as
   they are: SQL null. */
enum convert_fit convert_value(struct reading *reading, enum value_type type, struct sent sent,
                               struct value *value, struct value *date);

/* A key taken from a payload: a non-empty string of at most 255 bytes, or an integer literal as it
   was written, of as many. */
enum convert_fit convert_key(struct reading *reading, const struct json_node *node,
                             struct slice *key);

enum { CONVERT_KEY_MAX_BYTES = 255 };

#endif
