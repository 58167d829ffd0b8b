#include "mapping/payload.h"

#include "base/numeric.h"
#include "base/text.h"
#include "mapping/convert.h"

#include <stdarg.h>
#include <stdlib.h>

/*
 * A refusal ends a message for good, so only rules of the contract are here, and nothing that a
 * retry could change: when memory runs out, the outcome is MAP_NO_MEMORY. The texts name the rule
 * and a byte offset and never quote the payload, because they are stored with the dead letter,
 * logged and shown to people who may not see what is in it.
 */

__attribute__((format(printf, 4, 5))) static enum map_outcome refuse(struct refusal *refusal,
                                                                     enum refusal_reason reason,
                                                                     const char *path,
                                                                     const char *format, ...)
{
    va_list args;

    *refusal = (struct refusal){ .reason = reason };
    text_set(refusal->path, sizeof(refusal->path), "%s", path);
    va_start(args, format);
    text_set_list(refusal->detail, sizeof(refusal->detail), format, args);
    va_end(args);
    return MAP_REFUSED;
}

static enum map_outcome refuse_fault(struct refusal *refusal, const struct json_fault *fault,
                                     size_t offset, unsigned max_depth)
{
    switch (fault->kind) {
    case JSON_FAULT_UTF8:
        return refuse(refusal, REFUSAL_INVALID_UNICODE, "", "not UTF-8 at byte offset %zu", offset);
    case JSON_FAULT_SYNTAX:
        return refuse(refusal, REFUSAL_NOT_JSON, "",
                      "not JSON as RFC 8259 defines it, at byte offset %zu", offset);
    case JSON_FAULT_DEPTH:
        return refuse(refusal, REFUSAL_TOO_DEEP, "",
                      "nested deeper than %u (limits.max_depth) at byte offset %zu", max_depth,
                      offset);
    case JSON_FAULT_NUL_ESCAPE:
        return refuse(refusal, REFUSAL_CONTAINS_NUL, "",
                      "\\u0000 at byte offset %zu: PostgreSQL's text cannot hold it", offset);
    case JSON_FAULT_LONE_SURROGATE:
        return refuse(refusal, REFUSAL_INVALID_UNICODE, "",
                      "an unpaired surrogate at byte offset %zu", offset);
    case JSON_FAULT_MEMORY:
        break;
    }
    return MAP_NO_MEMORY;
}

/* An exponent that numeric does not support is left for the database to refuse. */
size_t payload_written_out_bytes(const struct json_doc *doc)
{
    enum { LARGEST_EXPONENT = 131072 };
    struct numeric number;
    size_t bytes = 0;

    for (uint32_t i = 0; i < doc->count; i++) {
        const struct json_node *node = &doc->nodes[i];

        if (node->type == JSON_NUMBER && numeric_parse(json_text(doc, node), &number) &&
            abs(number.exponent) <= LARGEST_EXPONENT)
            bytes += (size_t)abs(number.exponent);
    }
    return bytes;
}

enum map_outcome payload_read(const struct mapping *mapping, struct slice body,
                              struct json_doc *doc, struct refusal *refusal)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    struct json_fault fault;
    size_t skip = 0;
    size_t written_out;

    if (body.len > mapping->max_message_bytes)
        return refuse(refusal, REFUSAL_TOO_LARGE, "",
                      "%zu bytes; the limit is %zu (limits.max_message_bytes)", body.len,
                      mapping->max_message_bytes);
    if (body.len >= 3 && memcmp(body.data, byte_order_mark, 3) == 0)
        skip = 3;
    if (body.len == skip)
        return refuse(refusal, REFUSAL_NOT_JSON, "", "the body is empty");
    if (json_read(doc, (struct slice){ body.data + skip, body.len - skip }, mapping->max_depth,
                  &fault) != 0)
        return refuse_fault(refusal, &fault, fault.offset + skip, mapping->max_depth);
    written_out = payload_written_out_bytes(doc);
    if (written_out > mapping->max_message_bytes)
        return refuse(refusal, REFUSAL_TOO_LARGE, "",
                      "its numbers take %zu bytes when written out; the limit is %zu "
                      "(limits.max_message_bytes)",
                      written_out, mapping->max_message_bytes);
    if (doc->nodes[0].type != JSON_OBJECT)
        return refuse(refusal, REFUSAL_NOT_OBJECT, "$", "the body is JSON, but not an object");
    return MAP_ACCEPTED;
}

enum map_outcome payload_id(struct reading *reading, const struct object_view *view,
                            struct slice *id, struct refusal *refusal)
{
    const char *path = reading->mapping->id_path;

    if (!object_has(view, 0))
        return refuse(refusal, REFUSAL_MISSING_ID, path, "absent or null");
    switch (convert_key(reading, view->found[0], id)) {
    case CONVERT_HELD:
    case CONVERT_IN_PART:
        return MAP_ACCEPTED;
    case CONVERT_MISFIT:
        return refuse(
            refusal, REFUSAL_INVALID_ID, path,
            "neither a string of 1 to %d bytes nor an integer without fraction and exponent",
            ENTITY_KEY_MAX_BYTES);
    case CONVERT_NO_MEMORY:
        break;
    }
    return MAP_NO_MEMORY;
}

static bool is_integer(struct slice name)
{
    size_t at = name.len > 1 && name.data[0] == '-';

    if (name.len == 0)
        return false;
    for (; at < name.len; at++)
        if (name.data[at] < '0' || name.data[at] > '9')
            return false;
    return true;
}

/* Whether an object has numbers for names and no name that an element has. Names that an element
   has make it an element, whatever else it has. Returns false when there is no memory. */
static bool find_numbered(struct reading *reading, const struct path_level *element,
                          const struct json_node *object, bool *numbered)
{
    const struct json_doc *doc = reading->doc;

    *numbered = false;
    for (const struct json_node *node = json_first(doc, object); node != NULL;
         node = json_next(doc, object, node)) {
        struct slice name = json_name(doc, node, reading->arena);

        if (name.data == NULL)
            return false;
        if (path_find(element, name) != NULL) {
            *numbered = false;
            return true;
        }
        *numbered = *numbered || is_integer(name);
    }
    return true;
}

/* Sets what is wrong with the value of a set, or NULL. Returns false when there is no memory. */
static bool find_array_fault(struct reading *reading, uint32_t set, const struct json_node *node,
                             const char **fault)
{
    const struct mapping *mapping = reading->mapping;
    const struct mapping_child *child = &mapping->children[mapping->sets[set].child];
    bool numbered = false;

    *fault = NULL;
    if (node == NULL || node->type == JSON_ARRAY || node->type == JSON_NULL)
        return true;
    if (node->type != JSON_OBJECT)
        *fault = "a scalar where an array of objects belongs";
    else if (!find_numbered(reading, &child->object.paths, node, &numbered))
        return false;
    else if (numbered)
        *fault = "an object with numbers for names where an array of objects belongs";
    return true;
}

enum map_outcome payload_check_arrays(struct reading *reading, const struct object_view *view,
                                      struct slice id, struct refusal *refusal)
{
    const struct mapping *mapping = reading->mapping;

    for (uint32_t set = 0; set < mapping->entity.set_count; set++) {
        const struct json_node *node = view->found[1 + set];
        char path[sizeof(refusal->path)];
        const char *fault;

        if (!find_array_fault(reading, set, node, &fault))
            return MAP_NO_MEMORY;
        if (fault == NULL)
            continue;
        text_set(path, sizeof(path), "$.%.*s", SLICE_ARG(mapping->sets[set].array));
        refuse(refusal, REFUSAL_INVALID_STRUCTURE, path, "%s", fault);
        refusal->entity_id = arena_copy_slice(reading->arena, id); /* id may point into the body */
        return refusal->entity_id.data != NULL ? MAP_REFUSED : MAP_NO_MEMORY;
    }
    return MAP_ACCEPTED;
}
