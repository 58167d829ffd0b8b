/*
 * The files that one configuration is made of: the one that is opened and all that it includes,
 * directly or through an include. Each is read and checked once, before libconfig follows the
 * includes itself. Afterwards this list tells how messages call a file that libconfig names, and
 * who may read it.
 *
 *     struct cfg_sources sources;
 *     struct buffer text;
 *
 *     if (cfg_sources_read(&sources, path, &text, &problems) == 0) {
 *         config_set_include_dir(&config, sources.include_dir);
 *         config_read_string(&config, text.data);
 *     }
 *     buffer_release(&text);
 *     cfg_sources_release(&sources);
 */
#ifndef KOPRU_CONFIG_CFG_SOURCE_H
#define KOPRU_CONFIG_CFG_SOURCE_H

#include "base/buffer.h"
#include "base/error.h"

struct cfg_source {
    char *name;          /* as `@include "name"` has it; NULL for the file that is opened */
    char *path;          /* for messages */
    size_t includer;     /* the index of the source that includes it first */
    unsigned line;       /* the line of that include */
    bool world_readable; /* every user of the machine may read it */
};

enum { CFG_MAX_INCLUDES = 100 };

struct cfg_sources {
    struct cfg_source *items; /* items[0] is the file that is opened */
    size_t count;
    struct {
        size_t from; /* indexes of items */
        size_t to;
    } includes[CFG_MAX_INCLUDES + 1]; /* every @include; one more than are possible tells enough */
    size_t include_count;
    char *include_dir; /* for config_set_include_dir(): every include starts from the directory of
                          items[0] */
};

/* Reads and checks path and everything that it includes. Leaves the content of path itself in text;
   text->data is NULL if the file is empty. Returns 0, or -1 with every problem added. Release both
   in either case. */
int cfg_sources_read(struct cfg_sources *sources, const char *path, struct buffer *text,
                     struct error_list *problems);
void cfg_sources_release(struct cfg_sources *sources);

/* The source that libconfig calls file: NULL is the text that it was given. Never NULL. */
const struct cfg_source *cfg_sources_find(const struct cfg_sources *sources, const char *file);

#endif
