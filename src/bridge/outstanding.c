#include "bridge/outstanding.h"

#include "bridge/policy.h"

bool outstanding_gone(enum outstanding left, uint32_t consumers, int64_t waited_ms, int heartbeat_s)
{
    if (left == OUTSTANDING_NONE || waited_ms >= (int64_t)ALONE_HEARTBEATS * 1000 * heartbeat_s)
        return true;
    if (left == OUTSTANDING_UNCOUNTED || consumers > 0)
        return false;
    return left == OUTSTANDING_COUNTED || waited_ms >= ALONE_CLOSED_MS;
}
