/*
 * What the broker may still hold for whoever consumed the queue before: another instance, or a lost
 * connection of this one. It hands such deliveries out again, and if newer messages were applied
 * meanwhile, they come late. So a new subscription begins only when nothing is left.
 *
 * A passive declare tells how many consumers a queue has, and nothing about deliveries. The count
 * is evidence only of a connection that the broker counts for as long as it can hold deliveries:
 * subscribed, and not cancelled. Two moments lie outside of that: just before a subscription (the
 * request may be on its way, and its sender frozen) and after basic.cancel (what was delivered
 * before is still unacknowledged). So a holder says in its row of kopru.queues when it is counted
 * (state `consuming`), and takes that back, committed, before it subscribes and before it cancels.
 * A successor that does not read it there waits until the broker has dropped a silent connection.
 */
#ifndef KOPRU_BRIDGE_LEASE_HANDOVER_H
#define KOPRU_BRIDGE_LEASE_HANDOVER_H

#include "model/lease.h"

/* What is left of the consumer before, in the order of how long it takes to be gone. */
enum handover {
    HANDOVER_NONE,
    HANDOVER_COUNTED, /* deliveries of a connection that counts as a consumer as long as it lives */
    HANDOVER_CLOSED,  /* of a connection whose socket was closed on this machine: the broker learns
                           of it at once, but that takes a moment */
    HANDOVER_UNCOUNTED, /* of a connection that may live without being counted */
};

/* What is left by the holder of the lease that was read. */
enum handover handover_from(const struct lease *lease);

/* Whether it is gone, after waited_ms and with that many consumers on the queue. */
bool handover_is_over(enum handover left, uint32_t consumers, int64_t waited_ms, int heartbeat_s);

#endif
