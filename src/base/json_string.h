/*
 * The inside of JSON strings that json_read() accepts: where plain text ends, what an escape stands
 * for, and how names compare whether or not they are escaped. Only the json_* files include this
 * header; all others use json_read.h.
 */
#ifndef KOPRU_BASE_JSON_STRING_H
#define KOPRU_BASE_JSON_STRING_H

#include "base/json_read.h"

/* Returns the first byte of [at, end) that is a quote, a backslash or a control character, or end
   if there is none. */
const char *json_plain_end(const char *at, const char *end);

/* Returns the value of the four hex digits at `at`, or -1 if they are not hex digits. */
int json_hex4(const char *at);

/* Decodes the escape, or the pair of surrogate escapes, that begins at *at, and moves *at past it.
   Returns the number of bytes in out. */
size_t json_escape_decode(const char **at, char out[4]);

/* Return the content of a string, and the name of a member, as they stand in the text. */
struct slice json_raw_string(const struct json_doc *doc, const struct json_node *string);
struct slice json_raw_name(const struct json_doc *doc, const struct json_node *member);

/* Compares two members by their decoded names, in the order of jsonb: the shorter name first, names
   of equal length by their bytes. */
int json_compare_members(const struct json_doc *doc, const struct json_node *a,
                         const struct json_node *b);

/* Sorts members, given as indexes of doc's nodes, by name. Members of equal name stay in the order
   of the text. */
void json_sort_by_name(const struct json_doc *doc, uint32_t *members, size_t count);

#endif
