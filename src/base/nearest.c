#include "base/nearest.h"

#include <string.h>

enum { MAX_NAME = 63 }; /* bytes: no name of a setting or of a column is longer */

/* How many letters of a must be changed, added, removed or swapped with their neighbour to make b.
   Both are at most MAX_NAME long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    /* For the letter of a before the last one, for the last one and for the current one. */
    size_t rows[3][MAX_NAME + 1];

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *current = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3];
        const size_t *before = rows[(i + 1) % 3];

        current[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (current[j - 1] + 1 < best)
                best = current[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            current[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *nearest_name(const char *written, const char *const *names)
{
    size_t len = strlen(written);
    size_t best = len / 3 + 1; /* if more than a third differs, it is another word */
    const char *nearest = NULL;

    if (len > MAX_NAME)
        return NULL;
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t name_len = strlen(names[i]);
        size_t steps = name_len <= MAX_NAME ? distance(written, len, names[i], name_len) : MAX_NAME;

        if (steps <= best && steps < name_len) {
            nearest = names[i];
            best = steps;
        }
    }
    return nearest;
}
