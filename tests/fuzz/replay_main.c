/*
 * Runs a fuzz target once on each of the files, and on each file of the directories, that it is
 * given. A finding ends the process with the file's name as the last word.
 */
#include "fuzz.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>

static bool read_file(const char *path, char **bytes, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end = -1;
    bool done = false;

    if (file == NULL)
        return false;
    if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0) {
        *size = (size_t)end;
        *bytes = malloc(*size > 0 ? *size : 1);
        done = *bytes != NULL && fread(*bytes, 1, *size, file) == *size;
    }
    fclose(file);
    return done;
}

static bool replay(const char *path)
{
    char *bytes = NULL;
    size_t size = 0;

    if (!read_file(path, &bytes, &size)) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        free(bytes);
        return false;
    }
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
    free(bytes);
    return true;
}

int main(int argc, char **argv)
{
    FTS *walk = argc > 1 ? fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    unsigned count = 0;
    bool failed = false;
    FTSENT *entry;

    if (walk == NULL) {
        fprintf(stderr, "usage: %s FILE|DIRECTORY...\n", argv[0]);
        return 64;
    }
    while ((entry = fts_read(walk)) != NULL) {
        if (entry->fts_info == FTS_F) {
            failed = !replay(entry->fts_accpath) || failed;
            count++;
        } else if (entry->fts_info != FTS_D && entry->fts_info != FTS_DP) {
            fprintf(stderr, "cannot read %s: %s\n", entry->fts_path, strerror(entry->fts_errno));
            failed = true;
        }
    }
    fts_close(walk);
    fprintf(stderr, "%u files replayed\n", count);
    return failed || count == 0 ? 1 : 0;
}
