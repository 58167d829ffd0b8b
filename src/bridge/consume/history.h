/*
 * What a consumer remembers from one subscription to the next: how much it may prefetch, whether
 * subscriptions stall, what was said of late messages, who else consumes the queue, and how often
 * messages came back.
 */
#ifndef KOPRU_BRIDGE_CONSUME_HISTORY_H
#define KOPRU_BRIDGE_CONSUME_HISTORY_H

#include "bridge/consume/lateness.h"
#include "bridge/consume/others.h"
#include "bridge/consume/prefetch.h"
#include "bridge/consume/returns.h"
#include "bridge/consume/stalled.h"

struct consume_history {
    struct prefetch prefetch;
    struct stalled stalled;
    struct lateness lateness;
    struct others others;
    struct returns returns;
};

#endif
