/* A directory of its own for a test that reads files, and the lookups in a list of problems that
   these tests share. */
#ifndef KOPRU_TESTS_SCRATCH_H
#define KOPRU_TESTS_SCRATCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct scratch {
    char directory[64];
    char path[128]; /* of the file written last */
};

void scratch_init(struct scratch *scratch);
void scratch_release(struct scratch *scratch); /* with all that is in it */

/* Writes a file of mode 0640. Returns its path, valid until the next. */
const char *scratch_write(struct scratch *scratch, const char *name, const char *text);
const char *scratch_write_bytes(struct scratch *scratch, const char *name, const void *bytes,
                                size_t len);

/* Fails the test, and prints the list, unless exactly `count` problems are in it. */
void assert_problem_count(const struct error_list *problems, size_t count);

/* The only problem: its subject ends in place, its title and reason hold these words. NULL:
   anything. */
void assert_one_problem(const struct error_list *problems, const char *place, const char *title,
                        const char *why);

/* Some problem's full text holds these words. */
bool has_problem(const struct error_list *problems, const char *words);

#endif
