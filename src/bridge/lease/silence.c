#include "bridge/lease/silence.h"

#include "bridge/timing.h"

int64_t silence_after(struct silence *silence, const struct lease *row, int64_t began_ms,
                      int64_t ended_ms)
{
    int64_t since_ms = began_ms - silence->looked_at_ms;
    bool unchanged = row->epoch == silence->epoch && row->version == silence->version;

    if (!unchanged)
        silence->silent_ms = 0;
    else
        silence->silent_ms += since_ms < LEASE_RENEW_MS ? since_ms : LEASE_RENEW_MS;
    silence->epoch = row->epoch;
    silence->version = row->version;
    silence->looked_at_ms = ended_ms;
    return silence->silent_ms;
}
