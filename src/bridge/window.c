#include "bridge/window.h"

#include "base/clock.h"
#include "bridge/policy.h"

int window_begin(struct window *window, int prefetch)
{
    window->full_since_ms = 0;
    window->calm_since_ms = clock_monotonic_ms();
    return window->fits > 0 && window->fits < prefetch ? window->fits : prefetch;
}

void window_full(struct window *window)
{
    if (window->full_since_ms == 0)
        window->full_since_ms = clock_monotonic_ms();
}

void window_room(struct window *window)
{
    if (window->full_since_ms != 0)
        window->calm_since_ms = clock_monotonic_ms();
    window->full_since_ms = 0;
}

bool window_lost(struct window *window, size_t in_hand)
{
    if (window->full_since_ms == 0 || clock_monotonic_ms() - window->full_since_ms < WINDOW_FULL_MS)
        return false;
    window->fits = in_hand > 0 ? (int)in_hand : 1;
    return true;
}

bool window_may_grow(struct window *window, int prefetch)
{
    if (window->fits == 0 || window->full_since_ms != 0 ||
        clock_monotonic_ms() - window->calm_since_ms < WINDOW_GROW_MS)
        return false;
    window->fits = window->fits < prefetch / 2 ? window->fits * 2 : 0;
    return true;
}
