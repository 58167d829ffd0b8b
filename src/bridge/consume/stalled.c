#include "bridge/consume/stalled.h"

#include "base/clock.h"
#include "bridge/timing.h"

enum { FOUND_LIMIT = 2 }; /* answers */

void stalled_reset(struct stalled *stalled)
{
    stalled->found = 0;
    stalled->asked = false;
    stalled->quiet_from_ms = clock_monotonic_ms();
}

void stalled_end(struct stalled *stalled)
{
    stalled->in_vain = 0;
    stalled_reset(stalled);
}

/* Returns how long the consumer hears nothing before it asks. The second question comes a heartbeat
   after the first, because messages that were just published may be on their way. */
static int64_t patience_ms(const struct stalled *stalled, int heartbeat_s)
{
    unsigned doublings =
        stalled->in_vain < STALLED_DOUBLINGS ? stalled->in_vain : STALLED_DOUBLINGS;

    return stalled->found > 0 ? heartbeat_s * INT64_C(1000)
                              : (heartbeat_s * INT64_C(1000) * STALLED_HEARTBEATS) << doublings;
}

int stalled_check(struct stalled *stalled, const struct broker_port *port, void *broker,
                  struct broker_queue_state *state, struct error *err)
{
    if (stalled->asked) {
        if (!port->answered(broker, state))
            return 0;
        stalled->asked = false;
        stalled->found = state->messages > 0 ? stalled->found + 1 : 0;
        stalled->quiet_from_ms = clock_monotonic_ms();
        if (stalled->found < FOUND_LIMIT)
            return 0;
        stalled->in_vain++;
        return 1;
    }
    if (clock_monotonic_ms() - stalled->quiet_from_ms <
        patience_ms(stalled, port->heartbeat_s(broker)))
        return 0;
    stalled->asked = true;
    return port->ask(broker, err);
}
