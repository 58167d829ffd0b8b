/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(): it takes any
 * bytes, and ends the process where a promise does not hold. clang links it with libFuzzer (./dev
 * fuzz); every compiler links it with replay_main.c, which runs the files it is given once each
 * (the tests fuzz/...). Both are started in the root of the source tree.
 */
#ifndef KOPRU_TESTS_FUZZ_H
#define KOPRU_TESTS_FUZZ_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The promise, as it stands in the code, and the end. */
_Noreturn void fuzz_fail(const char *promise, const char *file, int line);

#define REQUIRE(promise) ((promise) ? (void)0 : fuzz_fail(#promise, __FILE__, __LINE__))

/* Bytes in a file of mode 0640 that is only in memory. */
struct fuzz_file {
    int fd;
    char path[64];
};

void fuzz_file_open(struct fuzz_file *file, const uint8_t *data, size_t size);
void fuzz_file_close(struct fuzz_file *file);

/* A copy of its own size, so that a sanitizer sees a read behind its end. Freed by the caller;
   never NULL. */
char *fuzz_copy(const void *data, size_t size);

/* PostgreSQL's text takes it. */
void require_text(struct slice text);

/* JSON as jsonb prints it. */
void require_canonical(struct slice json);

/* Problems a person can act on, of files or settings. */
void require_problems(const struct error_list *problems);

/* Two lists say the same. */
void require_same_problems(const struct error_list *one, const struct error_list *other);

#endif
