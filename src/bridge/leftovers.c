#include "bridge/leftovers.h"

#include "bridge/policy.h"

bool leftovers_gone(enum leftovers left, uint32_t consumers, int64_t waited_ms, int heartbeat_s)
{
    if (left == LEFTOVERS_NONE || waited_ms >= (int64_t)ALONE_HEARTBEATS * 1000 * heartbeat_s)
        return true;
    if (left == LEFTOVERS_UNCOUNTED || consumers > 0)
        return false;
    return left == LEFTOVERS_COUNTED || waited_ms >= ALONE_CLOSED_MS;
}
