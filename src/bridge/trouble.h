/*
 * What last went wrong at one place, for those who look from outside: the same that the log says,
 * without values of payloads. Written seldom, by any thread; read by any thread.
 */
#ifndef KOPRU_BRIDGE_TROUBLE_H
#define KOPRU_BRIDGE_TROUBLE_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct trouble {
    char event[32];     /* as the log names it; "" when nothing ever went wrong */
    struct error error; /* of the last one */
    char sqlstate[6];   /* "" where there is none */
    size_t others;      /* problems that were found with it, of which only the log tells */
    int64_t at_us;      /* wall clock, since 1970-01-01 UTC */
    uint64_t count;     /* so far */
    bool current;       /* it is not over yet, as far as is known */
};

struct trouble_spot {
    pthread_mutex_t lock;
    struct trouble last; /* guarded by lock */
};

void trouble_init(struct trouble_spot *spot);
void trouble_release(struct trouble_spot *spot);

/* sqlstate may be NULL or "". */
void trouble_note(struct trouble_spot *spot, const char *event, const struct error *err,
                  const char *sqlstate, size_t others);

/* What was wrong is well again. */
void trouble_end(struct trouble_spot *spot);

void trouble_read(struct trouble_spot *spot, struct trouble *out);

#endif
