#include "config/cfg_source.h"

#include "base/file_mode.h"
#include "config/cfg_path.h"
#include "config/cfg_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * libconfig opens the includes itself, and when it cannot open one it says neither which nor why.
 * So this list is made first, by the same rule: a name starts from the directory of the file that
 * is opened, wherever the include stands. There are no absolute names in it: cfg_text refuses them,
 * because libconfig 1.5 would put that directory in front of them too. A file that is included
 * twice is in the list once. That also ends the list of a file that includes itself; libconfig,
 * which limits how deep includes may nest, reports that one. It does not limit how many there are,
 * and a few files that include each other several times would keep it busy for days: so they are
 * counted here as libconfig will open them.
 */

enum { MAX_FILE_BYTES = 1 << 20, MAX_FILES = 100, MAX_DEPTH = 10 /* libconfig's */ };

static const char NO_MEMORY[] = "out of memory";

/* Adds why a file cannot be read, with the location of its include. source may be NULL for want of
   memory. Returns -1. */
static int report(const struct cfg_sources *sources, const struct cfg_source *source,
                  const char *why, struct error_list *problems)
{
    struct error err;
    char location[256];

    if (why == NO_MEMORY) {
        error_no_memory(&err);
    } else if (source->name != NULL) {
        cfg_path_location(sources->items[source->includer].path, source->line, location,
                          sizeof(location));
        error_set(&err, ERROR_CONFIG, "cannot include a file", location, "%s: %s", source->path,
                  why);
        error_hint(&err, "the path of an include starts from the directory of %s",
                   sources->items[0].path);
    } else {
        error_set(&err, ERROR_CONFIG, "cannot read the configuration", source->path, "%s", why);
        error_hint(&err, "check the path and the permissions of the file");
    }
    error_list_add(problems, &err);
    return -1;
}

static const char *read_open_file(int fd, struct buffer *in)
{
    char chunk[1024];
    ssize_t got;

    while ((got = read(fd, chunk, sizeof(chunk))) != 0) {
        if (got < 0 && errno != EINTR)
            return strerror(errno);
        if (got > 0)
            buffer_append(in, chunk, (size_t)got);
        if (buffer_failed(in))
            return in->len + (size_t)got > in->max_bytes ? "it is larger than 1 MiB" : NO_MEMORY;
    }
    return NULL;
}

/* Returns NULL, or why the file cannot be read. */
static const char *read_file(struct cfg_source *source, struct buffer *in)
{
    /* Without O_NONBLOCK a pipe without a writer would make us wait for one. */
    int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    const char *why;

    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &status) != 0)
        why = strerror(errno);
    else if (S_ISDIR(status.st_mode))
        why = "it is a directory";
    else if (!S_ISREG(status.st_mode))
        why = "it is not a regular file";
    else
        why = read_open_file(fd, in);
    if (why == NULL)
        source->world_readable = file_mode_readers(status.st_mode) == FILE_READ_BY_EVERYBODY;
    close(fd);
    return why;
}

/* Takes name and path, also when it fails. */
static int add_source(struct cfg_sources *sources, char *name, char *path)
{
    struct cfg_source *items = NULL;

    if (path != NULL)
        items = realloc(sources->items, (sources->count + 1) * sizeof(*items));
    if (items == NULL) {
        free(name);
        free(path);
        return -1;
    }
    sources->items = items;
    items[sources->count++] = (struct cfg_source){ .name = name, .path = path };
    return 0;
}

/* Returns the index, or the count if it is not listed. */
static size_t find_name(const struct cfg_sources *sources, struct slice name)
{
    size_t i = 1;

    while (i < sources->count && !slice_is(name, sources->items[i].name))
        i++;
    return i;
}

static void note_include(struct cfg_sources *sources, size_t from, size_t to)
{
    if (sources->include_count > CFG_MAX_INCLUDES)
        return;
    sources->includes[sources->include_count].from = from;
    sources->includes[sources->include_count++].to = to;
}

/* How often libconfig will open an included file; no more than one beyond the limit is counted. */
static size_t count_openings(const struct cfg_sources *sources)
{
    size_t times[MAX_FILES + 2] = { 1 }; /* on one level, for each of the items */
    size_t total = 0;

    for (int level = 0; level < MAX_DEPTH; level++) {
        size_t next[MAX_FILES + 2] = { 0 };

        for (size_t i = 0; i < sources->include_count; i++) {
            next[sources->includes[i].to] += times[sources->includes[i].from];
            total += times[sources->includes[i].from];
            if (total > CFG_MAX_INCLUDES)
                return total;
        }
        memcpy(times, next, sizeof(times));
    }
    return total;
}

static int check_openings(const struct cfg_sources *sources, struct error_list *problems)
{
    struct error err;

    if (count_openings(sources) <= CFG_MAX_INCLUDES)
        return 0;
    error_set(&err, ERROR_CONFIG, "cannot read the configuration", sources->items[0].path,
              "more than %d includes have to be followed", CFG_MAX_INCLUDES);
    error_hint(&err,
               "each include counts as often as its file is read: does a file include itself?");
    error_list_add(problems, &err);
    return -1;
}

/* Puts a file that items[includer] includes into the list, unless it is there. */
static int add_include(struct cfg_sources *sources, size_t includer, unsigned line,
                       struct slice name, struct error_list *problems)
{
    const size_t index = find_name(sources, name);
    struct cfg_source *added;
    char *copy;

    note_include(sources, includer, index);
    if (index < sources->count || sources->count > MAX_FILES) /* and that is reported already */
        return 0;
    copy = strndup(name.data, name.len);
    if (copy == NULL ||
        add_source(sources, copy, cfg_path_beside(sources->items[0].path, copy)) != 0)
        return report(sources, NULL, NO_MEMORY, problems);
    added = &sources->items[sources->count - 1];
    added->includer = includer;
    added->line = line;
    if (sources->count > MAX_FILES)
        return report(sources, added, "there are more than 100 files", problems);
    return 0;
}

/* Reads and checks items[index], and adds what it includes. */
static int check_source(struct cfg_sources *sources, size_t index, struct buffer *in,
                        struct error_list *problems)
{
    const char *why = read_file(&sources->items[index], in);
    struct cfg_text text;
    struct slice name;
    bool failed = false;

    if (why != NULL)
        return report(sources, &sources->items[index], why, problems);
    if (index == 0 && in->len >= 3 && memcmp(in->data, "\xEF\xBB\xBF", 3) == 0)
        memset(in->data, ' ', 3); /* to libconfig a byte order mark is a syntax error */
    cfg_text_init(&text, sources->items[index].path, buffer_slice(in), index > 0, problems);
    while (cfg_text_next_include(&text, &name))
        if (add_include(sources, index, text.line, name, problems) != 0)
            failed = true;
    if (text.ends_in_comment) {
        in->max_bytes++;
        buffer_append_byte(in, '\n');
        if (buffer_failed(in))
            return report(sources, NULL, NO_MEMORY, problems);
    }
    return failed || text.failed ? -1 : 0;
}

int cfg_sources_read(struct cfg_sources *sources, const char *path, struct buffer *text,
                     struct error_list *problems)
{
    int result;

    *sources = (struct cfg_sources){ .include_dir = cfg_path_beside(path, ".") };
    buffer_init(text, MAX_FILE_BYTES);
    if (sources->include_dir == NULL || add_source(sources, NULL, strdup(path)) != 0)
        return report(sources, NULL, NO_MEMORY, problems);
    result = check_source(sources, 0, text, problems);
    for (size_t i = 1; i < sources->count; i++) {
        struct buffer in;

        buffer_init(&in, MAX_FILE_BYTES);
        if (check_source(sources, i, &in, problems) != 0)
            result = -1;
        buffer_release(&in);
    }
    return result == 0 ? check_openings(sources, problems) : result;
}

void cfg_sources_release(struct cfg_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free(sources->items[i].name);
        free(sources->items[i].path);
    }
    free(sources->items);
    free(sources->include_dir);
    *sources = (struct cfg_sources){ 0 };
}

const struct cfg_source *cfg_sources_find(const struct cfg_sources *sources, const char *file)
{
    size_t dir_len = strlen(sources->include_dir);
    const char *below = file; /* 1.5 names an include as it is written, 1.7 with the directory */

    if (file != NULL && strncmp(file, sources->include_dir, dir_len) == 0 && file[dir_len] == '/')
        below = file + dir_len + 1;
    for (size_t i = 1; file != NULL && i < sources->count; i++)
        if (strcmp(sources->items[i].name, file) == 0 || strcmp(sources->items[i].name, below) == 0)
            return &sources->items[i];
    return &sources->items[0];
}
