/*
 * Wakes a thread that sleeps or waits for its socket. Any thread may ring; the thread that owns the
 * doorbell answers by looking at everything it waits for. Several rings before that are one.
 *
 *     doorbell_init(&bell, &err)
 *     doorbell_ring(&bell)                      // by others
 *     doorbell_wait(&bell, timeout_ms)          // by the owner; or it polls bell.fd and calls
 *     doorbell_clear(&bell)                     // before it looks
 *     doorbell_release(&bell)
 */
#ifndef KOPRU_BRIDGE_DOORBELL_H
#define KOPRU_BRIDGE_DOORBELL_H

#include "base/error.h"

#include <stdbool.h>

struct doorbell {
    int fd; /* an eventfd, readable once it was rung; -1 when there is none */
};

/* Returns 0, or -1 when there is no descriptor left. Release in both cases. */
int doorbell_init(struct doorbell *bell, struct error *err);
void doorbell_release(struct doorbell *bell);

/* Safe from any thread and in a signal handler. */
void doorbell_ring(const struct doorbell *bell);

void doorbell_clear(const struct doorbell *bell);

/* Sleeps until it is rung or timeout_ms (-1: for ever) are over. Returns whether it was rung, and
   clears that. */
bool doorbell_wait(const struct doorbell *bell, int timeout_ms);

#endif
