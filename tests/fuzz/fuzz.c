#include "fuzz.h"

#include "base/json_canonical.h"
#include "base/json_read.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void fuzz_fail(const char *promise, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, promise);
    abort();
}

void fuzz_file_open(struct fuzz_file *file, const uint8_t *data, size_t size)
{
    file->fd = memfd_create("input", MFD_CLOEXEC);
    REQUIRE(file->fd >= 0);
    REQUIRE(fchmod(file->fd, 0640) == 0);
    while (size > 0) {
        ssize_t written = write(file->fd, data, size);

        REQUIRE(written > 0);
        data += written;
        size -= (size_t)written;
    }
    snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
}

void fuzz_file_close(struct fuzz_file *file)
{
    close(file->fd);
}

char *fuzz_copy(const void *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    REQUIRE(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void require_text(struct slice text)
{
    REQUIRE(text.data != NULL);
    REQUIRE(utf8_is_valid(text));
    REQUIRE(text.len == 0 || memchr(text.data, '\0', text.len) == NULL);
}

void require_canonical(struct slice json)
{
    struct json_doc doc;
    struct json_fault fault;
    struct buffer again;

    require_text(json);
    json_doc_init(&doc);
    buffer_init(&again, json.len);
    REQUIRE(json_read(&doc, json, JSON_MAX_DEPTH, &fault) == 0);
    json_write_canonical(&doc, &doc.nodes[0], &again);
    REQUIRE(!buffer_failed(&again));
    REQUIRE(slice_equal(buffer_slice(&again), json));
    buffer_release(&again);
    json_doc_release(&doc);
}

void require_problems(const struct error_list *problems)
{
    REQUIRE(problems->count > 0);
    for (size_t i = 0; i < problems->count; i++) {
        const struct error *err = &problems->items[i];
        char text[2048];

        REQUIRE(err->kind == ERROR_CONFIG);
        REQUIRE(err->what[0] != '\0');
        REQUIRE(err->subject[0] != '\0');
        REQUIRE(err->why[0] != '\0');
        error_text(err, text, sizeof(text));
        REQUIRE(strlen(text) < sizeof(text));
        REQUIRE(utf8_is_valid(slice_of(text)));
    }
}

void require_same_problems(const struct error_list *one, const struct error_list *other)
{
    REQUIRE(one->count == other->count);
    for (size_t i = 0; i < one->count; i++) {
        REQUIRE(strcmp(one->items[i].what, other->items[i].what) == 0);
        REQUIRE(strcmp(one->items[i].why, other->items[i].why) == 0);
        REQUIRE(strcmp(one->items[i].hint, other->items[i].hint) == 0);
    }
}
