/*
 * Retry policy is data: delays double from base to cap, each with full jitter in its upper half, so
 * that many clients of one restarted server do not return in step.
 */
#ifndef KOPRU_BASE_BACKOFF_H
#define KOPRU_BASE_BACKOFF_H

struct backoff_policy {
    int base_ms;
    int cap_ms;
};

struct backoff {
    struct backoff_policy policy;
    int step_ms;       /* the undithered delay of the next wait */
    unsigned attempts; /* failures since the last success */
    unsigned seed;
};

void backoff_init(struct backoff *backoff, struct backoff_policy policy);

/* Counts a failure and returns how long to wait, in milliseconds: between half of the current step
   and all of it. */
int backoff_next_ms(struct backoff *backoff);

/* After a success: the next failure starts from base again. */
void backoff_reset(struct backoff *backoff);

#endif
