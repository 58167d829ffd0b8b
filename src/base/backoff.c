#include "base/backoff.h"

#include "base/clock.h"

#include <stdint.h>
#include <stdlib.h>

void backoff_init(struct backoff *backoff, struct backoff_policy policy)
{
    backoff->policy = policy;
    backoff->seed = (unsigned)clock_wall_us() ^ (unsigned)(uintptr_t)backoff;
    backoff_reset(backoff);
}

int backoff_next_ms(struct backoff *backoff)
{
    int half = backoff->step_ms / 2;
    int wait = half + (half > 0 ? rand_r(&backoff->seed) % (half + 1) : 0);

    backoff->attempts++;
    backoff->step_ms = backoff->step_ms > backoff->policy.cap_ms / 2 ? backoff->policy.cap_ms
                                                                     : backoff->step_ms * 2;
    return wait;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->step_ms = backoff->policy.base_ms;
    backoff->attempts = 0;
}
