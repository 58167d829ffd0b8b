/*
 * kopru decides in memory whether a jsonb column changes, and must not rewrite a row that holds the
 * same value in another spelling. So the text written here has to be the one that PostgreSQL sends
 * back for the value, byte for byte: the order of names, the spaces, the escapes and the numbers.
 * The end-to-end tests compare it with a running server. The members of an object are sorted in one
 * array that serves as a stack for all levels, so that a document costs one allocation and not one
 * for each object.
 */
#include "base/json_canonical.h"
#include "base/json_read.h"

#include "base/json_string.h"
#include "base/numeric.h"

#include <stdlib.h>
#include <string.h>

/* Exponents beyond this stay as they were sent. */
enum { CANONICAL_MAX_EXPONENT = 64 };

struct writer {
    const struct json_doc *doc;
    struct buffer *out;
    uint32_t *members; /* a stack of node indexes: the members of each object on the way down */
    size_t count;
    size_t capacity;
};

static void write_control(char byte, struct buffer *out)
{
    switch (byte) {
    case '"':
        buffer_append(out, "\\\"", 2);
        break;
    case '\\':
        buffer_append(out, "\\\\", 2);
        break;
    case '\b':
        buffer_append(out, "\\b", 2);
        break;
    case '\f':
        buffer_append(out, "\\f", 2);
        break;
    case '\n':
        buffer_append(out, "\\n", 2);
        break;
    case '\r':
        buffer_append(out, "\\r", 2);
        break;
    case '\t':
        buffer_append(out, "\\t", 2);
        break;
    default:
        buffer_append_format(out, "\\u%04x", (unsigned)(unsigned char)byte);
    }
}

static void write_content(struct slice text, struct buffer *out)
{
    const char *at = text.data;
    const char *end = text.data + text.len;

    while (at < end) {
        const char *stop = json_plain_end(at, end);

        buffer_append(out, at, (size_t)(stop - at));
        if (stop < end)
            write_control(*stop++, out);
        at = stop;
    }
}

void json_write_string(struct slice text, struct buffer *out)
{
    buffer_append_byte(out, '"');
    if (text.len > 0)
        write_content(text, out);
    buffer_append_byte(out, '"');
}

size_t json_string_bytes(struct slice text)
{
    static const char short_escapes[] = { '"', '\\', '\b', '\f', '\n', '\r', '\t' };
    const char *at = text.data;
    const char *end = text.data + text.len;
    size_t bytes = text.len + 2;

    while (text.len > 0 && (at = json_plain_end(at, end)) < end)
        bytes += memchr(short_escapes, *at++, sizeof(short_escapes)) != NULL ? 1 : strlen("u0000");
    return bytes;
}

/* Writes a string that stands in the text, and spells its escapes as jsonb does. */
static void write_raw_string(struct slice raw, bool escaped, struct buffer *out)
{
    const char *at = raw.data;
    const char *end = raw.data + raw.len;

    buffer_append_byte(out, '"');
    while (escaped && at < end) {
        const char *stop = memchr(at, '\\', (size_t)(end - at));
        char bytes[4];

        if (stop == NULL)
            break;
        buffer_append(out, at, (size_t)(stop - at));
        at = stop;
        write_content((struct slice){ bytes, json_escape_decode(&at, bytes) }, out);
    }
    buffer_append(out, at, (size_t)(end - at));
    buffer_append_byte(out, '"');
}

static void write_number(struct slice text, int max_exponent, struct buffer *out)
{
    struct numeric number;

    if (numeric_parse(text, &number) && number.exponent <= max_exponent &&
        number.exponent >= -max_exponent)
        numeric_write(&number, out);
    else
        buffer_append_slice(out, text);
}

void json_write_numeric(struct slice number, struct buffer *out)
{
    write_number(number, NUMERIC_MAX_EXPONENT, out);
}

static bool push_member(struct writer *writer, const struct json_node *member)
{
    if (writer->count == writer->capacity) {
        size_t capacity = writer->capacity == 0 ? 64 : writer->capacity * 2;
        uint32_t *members = reallocarray(writer->members, capacity, sizeof(*members));

        if (members == NULL) {
            writer->out->failed = true;
            return false;
        }
        writer->members = members;
        writer->capacity = capacity;
    }
    writer->members[writer->count++] = (uint32_t)(member - writer->doc->nodes);
    return true;
}

static void write_value(struct writer *writer, const struct json_node *node);

static void write_array(struct writer *writer, const struct json_node *array)
{
    const struct json_node *first = json_first(writer->doc, array);

    buffer_append_byte(writer->out, '[');
    for (const struct json_node *element = first; element != NULL;
         element = json_next(writer->doc, array, element)) {
        if (element != first)
            buffer_append(writer->out, ", ", 2);
        write_value(writer, element);
    }
    buffer_append_byte(writer->out, ']');
}

static void write_object(struct writer *writer, const struct json_node *object)
{
    const struct json_doc *doc = writer->doc;
    size_t first = writer->count;
    size_t end;

    for (const struct json_node *member = json_first(doc, object); member != NULL;
         member = json_next(doc, object, member))
        if (!push_member(writer, member))
            return;
    end = writer->count;
    if (end > first)
        json_sort_by_name(doc, writer->members + first, end - first);
    buffer_append_byte(writer->out, '{');
    for (size_t i = first; i < end; i++) {
        const struct json_node *member = &doc->nodes[writer->members[i]];

        if (i > first)
            buffer_append(writer->out, ", ", 2);
        write_raw_string(json_raw_name(doc, member), member->key_escaped, writer->out);
        buffer_append(writer->out, ": ", 2);
        write_value(writer, member);
    }
    buffer_append_byte(writer->out, '}');
    writer->count = first;
}

/* Recurses as deep as the document is nested, which json_read() has limited. */
static void write_value(struct writer *writer, const struct json_node *node)
{
    switch ((enum json_type)node->type) {
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE:
        buffer_append_slice(writer->out, json_text(writer->doc, node));
        break;
    case JSON_NUMBER:
        write_number(json_text(writer->doc, node), CANONICAL_MAX_EXPONENT, writer->out);
        break;
    case JSON_STRING:
        write_raw_string(json_raw_string(writer->doc, node), node->escaped, writer->out);
        break;
    case JSON_ARRAY:
        write_array(writer, node);
        break;
    case JSON_OBJECT:
        write_object(writer, node);
        break;
    }
}

void json_write_canonical(const struct json_doc *doc, const struct json_node *node,
                          struct buffer *out)
{
    struct writer writer = { .doc = doc, .out = out };

    write_value(&writer, node);
    free(writer.members);
}
