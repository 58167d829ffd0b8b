/*
 * A growing byte buffer with a maximum given at init. An append that does not fit or finds no
 * memory marks the buffer as failed and appends nothing. A writer therefore appends freely and asks
 * once, at the end, with buffer_failed(). Once anything was appended, the content is followed by a
 * NUL byte that len does not count; before that data may be NULL.
 *
 *     buffer_init(&text, MAX_BYTES);
 *     buffer_append_format(&text, "%s: ", name);
 *     buffer_append_slice(&text, value);
 *     if (!buffer_failed(&text))
 *         use(buffer_slice(&text));
 *     buffer_release(&text);
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

/* max_bytes bounds the content. The memory is at most 256 bytes or about twice the content,
   whichever is more. */
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

/* Append the value in big-endian order, as the protocols of PostgreSQL and AMQP have it. */
void buffer_append_u32(struct buffer *buf, uint32_t value);
void buffer_append_u64(struct buffer *buf, uint64_t value);

/* Appends len bytes for the caller to fill and returns them, or NULL when they do not fit. The
   pointer is valid until the next append. */
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
