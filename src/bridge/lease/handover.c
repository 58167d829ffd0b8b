#include "bridge/lease/handover.h"

#include "bridge/lease/process.h"
#include "bridge/timing.h"

enum handover handover_from(const struct lease *lease)
{
    if (lease->holder.name[0] == '\0')
        return HANDOVER_NONE;
    switch (lease->state) {
    case LEASE_STATE_CONSUMING:
        return HANDOVER_COUNTED;
    case LEASE_STATE_DISCONNECTED:
        return HANDOVER_UNCOUNTED;
    case LEASE_STATE_HELD:
        break;
    }
    return process_is_dead(lease->holder.instance) ? HANDOVER_CLOSED : HANDOVER_UNCOUNTED;
}

bool handover_is_over(enum handover left, uint32_t consumers, int64_t waited_ms, int heartbeat_s)
{
    if (left == HANDOVER_NONE || waited_ms >= (int64_t)PREDECESSOR_HEARTBEATS * 1000 * heartbeat_s)
        return true;
    if (left == HANDOVER_UNCOUNTED || consumers > 0)
        return false;
    return left == HANDOVER_COUNTED || waited_ms >= PREDECESSOR_CLOSED_MS;
}
