/*
 * Other consumers of the same queue. The broker gives each of them a part of the messages, which
 * then never reach the tables, and nothing fails. So the consumer of a queue asks once a heartbeat
 * how many consumers there are (a passive queue.declare): more than its own is reported when two
 * answers in a row say so, because a connection that has just ended may still be counted. Whoever
 * held the lease before is gone when a subscription begins (lease/handover.h).
 *
 * A quorum queue with a single active consumer counts the active one alone. So if the number does
 * not grow by a subscription, ours is not counted, and another consumer has its turn until a
 * delivery comes.
 *
 *     others_begin(&others, consumers)                        // with each subscription
 *     others_check(&others, &port, broker, &changed, &err)    // in each turn
 *     others_delivered(&others)                               // with each delivery
 */
#ifndef KOPRU_BRIDGE_CONSUME_OTHERS_H
#define KOPRU_BRIDGE_CONSUME_OTHERS_H

#include "model/ports.h"

/* Of one queue, over all its subscriptions. A zeroed one knows of none. */
struct others {
    uint32_t told;       /* consumers besides ours, as last reported */
    uint32_t seen;       /* as the last answer said */
    bool asked;          /* no answer yet */
    int64_t asked_at_ms; /* monotonic */
    uint32_t before;     /* consumers just before our subscription, until the first answer */
    bool uncounted;      /* the broker does not count ours */
};

/* A subscription begins: what was asked before is not answered any more. consumers: as the broker
   counted them just before. */
void others_begin(struct others *others, uint32_t consumers);

/* A delivery came, so the broker counts our consumer. */
void others_delivered(struct others *others);

/* Asks when it is time. Returns 1 after an answer by which others->told is right; *changed then
   says whether it is another number than before. Returns 0 otherwise, -1 when the broker cannot be
   asked. */
int others_check(struct others *others, const struct broker_port *port, void *broker, bool *changed,
                 struct error *err);

#endif
