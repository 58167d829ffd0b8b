#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

void buffer_init(struct buffer *buf, size_t max_bytes)
{
    *buf = (struct buffer){ .max_bytes = max_bytes };
}

void buffer_release(struct buffer *buf)
{
    free(buf->data);
    buffer_init(buf, buf->max_bytes);
}

void buffer_clear(struct buffer *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

/* Makes room for len bytes and the NUL after them. */
static bool grow(struct buffer *buf, size_t len)
{
    size_t capacity = buf->capacity == 0 ? FIRST_CAPACITY : buf->capacity;
    char *data;

    if (buf->failed || len > buf->max_bytes || buf->len > buf->max_bytes - len)
        return false;
    if (buf->len + len < buf->capacity)
        return true;
    while (capacity <= buf->len + len)
        capacity *= 2;
    data = realloc(buf->data, capacity);
    if (data == NULL)
        return false;
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

char *buffer_reserve(struct buffer *buf, size_t len)
{
    char *place;

    if (!grow(buf, len)) {
        buf->failed = true;
        return NULL;
    }
    place = buf->data + buf->len;
    buf->len += len;
    buf->data[buf->len] = '\0';
    return place;
}

void buffer_append(struct buffer *buf, const void *data, size_t len)
{
    char *place = buffer_reserve(buf, len);

    if (place != NULL && len > 0)
        memcpy(place, data, len);
}

void buffer_append_byte(struct buffer *buf, char byte)
{
    buffer_append(buf, &byte, 1);
}

void buffer_append_text(struct buffer *buf, const char *text)
{
    buffer_append(buf, text, strlen(text));
}

void buffer_append_slice(struct buffer *buf, struct slice slice)
{
    buffer_append(buf, slice.data, slice.len);
}

void buffer_append_format(struct buffer *buf, const char *format, ...)
{
    va_list args;
    char *place;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    place = len < 0 ? NULL : buffer_reserve(buf, (size_t)len);
    if (place == NULL) {
        buf->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(place, (size_t)len + 1, format, args);
    va_end(args);
}

void buffer_append_u32(struct buffer *buf, uint32_t value)
{
    uint32_t wire = __builtin_bswap32(value);

    buffer_append(buf, &wire, sizeof(wire));
}

void buffer_append_u64(struct buffer *buf, uint64_t value)
{
    uint64_t wire = __builtin_bswap64(value);

    buffer_append(buf, &wire, sizeof(wire));
}
