/*
 * The inside of JSON strings that json_read() accepts: where plain text ends, what an escape stands
 * for, and names that compare equal however they were escaped. For the json_* files only; all
 * others use json_read.h.
 */
#ifndef KOPRU_BASE_JSON_STRING_H
#define KOPRU_BASE_JSON_STRING_H

#include "base/json_read.h"

/* The first byte of [at, end) that is a quote, a backslash or a control character; end if there is
   none. */
const char *json_plain_end(const char *at, const char *end);

/* The value of the four hex digits at at, or -1. */
int json_hex4(const char *at);

/* Decodes the escape, or the pair of surrogate escapes, that begins at *at and moves *at behind it.
   Returns the number of bytes. */
size_t json_escape_decode(const char **at, char out[4]);

/* A string's content, and a member's name, as they stand in the text. */
struct slice json_raw_string(const struct json_doc *doc, const struct json_node *string);
struct slice json_raw_name(const struct json_doc *doc, const struct json_node *member);

/* An order of two members by their decoded names as jsonb sorts them: the shorter first, then by
   bytes. */
int json_compare_members(const struct json_doc *doc, const struct json_node *a,
                         const struct json_node *b);

/* Sorts members, given as indexes of doc's nodes, by name; those of one name stay in the order of
   the text. */
void json_sort_by_name(const struct json_doc *doc, uint32_t *members, size_t count);

#endif
