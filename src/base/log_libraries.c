#include "base/log_libraries.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

/*
 * glibc lets a program assign stderr, and every library looks it up when it prints. Descriptor 2
 * stays as it is, for what writes there without stdio: a sanitizer, or glibc when it aborts.
 */

/* A library may print why and then abort, so the line is given a moment to get out. */
enum { FLUSH_MS = 100 };

static void log_one(struct slice line)
{
    if (line.len > 0)
        log_event(LOG_WARNING, "library_message", "a library printed this on standard error",
                  LOG_SLICE("text", line));
}

/* Gets whole lines, unless one is longer than the buffer. */
static ssize_t take(void *cookie, const char *text, size_t size)
{
    struct slice rest = { text, size };
    const char *end;

    (void)cookie;
    while ((end = memchr(rest.data, '\n', rest.len)) != NULL) {
        size_t len = (size_t)(end - rest.data);

        log_one((struct slice){ rest.data, len });
        rest = (struct slice){ end + 1, rest.len - len - 1 };
    }
    log_one(rest);
    log_flush(FLUSH_MS);
    return (ssize_t)size;
}

int log_libraries_take(struct error *err)
{
    static char buffer[2048];
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = take });

    if (stream == NULL)
        return error_no_memory(err);
    setvbuf(stream, buffer, _IOLBF, sizeof(buffer));
    stderr = stream;
    return 0;
}
