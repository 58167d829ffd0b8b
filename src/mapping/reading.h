/*
 * What is at hand while one message is read; shared by the parts of the mapper. The functions of
 * those parts return false when there is no memory, and for no other reason.
 */
#ifndef KOPRU_MAPPING_READING_H
#define KOPRU_MAPPING_READING_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json_read.h"
#include "mapping/compiled.h"

struct reading {
    const struct mapping *mapping;
    const struct json_doc *doc;
    struct arena *arena;    /* of the message: all that the change points to */
    struct buffer *scratch; /* for one text at a time: reading_begin_text() to reading_end_text() */
    struct buffer *broken_text; /* the broken elements of the set being read */
    unsigned misfits;
    unsigned broken;
};

/* Text is composed in the scratch buffer and then copied, so that the arena holds no half-grown
   pieces. */
static inline struct buffer *reading_begin_text(struct reading *reading)
{
    buffer_clear(reading->scratch);
    return reading->scratch;
}

static inline bool reading_end_text(struct reading *reading, struct slice *text)
{
    if (buffer_failed(reading->scratch))
        return false;
    *text = arena_copy_slice(reading->arena, buffer_slice(reading->scratch));
    return text->data != NULL;
}

#endif
