/*
 * What last went wrong in one place, for people who look from outside: the same that the log says,
 * without values of payloads. Written seldom, by any thread; read by any thread.
 */
#ifndef KOPRU_BRIDGE_OBSERVE_LAST_ERROR_H
#define KOPRU_BRIDGE_OBSERVE_LAST_ERROR_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { LAST_ERROR_EARLIER_MAX_BYTES = 256 };

struct last_error {
    char event[32]; /* as the log names it; "" when nothing ever went wrong */
    struct error error;
    char sqlstate[6]; /* "" where there is none */
    /* Why and hint of another SQLSTATE that came first since the last success, as "the disk is
       full" before "connection refused"; "" where there was none. */
    char earlier[LAST_ERROR_EARLIER_MAX_BYTES];
    size_t others;  /* problems found together with it, which only `kopru check` names */
    int64_t at_us;  /* wall clock, since 1970-01-01 UTC */
    uint64_t count; /* errors in this place so far */
    bool current;   /* as far as is known, it is not over yet */
};

struct last_error_slot {
    pthread_mutex_t lock;
    struct last_error last; /* guarded by lock */
};

void last_error_init(struct last_error_slot *slot);
void last_error_release(struct last_error_slot *slot);

/* sqlstate may be NULL or "". */
void last_error_set(struct last_error_slot *slot, const char *event, const struct error *err,
                    const char *sqlstate, size_t others);

/* Writes last_error.earlier into out. Returns out. */
const char *last_error_earlier(struct last_error_slot *slot, char *out, size_t size);

/* What was wrong is over. */
void last_error_end(struct last_error_slot *slot);

void last_error_read(struct last_error_slot *slot, struct last_error *out);

#endif
