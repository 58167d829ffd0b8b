/*
 * A thread's sign of life: when it last came round its loop, or that it rests, which means that it
 * waits for work without a limit. Written by the thread, read by any thread.
 */
#ifndef KOPRU_BRIDGE_OBSERVE_LIVENESS_H
#define KOPRU_BRIDGE_OBSERVE_LIVENESS_H

#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>

/* A zeroed one rests. */
struct liveness {
    atomic_llong beat_ms; /* monotonic; 0 while the thread rests */
};

static inline void liveness_beat(struct liveness *liveness)
{
    atomic_store_explicit(&liveness->beat_ms, clock_monotonic_ms(), memory_order_relaxed);
}

static inline void liveness_rest(struct liveness *liveness)
{
    atomic_store_explicit(&liveness->beat_ms, 0, memory_order_relaxed);
}

static inline bool liveness_rests(const struct liveness *liveness)
{
    return atomic_load_explicit(&liveness->beat_ms, memory_order_relaxed) == 0;
}

/* Milliseconds since the thread last came round; 0 while it rests. */
static inline int64_t liveness_silent_ms(const struct liveness *liveness)
{
    int64_t beat_ms = atomic_load_explicit(&liveness->beat_ms, memory_order_relaxed);

    return beat_ms != 0 ? clock_monotonic_ms() - beat_ms : 0;
}

#endif
