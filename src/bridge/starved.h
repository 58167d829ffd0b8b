/*
 * Messages are ready, and none is delivered: a consumer that the broker has forgotten waits for
 * ever, and nothing fails. So one that has nothing in hand and hears nothing asks how many are
 * ready; some, twice in a row, means a new subscription. Where another consumer has its turn that
 * is in vain: each one in a row waits twice as long.
 */
#ifndef KOPRU_BRIDGE_STARVED_H
#define KOPRU_BRIDGE_STARVED_H

#include "bridge/ports.h"

#include <stdint.h>

/* Of one queue, over all its subscriptions. A zeroed one is fed. */
struct starved {
    unsigned in_vain;      /* subscriptions in a row that ended so */
    unsigned found;        /* looks in a row that found messages */
    bool asked;            /* no answer yet */
    int64_t quiet_from_ms; /* monotonic: when it last had something, or looked and found nothing */
};

/* A subscription begins, or something is in hand. */
void starved_begin(struct starved *starved);

/* A delivery came. */
void starved_end(struct starved *starved);

/* Nothing is in hand: asks when it is time. Returns 1 with *state when the subscription should end,
   0 otherwise, -1 when the broker cannot be asked. */
int starved_look(struct starved *starved, const struct broker_port *port, void *broker,
                 struct broker_queue_state *state, struct error *err);

#endif
