/*
 * A strict reader of RFC 8259 text. It accepts what PostgreSQL's jsonb accepts and nothing more,
 * and remembers where each value stands in the text, so that a number can be stored as the very
 * characters that were sent. docs/architecture.md compares it with json-c and yyjson.
 *
 *     struct json_doc doc;
 *
 *     json_doc_init(&doc);
 *     if (json_read(&doc, body, 64, &fault) == 0) {
 *         const struct json_node *root = &doc.nodes[0];
 *
 *         for (member = json_first(&doc, root); member != NULL;
 *              member = json_next(&doc, root, member))
 *             ...
 *     }
 *     json_doc_release(&doc);
 *
 * A json_doc holds one document at a time and keeps its memory for the next one. The text must
 * outlive the document.
 */
#ifndef KOPRU_BASE_JSON_READ_H
#define KOPRU_BASE_JSON_READ_H

#include "base/slice.h"

#include <stdint.h>

struct arena;

/* json_read() never goes deeper than this, because json_write_canonical() recurses for each
   level. */
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

/* Nodes stand in the order of the text. A container is followed by everything inside it. */
struct json_node {
    uint32_t start;   /* offset of the value's first byte */
    uint32_t len;     /* bytes of its text, with quotes or brackets */
    uint32_t end;     /* index of the first node after this one and everything inside it */
    uint32_t key;     /* for a member of an object: offset of its name, inside the quotes */
    uint32_t key_len; /* bytes of the name's text, without quotes */
    uint8_t type;     /* enum json_type */
    bool escaped;     /* a string with backslashes */
    bool key_escaped;
    bool shadowed; /* a later member of the same object has the same name. The last one wins, and
                      json_next() skips this one */
};

struct json_doc {
    struct slice text;
    struct json_node *nodes; /* nodes[0] is the document */
    uint32_t count;
    uint32_t capacity;
};

enum json_fault_kind {
    JSON_FAULT_UTF8,   /* bytes that are not UTF-8, anywhere in the text; reported before anything
                          else */
    JSON_FAULT_SYNTAX, /* also an empty text, a raw control character, bytes after the document */
    JSON_FAULT_DEPTH,  /* nested deeper than max_depth. Of this and SYNTAX the one that comes first
                          in the text is reported */
    JSON_FAULT_NUL_ESCAPE,     /* \u0000, which PostgreSQL's text cannot hold */
    JSON_FAULT_LONE_SURROGATE, /* \ud800 without its other half */
    JSON_FAULT_MEMORY,         /* no memory, or a text of 4 GiB or more */
};

struct json_fault {
    enum json_fault_kind kind;
    size_t offset; /* of the first byte at fault */
};

void json_doc_init(struct json_doc *doc);
void json_doc_release(struct json_doc *doc);

/* Reads text, which must not begin with a byte order mark, into doc. Depth counts objects and
   arrays: the outermost has depth 1, a scalar adds none. Returns 0, or -1 with fault filled; doc is
   then empty. */
int json_read(struct json_doc *doc, struct slice text, unsigned max_depth,
              struct json_fault *fault);

/* Return the first member or element of a container, and the one after child; NULL if there is
   none. */
const struct json_node *json_first(const struct json_doc *doc, const struct json_node *container);
const struct json_node *json_next(const struct json_doc *doc, const struct json_node *container,
                                  const struct json_node *child);

/* Returns the member of that name (in decoded form), or NULL if there is none or the node is not an
   object. */
const struct json_node *json_member(const struct json_doc *doc, const struct json_node *object,
                                    struct slice name);

/* Returns the text of the value as it was sent. */
struct slice json_text(const struct json_doc *doc, const struct json_node *node);

/* Return the content of a string, and the name of a member, with escapes decoded. The result points
   into the text if there are no escapes, else into the arena. Its data is NULL when there is no
   memory. */
struct slice json_string(const struct json_doc *doc, const struct json_node *node,
                         struct arena *arena);
struct slice json_name(const struct json_doc *doc, const struct json_node *node,
                       struct arena *arena);

#endif
