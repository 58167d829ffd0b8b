/*
 * Writes the JSON documents that kopru prints: the rows of `kopru map`, the findings of `kopru
 * check --output json`. The only door to json-c. A writer puts in what it has and asks once, at the
 * end, whether all went well: a failure (no memory, nesting beyond 32, an end too many) is kept and
 * makes json_out_print() fail.
 *
 *     struct json_out *out = json_out_new();
 *     json_out_object(out, NULL);
 *     json_out_text(out, "entity", "customer");
 *     json_out_array(out, "ids");
 *     json_out_integer(out, NULL, 7);
 *     json_out_end(out);
 *     json_out_end(out);
 *     if (json_out_print(out, JSON_OUT_PRETTY, &text) != 0) ...
 *     json_out_free(out);
 *
 * name is the member's name inside an object, NULL inside an array and for the document itself.
 * Every function takes out == NULL, so that json_out_new() need not be checked. Strings are UTF-8
 * and are printed as they are, but for what JSON must escape; a byte that is no UTF-8 becomes
 * U+FFFD.
 */
#ifndef KOPRU_BASE_JSON_OUT_H
#define KOPRU_BASE_JSON_OUT_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdint.h>

struct json_out;

enum json_out_style { JSON_OUT_PLAIN, JSON_OUT_PRETTY };

/* NULL when there is no memory. */
struct json_out *json_out_new(void);
void json_out_free(struct json_out *out);

/* Start an object or array; all that follows up to the matching end is in it. */
void json_out_object(struct json_out *out, const char *name);
void json_out_array(struct json_out *out, const char *name);
void json_out_end(struct json_out *out);

void json_out_string(struct json_out *out, const char *name, struct slice value);
void json_out_text(struct json_out *out, const char *name, const char *value); /* NULL: null */
void json_out_integer(struct json_out *out, const char *name, int64_t value);
void json_out_bool(struct json_out *out, const char *name, bool value);
void json_out_null(struct json_out *out, const char *name);

/* JSON text that is printed as it is, such as an integer of 30 digits or a whole object. It must be
   valid. */
void json_out_raw(struct json_out *out, const char *name, struct slice json);

/* For a caller that has no memory for what it wants to put in: the document is of no use. */
void json_out_fail(struct json_out *out);

/* Appends the document, without a line end, to text. Returns 0, or -1 after a failure, or if the
   document is not complete or does not fit into text. */
int json_out_print(const struct json_out *out, enum json_out_style style, struct buffer *text);

#endif
