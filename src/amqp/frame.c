#include "amqp/frame.h"

#include "amqp/connect.h"

#include <stdint.h>
#include <string.h>

/*
 * This is a second reader of what rabbitmq-c reads anyway, so it is kept as small as it can be: it
 * skips values and never interprets them. It looks only where the library has gone wrong: at the
 * sizes, at the nesting of tables, and at the three properties up to and including headers. What it
 * lets through, the library decodes. A headers table that the library would refuse is kept as a
 * byte array instead of being dropped, because a dead letter must show what was sent.
 */

enum {
    FLAG_CONTENT_TYPE = 0x8000,
    FLAG_CONTENT_ENCODING = 0x4000,
    FLAG_HEADERS = 0x2000,
    /* Bit 0 announces another word of flags, and AMQP 0-9-1 defines none. RabbitMQ ignores both
       bits. */
    FLAGS_WITHOUT_MEANING = 0x0003,

    METHOD_MIN_BYTES = 4,
    CONTENT_MIN_BYTES = 14, /* class, weight, body size, flags */
    FLAGS_AT = FRAME_HEAD_BYTES + 12,
};

static const char UNDECODABLE[] = "\x0bundecodable";

/* The bytes that are left to read. */
struct span {
    const unsigned char *at;
    size_t left;
};

static uint32_t read_32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_32(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)(value >> 24);
    at[1] = (unsigned char)(value >> 16);
    at[2] = (unsigned char)(value >> 8);
    at[3] = (unsigned char)value;
}

static bool skip(struct span *span, size_t count)
{
    if (span->left < count)
        return false;
    span->at += count;
    span->left -= count;
    return true;
}

/* Takes a piece that begins with its length, which is itself length_bytes long: 1 or 4. */
static bool take_piece(struct span *span, size_t length_bytes, struct span *piece)
{
    const unsigned char *at = span->at;

    if (!skip(span, length_bytes))
        return false;
    piece->left = length_bytes == 1 ? at[0] : read_32(at);
    piece->at = span->at;
    return skip(span, piece->left);
}

long frame_length(const unsigned char *bytes, size_t len, size_t max_bytes)
{
    uint32_t size;

    if (len < FRAME_HEAD_BYTES)
        return 0;
    size = read_32(bytes + 3);
    switch (bytes[0]) {
    case AMQP_FRAME_METHOD:
    case AMQP_FRAME_HEADER:
    case AMQP_FRAME_BODY:
    case AMQP_FRAME_HEARTBEAT:
        break;
    default:
        return -1;
    }
    if (bytes[1] != 0 || bytes[2] > AMQP_CHANNEL || size > max_bytes - FRAME_OVERHEAD_BYTES)
        return -1;
    return (long)size + FRAME_OVERHEAD_BYTES;
}

static bool skip_array(struct span array, int depth);
static bool skip_table(struct span table, int depth);

static bool skip_value(struct span *span, int depth)
{
    struct span piece;
    unsigned char kind = span->left > 0 ? span->at[0] : 0;

    if (!skip(span, 1))
        return false;
    switch ((amqp_field_value_kind_t)kind) {
    case AMQP_FIELD_KIND_VOID:
        return true;
    case AMQP_FIELD_KIND_BOOLEAN:
    case AMQP_FIELD_KIND_I8:
    case AMQP_FIELD_KIND_U8:
        return skip(span, 1);
    case AMQP_FIELD_KIND_I16:
    case AMQP_FIELD_KIND_U16:
        return skip(span, 2);
    case AMQP_FIELD_KIND_I32:
    case AMQP_FIELD_KIND_U32:
    case AMQP_FIELD_KIND_F32:
        return skip(span, 4);
    case AMQP_FIELD_KIND_DECIMAL:
        return skip(span, 5);
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_F64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        return skip(span, 8);
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        return take_piece(span, 4, &piece);
    case AMQP_FIELD_KIND_ARRAY:
        return take_piece(span, 4, &piece) && skip_array(piece, depth + 1);
    case AMQP_FIELD_KIND_TABLE:
        return take_piece(span, 4, &piece) && skip_table(piece, depth + 1);
    }
    return false;
}

static bool skip_array(struct span array, int depth)
{
    if (depth > FRAME_TABLE_MAX_DEPTH)
        return false;
    while (array.left > 0)
        if (!skip_value(&array, depth))
            return false;
    return true;
}

static bool skip_table(struct span table, int depth)
{
    struct span name;

    if (depth > FRAME_TABLE_MAX_DEPTH)
        return false;
    while (table.left > 0)
        if (!take_piece(&table, 1, &name) || !skip_value(&table, depth))
            return false;
    return true;
}

/* Replaces the table at table_at, whose content has table_len bytes, by one with a single field. */
static bool replace_table(unsigned char *bytes, size_t *len, size_t max_bytes, size_t table_at,
                          size_t table_len)
{
    size_t name_len = sizeof(UNDECODABLE) - 1;
    size_t added = name_len + 1 + 4;
    size_t rest_at = table_at + 4 + table_len;
    size_t cut = *len + added <= max_bytes ? 0 : *len + added - max_bytes;
    size_t kept = table_len - cut;
    unsigned char *content = bytes + table_at + 4;

    if (cut > table_len)
        return false;
    /* The end is moved first, so that nothing is overwritten before it has been moved. */
    memmove(content + added + kept, bytes + rest_at, *len - rest_at);
    memmove(content + added, content, kept);
    memcpy(content, UNDECODABLE, name_len);
    content[name_len] = AMQP_FIELD_KIND_BYTES;
    write_32(content + name_len + 1, kept);
    write_32(bytes + table_at, added + kept);
    *len = *len + added + kept - table_len;
    write_32(bytes + 3, *len - FRAME_OVERHEAD_BYTES);
    return true;
}

static bool prepare_header(unsigned char *bytes, size_t *len, size_t max_bytes)
{
    struct span left = { bytes + FLAGS_AT + 2, *len - 1 - FLAGS_AT - 2 };
    struct span piece;
    unsigned flags;

    bytes[FLAGS_AT + 1] &= (unsigned char)~FLAGS_WITHOUT_MEANING;
    flags = (unsigned)bytes[FLAGS_AT] << 8 | bytes[FLAGS_AT + 1];
    if ((flags & FLAG_CONTENT_TYPE) != 0 && !take_piece(&left, 1, &piece))
        return false;
    if ((flags & FLAG_CONTENT_ENCODING) != 0 && !take_piece(&left, 1, &piece))
        return false;
    if ((flags & FLAG_HEADERS) == 0)
        return true;
    if (!take_piece(&left, 4, &piece))
        return false;
    return skip_table(piece, 1) ||
           replace_table(bytes, len, max_bytes, (size_t)(piece.at - bytes) - 4, piece.left);
}

bool frame_prepare(unsigned char *bytes, size_t *len, size_t max_bytes)
{
    size_t content_len = *len - FRAME_OVERHEAD_BYTES;

    if (bytes[*len - 1] != AMQP_FRAME_END)
        return false;
    if (bytes[0] == AMQP_FRAME_METHOD)
        return content_len >= METHOD_MIN_BYTES;
    if (bytes[0] != AMQP_FRAME_HEADER)
        return true;
    return content_len >= CONTENT_MIN_BYTES && prepare_header(bytes, len, max_bytes);
}
