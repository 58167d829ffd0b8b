/*
 * A strict reader of RFC 8259 text: it accepts what PostgreSQL's jsonb accepts and nothing more,
 * and keeps for each value where it stands in the text, so that a number can be stored as the very
 * characters that were sent. json-c's tokener can do neither: it lets control characters,
 * single-quoted names and `-01` through, and saturates integers beyond 64 bits.
 *
 *     struct json_doc doc;
 *     json_doc_init(&doc);
 *     if (json_read(&doc, body, 64, &fault) == 0)
 *         for (member = json_first(&doc, root); member != NULL; member = json_next(&doc, root,
 * member)) ... json_doc_release(&doc);
 *
 * One document at a time; the memory is kept for the next. The text must outlive the document.
 */
#ifndef KOPRU_BASE_JSON_READ_H
#define KOPRU_BASE_JSON_READ_H

#include "base/slice.h"

#include <stdint.h>

struct arena;

/* json_read() goes no deeper, whatever it is told: writing recurses once for each level. */
enum { JSON_MAX_DEPTH = 1024 };

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Nodes stand in the order of the text; a container is followed by all that is in it. */
struct json_node {
    uint32_t start; /* offset of the value's first byte */
    uint32_t len;   /* bytes of its text, with quotes or brackets */
    uint32_t end;   /* index of the first node behind this one and all that is in it */
    uint32_t key;   /* offset of the member's name inside its quotes; of an object's member only */
    uint32_t key_len; /* bytes of the name's text, without quotes */
    uint8_t type;     /* enum json_type */
    bool escaped;     /* a string with backslashes */
    bool key_escaped;
    bool shadowed; /* a later member of the same object has the same name: the last wins,
                      json_next() passes over this one */
};

struct json_doc {
    struct slice text;
    struct json_node *nodes; /* nodes[0] is the document */
    uint32_t count;
    uint32_t capacity;
};

enum json_fault_kind {
    JSON_FAULT_UTF8,   /* bytes that are not UTF-8, anywhere in the text: found before all else */
    JSON_FAULT_SYNTAX, /* also an empty text, a raw control character, bytes behind the document */
    JSON_FAULT_DEPTH,  /* nested deeper than max_depth; of this and SYNTAX, whichever comes first in
                          the text */
    JSON_FAULT_NUL_ESCAPE,     /* \u0000, which PostgreSQL's text cannot hold */
    JSON_FAULT_LONE_SURROGATE, /* \ud800 without its other half */
    JSON_FAULT_MEMORY,         /* no memory, or a text of 4 GiB */
};

struct json_fault {
    enum json_fault_kind kind;
    size_t offset; /* of the first byte at fault */
};

void json_doc_init(struct json_doc *doc);
void json_doc_release(struct json_doc *doc);

/* Reads text, without a leading byte order mark, into doc. Depth counts objects and arrays: the
   document itself has depth 1, scalars have none. Returns 0, or -1 with fault filled; then doc
   holds nothing. Texts of 4 GiB or more are JSON_FAULT_MEMORY. */
int json_read(struct json_doc *doc, struct slice text, unsigned max_depth,
              struct json_fault *fault);

/* The first member or element of a container, NULL if it has none; and the one after child. */
const struct json_node *json_first(const struct json_doc *doc, const struct json_node *container);
const struct json_node *json_next(const struct json_doc *doc, const struct json_node *container,
                                  const struct json_node *child);

/* The member of that (decoded) name; NULL if there is none or the node is not an object. */
const struct json_node *json_member(const struct json_doc *doc, const struct json_node *object,
                                    struct slice name);

/* The value's text as it was sent. */
struct slice json_text(const struct json_doc *doc, const struct json_node *node);

/* A string's content, or a member's name, with escapes decoded. Points into the text where there
   are none, else into the arena; data is NULL when there is no memory. */
struct slice json_string(const struct json_doc *doc, const struct json_node *node,
                         struct arena *arena);
struct slice json_name(const struct json_doc *doc, const struct json_node *node,
                       struct arena *arena);

#endif
