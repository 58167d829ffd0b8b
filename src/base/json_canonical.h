/*
 * JSON as PostgreSQL prints it. Equal values have equal text, so that a stored value and a sent one
 * can be compared as text. A failure (no memory, the buffer's maximum) marks the buffer as failed.
 */
#ifndef KOPRU_BASE_JSON_CANONICAL_H
#define KOPRU_BASE_JSON_CANONICAL_H

#include "base/buffer.h"

struct json_doc;
struct json_node;

/* Appends the value as PostgreSQL prints jsonb: names sorted by length and bytes, ", " and ": ",
   numbers as numeric prints them. A number with an exponent beyond +-64 stays as it was sent,
   because its digits could take more memory than the message. */
void json_write_canonical(const struct json_doc *doc, const struct json_node *node,
                          struct buffer *out);

/* Appends text as a JSON string with quotes, escaped as PostgreSQL's jsonb output escapes it. */
void json_write_string(struct slice text, struct buffer *out);

/* Returns how many bytes json_write_string() appends. */
size_t json_string_bytes(struct slice text);

/* Appends a JSON number in the canonical form of numeric: 1e5 as 100000, -0 as 0, 1.50 as 1.50. A
   number with an exponent beyond +-1000, which no numeric column takes, stays as it was sent. */
void json_write_numeric(struct slice number, struct buffer *out);

#endif
