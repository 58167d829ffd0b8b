/*
 * The state while one message is read, which the parts of the mapper share. Their functions that
 * return bool return false when there is no memory, and for no other reason.
 */
#ifndef KOPRU_MAPPING_READING_H
#define KOPRU_MAPPING_READING_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json_read.h"
#include "mapping/compiled.h"

struct coverage;

struct reading {
    const struct mapping *mapping;
    const struct json_doc *doc;
    struct arena *arena;        /* the message's: holds everything that the change points to */
    struct buffer *scratch;     /* one text at a time: reading_begin_text(), reading_end_text() */
    struct buffer *broken_text; /* the broken elements of the set that is being read */
    struct coverage *coverage;  /* the mapper's */
    unsigned misfits;
    unsigned broken;
    bool mapped;             /* something but the id was found */
    bool judged_anew;        /* the paths that no message had may be others now */
    struct slice other_case; /* a name of the entity file that the message has in another letter
                                case; data is NULL for none */
};

/* A text is composed in the scratch buffer and then copied, because an arena cannot take back the
   smaller copies of a text that grows. */
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
