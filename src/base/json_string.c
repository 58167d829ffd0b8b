/*
 * Most strings and names of a payload have no escapes, so everything here has a fast path that
 * leaves the bytes where they are. Plain text is scanned eight bytes at a time, because strings are
 * most of a payload. Names must be compared in decoded form, or "a" and "\u0061" would be two
 * members; a cursor decodes them byte by byte, so that comparing needs no memory and cannot fail in
 * the middle of a sort.
 */
#include "base/json_string.h"

#include "base/arena.h"
#include "base/hex.h"
#include "base/utf8.h"

#include <endian.h>
#include <stdlib.h>

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Sets the high bit of each byte below `limit`. Bytes after the first such byte may be set by
   mistake. */
static inline uint64_t bytes_below(uint64_t word, unsigned char limit)
{
    return (word - EACH_BYTE(limit)) & ~word & EACH_BYTE(0x80);
}

const char *json_plain_end(const char *at, const char *end)
{
    while (end - at >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word;
        uint64_t found;

        memcpy(&word, at, sizeof(word));
        word = le64toh(word); /* the first byte of the text becomes the lowest */
        found = bytes_below(word, 0x20) | bytes_below(word ^ EACH_BYTE('"'), 1) |
                bytes_below(word ^ EACH_BYTE('\\'), 1);
        if (found != 0)
            return at + __builtin_ctzll(found) / 8;
        at += sizeof(word);
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

int json_hex4(const char *at)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t decode_unicode(const char **at, char out[4])
{
    uint32_t code = (uint32_t)json_hex4(*at);

    *at += 4;
    if (code >= 0xD800 && code <= 0xDBFF) {
        uint32_t low = (uint32_t)json_hex4(*at + 2);

        *at += 6;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return utf8_encode(code, out);
}

size_t json_escape_decode(const char **at, char out[4])
{
    char kind = (*at)[1];

    *at += 2;
    switch (kind) {
    case 'u':
        return decode_unicode(at, out);
    case 'b':
        out[0] = '\b';
        break;
    case 'f':
        out[0] = '\f';
        break;
    case 'n':
        out[0] = '\n';
        break;
    case 'r':
        out[0] = '\r';
        break;
    case 't':
        out[0] = '\t';
        break;
    default:
        out[0] = kind;
    }
    return 1;
}

struct slice json_raw_string(const struct json_doc *doc, const struct json_node *string)
{
    return (struct slice){ doc->text.data + string->start + 1, string->len - 2 };
}

struct slice json_raw_name(const struct json_doc *doc, const struct json_node *member)
{
    return (struct slice){ doc->text.data + member->key, member->key_len };
}

/* The decoded text is never longer than the raw one. */
static struct slice unescape(struct slice raw, struct arena *arena)
{
    const char *at = raw.data;
    const char *end = raw.data + raw.len;
    char *start = arena_alloc(arena, raw.len);
    char *place = start;

    if (start == NULL)
        return (struct slice){ NULL, 0 };
    while (at < end) {
        if (*at != '\\')
            *place++ = *at++;
        else {
            char bytes[4];
            size_t len = json_escape_decode(&at, bytes);

            memcpy(place, bytes, len);
            place += len;
        }
    }
    return (struct slice){ start, (size_t)(place - start) };
}

struct slice json_string(const struct json_doc *doc, const struct json_node *node,
                         struct arena *arena)
{
    struct slice raw = json_raw_string(doc, node);

    return node->escaped ? unescape(raw, arena) : raw;
}

struct slice json_name(const struct json_doc *doc, const struct json_node *node,
                       struct arena *arena)
{
    struct slice raw = json_raw_name(doc, node);

    return node->key_escaped ? unescape(raw, arena) : raw;
}

struct name_cursor {
    const char *at;
    const char *end;
    bool escaped;
    char pending[4]; /* bytes of the last escape, of which [next, count) are still to come */
    size_t next;
    size_t count;
};

static struct name_cursor cursor_of(struct slice raw, bool escaped)
{
    return (struct name_cursor){ .at = raw.data, .end = raw.data + raw.len, .escaped = escaped };
}

/* Returns the next byte as an unsigned char, or -1 at the end. */
static int cursor_next(struct name_cursor *cursor)
{
    if (cursor->next < cursor->count)
        return (unsigned char)cursor->pending[cursor->next++];
    if (cursor->at == cursor->end)
        return -1;
    if (!cursor->escaped || *cursor->at != '\\')
        return (unsigned char)*cursor->at++;
    cursor->count = json_escape_decode(&cursor->at, cursor->pending);
    cursor->next = 1;
    return (unsigned char)cursor->pending[0];
}

static size_t decoded_len(struct name_cursor cursor)
{
    size_t len = 0;

    while (cursor_next(&cursor) >= 0)
        len++;
    return len;
}

static int compare_decoded(struct name_cursor a, struct name_cursor b)
{
    size_t a_len = decoded_len(a);
    size_t b_len = decoded_len(b);

    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    for (;;) {
        int a_byte = cursor_next(&a);
        int b_byte = cursor_next(&b);

        if (a_byte != b_byte || a_byte < 0)
            return a_byte - b_byte;
    }
}

int json_compare_members(const struct json_doc *doc, const struct json_node *a,
                         const struct json_node *b)
{
    struct slice a_raw = json_raw_name(doc, a);
    struct slice b_raw = json_raw_name(doc, b);

    if (a->key_escaped || b->key_escaped)
        return compare_decoded(cursor_of(a_raw, a->key_escaped), cursor_of(b_raw, b->key_escaped));
    if (a_raw.len != b_raw.len)
        return a_raw.len < b_raw.len ? -1 : 1;
    return memcmp(a_raw.data, b_raw.data, a_raw.len);
}

static int order_members(const void *a, const void *b, void *context)
{
    const struct json_doc *doc = context;
    uint32_t a_index = *(const uint32_t *)a;
    uint32_t b_index = *(const uint32_t *)b;
    int order = json_compare_members(doc, &doc->nodes[a_index], &doc->nodes[b_index]);

    return order != 0 ? order : (a_index > b_index) - (a_index < b_index);
}

void json_sort_by_name(const struct json_doc *doc, uint32_t *members, size_t count)
{
    struct json_doc context = *doc;

    if (count > 1)
        qsort_r(members, count, sizeof(*members), order_members, &context);
}

const struct json_node *json_member(const struct json_doc *doc, const struct json_node *object,
                                    struct slice name)
{
    const struct json_node *member;

    if (object->type != JSON_OBJECT)
        return NULL;
    for (member = json_first(doc, object); member != NULL;
         member = json_next(doc, object, member)) {
        struct slice raw = json_raw_name(doc, member);

        if (!member->key_escaped
                ? slice_equal(raw, name)
                : compare_decoded(cursor_of(raw, true), cursor_of(name, false)) == 0)
            return member;
    }
    return NULL;
}
