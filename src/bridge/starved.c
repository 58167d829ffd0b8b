#include "bridge/starved.h"

#include "base/clock.h"
#include "bridge/policy.h"

enum { FOUND_LIMIT = 2, DOUBLINGS = 5 };

void starved_begin(struct starved *starved)
{
    starved->found = 0;
    starved->asked = false;
    starved->quiet_from_ms = clock_monotonic_ms();
}

void starved_end(struct starved *starved)
{
    starved->in_vain = 0;
    starved_begin(starved);
}

/* How long it hears nothing before it asks. The second look comes a heartbeat after the first:
   messages that were just published are on their way. */
static int64_t patience_ms(const struct starved *starved, int heartbeat_s)
{
    unsigned doublings = starved->in_vain < DOUBLINGS ? starved->in_vain : DOUBLINGS;

    return starved->found > 0 ? heartbeat_s * INT64_C(1000)
                              : (heartbeat_s * INT64_C(1000) * STARVED_HEARTBEATS) << doublings;
}

int starved_look(struct starved *starved, const struct broker_port *port, void *broker,
                 struct broker_queue_state *state, struct error *err)
{
    if (starved->asked) {
        if (!port->answered(broker, state))
            return 0;
        starved->asked = false;
        starved->found = state->messages > 0 ? starved->found + 1 : 0;
        starved->quiet_from_ms = clock_monotonic_ms();
        if (starved->found < FOUND_LIMIT)
            return 0;
        starved->in_vain++;
        return 1;
    }
    if (clock_monotonic_ms() - starved->quiet_from_ms <
        patience_ms(starved, port->heartbeat_s(broker)))
        return 0;
    starved->asked = true;
    return port->ask(broker, err);
}
