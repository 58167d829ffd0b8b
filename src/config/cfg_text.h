/*
 * The text of a libconfig file, made ready for libconfig. Its scanner wraps integers beyond 32 bit
 * without a word, takes includes relative to the working directory, drops \x00 and lets an open
 * string or comment swallow the rest of the file. So the files are read here: includes are expanded
 * in place, every integer gets the suffix of 64 bit, and what is wrong is reported where it starts.
 */
#ifndef KOPRU_CONFIG_CFG_TEXT_H
#define KOPRU_CONFIG_CFG_TEXT_H

#include "base/buffer.h"
#include "base/error.h"

struct cfg_source {
    char *path;
    bool world_readable;
};

struct cfg_span;

struct cfg_text {
    struct buffer out;
    struct cfg_source
        *sources; /* sources[0] is the file itself; then its includes, one entry each time */
    size_t source_count;
    struct cfg_span *spans;
    size_t span_count;
    size_t span_capacity;
    unsigned lines; /* of out, so far */
};

/* Reads path and what it includes. Returns 0, or -1 with every problem added. Release in both
   cases. */
int cfg_text_read(struct cfg_text *text, const char *path, struct error_list *problems);
void cfg_text_release(struct cfg_text *text);

/* Where line of out (1 is the first) comes from. */
const struct cfg_source *cfg_text_source(const struct cfg_text *text, unsigned line,
                                         unsigned *source_line);

/* Writes `path:line` into out, which has room for at least 64 bytes; of a path that is too long its
   end. Returns out. */
char *cfg_text_place(const char *path, unsigned line, char *out, size_t size);

/* UTF-8 without control characters other than tab: what may be repeated in a message. */
bool cfg_text_is_plain(struct slice text);

/* The directory part of path with its slash, "" if there is none, followed by name; name alone if
   it is absolute. The caller frees it. NULL when there is no memory. */
char *cfg_text_beside(const char *path, const char *name);

#endif
