/*
 * A growing byte buffer with a maximum given at init. An append that does not fit or finds no
 * memory marks the buffer as failed and appends nothing; so a writer appends freely and asks once,
 * at the end, with buffer_failed(). The content is always followed by a NUL byte that does not
 * count.
 */
#ifndef KOPRU_BASE_BUFFER_H
#define KOPRU_BASE_BUFFER_H

#include "base/slice.h"

#include <stdint.h>

struct buffer {
    char *data;
    size_t len;
    size_t capacity;
    size_t max_bytes;
    bool failed;
};

/* max_bytes bounds the content; the memory is at most 256 bytes or some twice the content. */
void buffer_init(struct buffer *buf, size_t max_bytes);
void buffer_release(struct buffer *buf);

/* Empties the buffer and forgets a failure; keeps the memory. */
void buffer_clear(struct buffer *buf);

void buffer_append(struct buffer *buf, const void *data, size_t len);
void buffer_append_byte(struct buffer *buf, char byte);
void buffer_append_text(struct buffer *buf, const char *text);
void buffer_append_slice(struct buffer *buf, struct slice slice);
void buffer_append_format(struct buffer *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Big-endian, as PostgreSQL's and AMQP's protocols have it. */
void buffer_append_u32(struct buffer *buf, uint32_t value);
void buffer_append_u64(struct buffer *buf, uint64_t value);

/* Appends len bytes to be filled by the caller. NULL when they do not fit. Valid until the next
   append. */
char *buffer_reserve(struct buffer *buf, size_t len);

static inline bool buffer_failed(const struct buffer *buf)
{
    return buf->failed;
}

static inline struct slice buffer_slice(const struct buffer *buf)
{
    return (struct slice){ buf->data, buf->len };
}

#endif
