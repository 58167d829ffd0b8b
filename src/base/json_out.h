/*
 * Writes the JSON documents that kopru prints: the rows of `kopru map`, the findings of `kopru
 * check --output json`, the statements of `kopru sql --output json`. json-c builds and prints them;
 * no other file calls it. The caller adds what it has and asks once, at the end, whether all went
 * well: a failure (no memory, nesting beyond 32 levels, an end too many, a text beyond 1 GiB) is
 * remembered and makes json_out_print() fail.
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
 * name is the name of a member inside an object, and NULL inside an array and for the document
 * itself. Every function accepts out == NULL, so the result of json_out_new() need not be checked.
 * Strings are printed as UTF-8; only quotes, backslashes and control characters are escaped. Each
 * byte that is not UTF-8 becomes U+FFFD.
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

/* Start an object or array. Everything added before the matching json_out_end() is inside it. */
void json_out_object(struct json_out *out, const char *name);
void json_out_array(struct json_out *out, const char *name);
void json_out_end(struct json_out *out);

void json_out_string(struct json_out *out, const char *name, struct slice value);
void json_out_text(struct json_out *out, const char *name, const char *value); /* NULL: null */
void json_out_integer(struct json_out *out, const char *name, int64_t value);
void json_out_bool(struct json_out *out, const char *name, bool value);
void json_out_null(struct json_out *out, const char *name);

/* Adds JSON text that is printed verbatim, such as an integer of 30 digits or a whole object. The
   text must be valid JSON. */
void json_out_raw(struct json_out *out, const char *name, struct slice json);

/* Makes json_out_print() fail. For a caller that has no memory for the value it wants to add. */
void json_out_fail(struct json_out *out);

/* Appends the document to text, without a line end. Returns 0, or -1 if anything failed before, or
   the document is incomplete or does not fit into text. */
int json_out_print(const struct json_out *out, enum json_out_style style, struct buffer *text);

#endif
