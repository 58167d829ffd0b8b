/*
 * A thread's sign of life: when it last came round, or that it rests, waiting for work without a
 * limit. Written by the thread, read by anyone.
 */
#ifndef KOPRU_BRIDGE_PULSE_H
#define KOPRU_BRIDGE_PULSE_H

#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>

struct pulse {
    atomic_llong beat_ms; /* monotonic; 0 while it rests. A zeroed pulse rests */
};

static inline void pulse_beat(struct pulse *pulse)
{
    atomic_store_explicit(&pulse->beat_ms, clock_monotonic_ms(), memory_order_relaxed);
}

static inline void pulse_rest(struct pulse *pulse)
{
    atomic_store_explicit(&pulse->beat_ms, 0, memory_order_relaxed);
}

static inline bool pulse_rests(const struct pulse *pulse)
{
    return atomic_load_explicit(&pulse->beat_ms, memory_order_relaxed) == 0;
}

/* How long nothing was seen of the thread, in milliseconds; 0 while it rests. */
static inline int64_t pulse_silent_ms(const struct pulse *pulse)
{
    int64_t beat_ms = atomic_load_explicit(&pulse->beat_ms, memory_order_relaxed);

    return beat_ms != 0 ? clock_monotonic_ms() - beat_ms : 0;
}

#endif
