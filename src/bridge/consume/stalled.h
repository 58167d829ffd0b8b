/*
 * A stalled subscription: messages are ready, and none is delivered. A consumer that the broker has
 * forgotten waits for ever, and nothing fails. So a consumer that has nothing unacknowledged and
 * hears nothing for STALLED_HEARTBEATS heartbeats asks how many messages are ready (a passive
 * queue.declare). If some are, twice in a row, a new subscription is due. Where another consumer
 * has its turn (single active consumer) that is in vain, so each such subscription in a row waits
 * twice as long.
 */
#ifndef KOPRU_BRIDGE_CONSUME_STALLED_H
#define KOPRU_BRIDGE_CONSUME_STALLED_H

#include "model/ports.h"

/* Of one queue, over all its subscriptions. A zeroed one is not stalled. */
struct stalled {
    unsigned in_vain; /* subscriptions in a row that ended as stalled */
    unsigned found;   /* answers in a row that told of messages */
    bool asked;       /* no answer yet */
    int64_t
        quiet_from_ms; /* monotonic: when there last was something unacknowledged, or an answer */
};

/* A subscription begins, or something is unacknowledged. */
void stalled_reset(struct stalled *stalled);

/* A delivery came. */
void stalled_end(struct stalled *stalled);

/* Nothing is unacknowledged: asks the broker when it is time. Returns 1 with *state when the
   subscription should end, 0 otherwise, -1 when the broker cannot be asked. */
int stalled_check(struct stalled *stalled, const struct broker_port *port, void *broker,
                  struct broker_queue_state *state, struct error *err);

#endif
