#include "bridge/consume/prefetch.h"

#include "base/clock.h"
#include "bridge/timing.h"

/* A body of one to one and a half kilobytes with its properties and rows. */
enum { USUAL_MESSAGE_BYTES = 8192 };

int prefetch_limit(int setting, size_t max_unacknowledged_bytes)
{
    size_t fitting = max_unacknowledged_bytes / USUAL_MESSAGE_BYTES;

    if (fitting < 1)
        fitting = 1;
    return (size_t)setting < fitting ? setting : (int)fitting;
}

void prefetch_init(struct prefetch *prefetch, int limit)
{
    *prefetch = (struct prefetch){ .limit = limit };
}

int prefetch_begin(struct prefetch *prefetch)
{
    prefetch->full_since_ms = 0;
    prefetch->calm_since_ms = clock_monotonic_ms();
    return prefetch->fits > 0 && prefetch->fits < prefetch->limit ? prefetch->fits
                                                                  : prefetch->limit;
}

void prefetch_note_full(struct prefetch *prefetch)
{
    if (prefetch->full_since_ms == 0)
        prefetch->full_since_ms = clock_monotonic_ms();
}

void prefetch_note_room(struct prefetch *prefetch)
{
    if (prefetch->full_since_ms != 0)
        prefetch->calm_since_ms = clock_monotonic_ms();
    prefetch->full_since_ms = 0;
}

bool prefetch_lost(struct prefetch *prefetch, size_t unacknowledged)
{
    if (prefetch->full_since_ms == 0 ||
        clock_monotonic_ms() - prefetch->full_since_ms < PREFETCH_FULL_MS)
        return false;
    prefetch->fits = unacknowledged > 0 ? (int)unacknowledged : 1;
    return true;
}

bool prefetch_may_grow(struct prefetch *prefetch)
{
    if (prefetch->fits == 0 || prefetch->full_since_ms != 0 ||
        clock_monotonic_ms() - prefetch->calm_since_ms < PREFETCH_GROW_MS)
        return false;
    prefetch->fits = prefetch->fits < prefetch->limit / 2 ? prefetch->fits * 2 : 0;
    return true;
}
