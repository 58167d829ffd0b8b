/*
 * Waits between attempts. The step doubles from base to cap, and each wait is a random time between
 * half of the step and all of it, so that many clients of a restarted server do not return in step.
 *
 *     backoff_init(&backoff, policy);
 *     while (attempt() != 0)
 *         wait(backoff_next_ms(&backoff));
 *     backoff_reset(&backoff);
 */
#ifndef KOPRU_BASE_BACKOFF_H
#define KOPRU_BASE_BACKOFF_H

struct backoff_policy {
    int base_ms;
    int cap_ms;
};

struct backoff {
    struct backoff_policy policy;
    int step_ms;       /* the next wait, before the random part is taken off */
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
