/*
 * The reader keeps offsets in one flat array of nodes, and neither copies text nor recurses. So the
 * memory of a document is 24 bytes a value with room to grow, whatever the text says, a document of
 * brackets alone cannot use up the stack, and a column can hold the characters that were sent.
 * While a container is open its `end` names the container around it, which makes the array its own
 * stack. Faults are found in the order in which the contract ranks them: UTF-8 is checked before
 * parsing, and escapes that are grammatical but cannot be stored are only noted, because a later
 * syntax error is the reason that counts.
 */
#include "base/json_read.h"

#include "base/json_string.h"
#include "base/numeric.h"
#include "base/utf8.h"

#include <stdlib.h>

enum {
    FIRST_NODES = 128,
    KEPT_NODES = 32768, /* the memory of a larger document is not kept for the next one */
    FEW_MEMBERS = 16,   /* up to here each name is compared with every other */
};

#define NO_NODE UINT32_MAX
#define NOWHERE SIZE_MAX

struct reader {
    struct json_doc *doc;
    const char *at;
    const char *end;
    uint32_t open; /* the innermost open container. While it is open, its `end` is the index of the
                      one around it */
    unsigned depth;
    unsigned max_depth;
    size_t nul_escape;     /* the offset of the first one, or NOWHERE */
    size_t lone_surrogate; /* the offset of the first one, or NOWHERE */
    struct json_fault *fault;
};

struct name {
    uint32_t start;
    uint32_t len;
    bool escaped;
};

void json_doc_init(struct json_doc *doc)
{
    memset(doc, 0, sizeof(*doc));
}

void json_doc_release(struct json_doc *doc)
{
    free(doc->nodes);
    json_doc_init(doc);
}

static uint32_t offset_of(const struct reader *reader, const char *at)
{
    return (uint32_t)(at - reader->doc->text.data);
}

static bool fail(struct reader *reader, enum json_fault_kind kind, const char *at)
{
    *reader->fault = (struct json_fault){ kind, offset_of(reader, at) };
    return false;
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

/* Takes one byte of punctuation. */
static bool expect(struct reader *reader, char byte)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != byte)
        return fail(reader, JSON_FAULT_SYNTAX, reader->at);
    reader->at++;
    return true;
}

static bool grow_nodes(struct reader *reader)
{
    struct json_doc *doc = reader->doc;
    uint32_t capacity = doc->capacity == 0 ? FIRST_NODES : doc->capacity * 2;
    struct json_node *nodes;

    if (capacity <= doc->capacity)
        return fail(reader, JSON_FAULT_MEMORY, reader->at);
    nodes = realloc(doc->nodes, capacity * sizeof(*nodes));
    if (nodes == NULL)
        return fail(reader, JSON_FAULT_MEMORY, reader->at);
    doc->nodes = nodes;
    doc->capacity = capacity;
    return true;
}

/* Adds a value that begins at `start` and ends where the reader is. */
static bool add_node(struct reader *reader, enum json_type type, const char *start,
                     const struct name *name, bool escaped)
{
    struct json_doc *doc = reader->doc;

    if (doc->count == doc->capacity && !grow_nodes(reader))
        return false;
    doc->nodes[doc->count] = (struct json_node){
        .start = offset_of(reader, start),
        .len = (uint32_t)(reader->at - start),
        .end = doc->count + 1,
        .key = name->start,
        .key_len = name->len,
        .type = (uint8_t)type,
        .escaped = escaped,
        .key_escaped = name->escaped,
    };
    doc->count++;
    return true;
}

static void note(size_t *first, size_t offset)
{
    if (*first == NOWHERE)
        *first = offset;
}

/* Takes `\uXXXX`, or two of them that form one character. */
static bool read_unicode_escape(struct reader *reader)
{
    const char *start = reader->at;
    int code = reader->end - start >= 6 ? json_hex4(start + 2) : -1;
    int next = -1;

    if (code < 0) {
        reader->at += 2;
        while (reader->at < reader->end && strchr("0123456789abcdefABCDEF", *reader->at) != NULL &&
               *reader->at != '\0')
            reader->at++;
        return fail(reader, JSON_FAULT_SYNTAX, reader->at);
    }
    reader->at += 6;
    if (code == 0)
        note(&reader->nul_escape, offset_of(reader, start));
    if (code < 0xD800 || code > 0xDFFF)
        return true;
    if (reader->end - reader->at >= 6 && reader->at[0] == '\\' && reader->at[1] == 'u')
        next = json_hex4(reader->at + 2);
    if (code <= 0xDBFF && next >= 0xDC00 && next <= 0xDFFF)
        reader->at += 6;
    else
        note(&reader->lone_surrogate, offset_of(reader, start));
    return true;
}

static bool read_escape(struct reader *reader)
{
    if (reader->end - reader->at < 2)
        return fail(reader, JSON_FAULT_SYNTAX, reader->end);
    switch (reader->at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        reader->at += 2;
        return true;
    case 'u':
        return read_unicode_escape(reader);
    default:
        return fail(reader, JSON_FAULT_SYNTAX, reader->at + 1);
    }
}

/* Takes a string; the reader stands on its first quote. */
static bool read_string(struct reader *reader, bool *escaped)
{
    *escaped = false;
    reader->at++;
    for (;;) {
        reader->at = json_plain_end(reader->at, reader->end);
        if (reader->at == reader->end || (*reader->at != '"' && *reader->at != '\\'))
            return fail(reader, JSON_FAULT_SYNTAX, reader->at);
        if (*reader->at == '"') {
            reader->at++;
            return true;
        }
        *escaped = true;
        if (!read_escape(reader))
            return false;
    }
}

static bool read_name(struct reader *reader, struct name *name)
{
    const char *start = reader->at;

    if (start == reader->end || *start != '"')
        return fail(reader, JSON_FAULT_SYNTAX, start);
    if (!read_string(reader, &name->escaped))
        return false;
    name->start = offset_of(reader, start + 1);
    name->len = (uint32_t)(reader->at - start - 2);
    return expect(reader, ':');
}

static bool read_literal(struct reader *reader, const char *literal)
{
    while (*literal != '\0') {
        if (reader->at == reader->end || *reader->at != *literal)
            return fail(reader, JSON_FAULT_SYNTAX, reader->at);
        reader->at++;
        literal++;
    }
    return true;
}

static bool read_number(struct reader *reader)
{
    size_t fault_at;
    size_t len = numeric_scan((struct slice){ reader->at, (size_t)(reader->end - reader->at) },
                              NULL, &fault_at);

    if (len == 0)
        return fail(reader, JSON_FAULT_SYNTAX, reader->at + fault_at);
    reader->at += len;
    return true;
}

static bool open_container(struct reader *reader, enum json_type type, const struct name *name)
{
    const char *start = reader->at;

    if (reader->depth == reader->max_depth)
        return fail(reader, JSON_FAULT_DEPTH, start);
    reader->at++;
    if (!add_node(reader, type, start, name, false))
        return false;
    reader->depth++;
    reader->doc->nodes[reader->doc->count - 1].end = reader->open;
    reader->open = reader->doc->count - 1;
    return true;
}

/* Marks all but the last of equal names by sorting, so that many members do not cost the square of
   their number. */
static bool shadow_many(struct json_doc *doc, uint32_t first)
{
    uint32_t *members;
    size_t count = 0;

    for (uint32_t i = first; i < doc->count; i = doc->nodes[i].end)
        count++;
    members = reallocarray(NULL, count, sizeof(*members));
    if (members == NULL)
        return false;
    count = 0;
    for (uint32_t i = first; i < doc->count; i = doc->nodes[i].end)
        members[count++] = i;
    json_sort_by_name(doc, members, count);
    for (size_t i = 0; i + 1 < count; i++) {
        struct json_node *member = &doc->nodes[members[i]];

        member->shadowed = json_compare_members(doc, member, &doc->nodes[members[i + 1]]) == 0;
    }
    free(members);
    return true;
}

/* Marks the shadowed members of the object that was just read. `first` is its first member. */
static bool shadow_duplicates(struct json_doc *doc, uint32_t first)
{
    struct json_node *members[FEW_MEMBERS];
    size_t count = 0;

    for (uint32_t i = first; i < doc->count; i = doc->nodes[i].end) {
        struct json_node *member = &doc->nodes[i];

        if (count == FEW_MEMBERS)
            return shadow_many(doc, first);
        for (size_t earlier = 0; earlier < count; earlier++)
            if (json_compare_members(doc, members[earlier], member) == 0)
                members[earlier]->shadowed = true;
        members[count++] = member;
    }
    return true;
}

static bool close_container(struct reader *reader)
{
    struct json_doc *doc = reader->doc;
    uint32_t index = reader->open;
    struct json_node *container = &doc->nodes[index];

    reader->at++;
    reader->depth--;
    reader->open = container->end;
    container->end = doc->count;
    container->len = offset_of(reader, reader->at) - container->start;
    if (container->type != JSON_OBJECT ||
        reader->lone_surrogate != NOWHERE) /* a name that holds one cannot be decoded */
        return true;
    return shadow_duplicates(doc, index + 1) || fail(reader, JSON_FAULT_MEMORY, reader->at);
}

/* Takes a scalar, or the opening bracket of a container. */
static bool read_value(struct reader *reader, const struct name *name)
{
    const char *start = reader->at;
    bool escaped = false;
    enum json_type type;

    if (start == reader->end)
        return fail(reader, JSON_FAULT_SYNTAX, start);
    switch (*start) {
    case '{':
        return open_container(reader, JSON_OBJECT, name);
    case '[':
        return open_container(reader, JSON_ARRAY, name);
    case '"':
        type = JSON_STRING;
        if (!read_string(reader, &escaped))
            return false;
        break;
    case 't':
        type = JSON_TRUE;
        if (!read_literal(reader, "true"))
            return false;
        break;
    case 'f':
        type = JSON_FALSE;
        if (!read_literal(reader, "false"))
            return false;
        break;
    case 'n':
        type = JSON_NULL;
        if (!read_literal(reader, "null"))
            return false;
        break;
    default:
        type = JSON_NUMBER;
        if (!read_number(reader))
            return false;
    }
    return add_node(reader, type, start, name, escaped);
}

/* Takes the next thing inside the open container: a member, an element, or its closing bracket. */
static bool read_item(struct reader *reader)
{
    const struct json_node *container = &reader->doc->nodes[reader->open];
    bool is_object = container->type == JSON_OBJECT;
    bool is_first = reader->open == reader->doc->count - 1;
    struct name name = { 0 };

    skip_space(reader);
    if (reader->at < reader->end && *reader->at == (is_object ? '}' : ']'))
        return close_container(reader);
    if (!is_first) {
        if (!expect(reader, ','))
            return false;
        skip_space(reader);
    }
    if (is_object) {
        if (!read_name(reader, &name))
            return false;
        skip_space(reader);
    }
    return read_value(reader, &name);
}

static bool read_document(struct reader *reader)
{
    static const struct name no_name;

    skip_space(reader);
    if (!read_value(reader, &no_name))
        return false;
    while (reader->open != NO_NODE)
        if (!read_item(reader))
            return false;
    skip_space(reader);
    if (reader->at < reader->end)
        return fail(reader, JSON_FAULT_SYNTAX, reader->at);
    return true;
}

/* Reports an escape that the grammar allows and PostgreSQL cannot store. */
static bool has_bad_escape(const struct reader *reader)
{
    if (reader->nul_escape != NOWHERE)
        *reader->fault = (struct json_fault){ JSON_FAULT_NUL_ESCAPE, reader->nul_escape };
    else if (reader->lone_surrogate != NOWHERE)
        *reader->fault = (struct json_fault){ JSON_FAULT_LONE_SURROGATE, reader->lone_surrogate };
    else
        return false;
    return true;
}

int json_read(struct json_doc *doc, struct slice text, unsigned max_depth, struct json_fault *fault)
{
    struct reader reader = {
        .doc = doc,
        .at = text.data,
        .end = text.len > 0 ? text.data + text.len : text.data,
        .open = NO_NODE,
        .max_depth = max_depth < JSON_MAX_DEPTH ? max_depth : JSON_MAX_DEPTH,
        .nul_escape = NOWHERE,
        .lone_surrogate = NOWHERE,
        .fault = fault,
    };
    size_t valid_len;

    if (doc->capacity > KEPT_NODES)
        json_doc_release(doc);
    doc->text = text;
    doc->count = 0;
    valid_len = utf8_valid_len(text);
    if (text.len >= UINT32_MAX)
        *fault = (struct json_fault){ JSON_FAULT_MEMORY, 0 };
    else if (text.len == 0)
        *fault = (struct json_fault){ JSON_FAULT_SYNTAX, 0 };
    else if (valid_len < text.len)
        *fault = (struct json_fault){ JSON_FAULT_UTF8, valid_len };
    else if (read_document(&reader) && !has_bad_escape(&reader))
        return 0;
    doc->count = 0;
    return -1;
}

static const struct json_node *first_visible(const struct json_doc *doc, uint32_t index,
                                             uint32_t end)
{
    while (index < end && doc->nodes[index].shadowed)
        index = doc->nodes[index].end;
    return index < end ? &doc->nodes[index] : NULL;
}

const struct json_node *json_first(const struct json_doc *doc, const struct json_node *container)
{
    return first_visible(doc, (uint32_t)(container - doc->nodes) + 1, container->end);
}

const struct json_node *json_next(const struct json_doc *doc, const struct json_node *container,
                                  const struct json_node *child)
{
    return first_visible(doc, child->end, container->end);
}

struct slice json_text(const struct json_doc *doc, const struct json_node *node)
{
    return (struct slice){ doc->text.data + node->start, node->len };
}
