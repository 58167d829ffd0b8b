/*
 * The unacknowledged deliveries that the broker may still hold for the previous consumer of a
 * queue: another instance, a process that was killed, or a lost connection of this one. The broker
 * delivers them again once that connection is gone, and if newer messages were applied meanwhile,
 * they come late. So a new subscription begins only when nothing is left.
 *
 * A passive queue.declare tells how many consumers a queue has, and nothing about deliveries. The
 * count is evidence only of a connection that the broker counts for as long as it can hold
 * deliveries: subscribed, and not cancelled. Two moments lie outside of that: just before a
 * subscription (the request may be on its way, and its sender frozen) and after basic.cancel (what
 * was delivered before is still unacknowledged). So a holder says in its row of kopru.queues when
 * it is counted (state `consuming`), and takes that back, committed, before it subscribes and
 * before it cancels. A successor that does not read it there waits until the broker has dropped a
 * silent connection.
 */
#ifndef KOPRU_BRIDGE_LEASE_HANDOVER_H
#define KOPRU_BRIDGE_LEASE_HANDOVER_H

#include "model/lease.h"

/* What is left, and when it is gone; in the order of how long that takes. Whatever is left is gone
   after PREDECESSOR_HEARTBEATS heartbeats (bridge/timing.h): by then the broker has dropped a
   silent connection, and consumers that it still counts are somebody else's. */
enum handover {
    HANDOVER_NONE,
    /* Deliveries of a connection that counts as a consumer as long as it lives: gone when the queue
       has no consumers. */
    HANDOVER_COUNTED,
    /* Of a connection whose socket was closed on this machine, by us or by the end of the process:
       gone when the queue has no consumers and PREDECESSOR_CLOSED_MS are over. */
    HANDOVER_CLOSED,
    /* Of a connection that may live without being counted: gone after the heartbeats alone. */
    HANDOVER_UNCOUNTED,
};

/* What the holder in the row may have left, before this instance acquires the lease: NONE without a
   holder, COUNTED if the state is `consuming`. Otherwise the row does not tell, and it is
   UNCOUNTED; except CLOSED for the state `held` of a process that died on this machine. */
enum handover handover_from(const struct lease *lease);

/* Whether it is gone. consumers: how many the queue has now. waited_ms: since the new connection
   first asked that. heartbeat_s: of the new connection. */
bool handover_is_over(enum handover left, uint32_t consumers, int64_t waited_ms, int heartbeat_s);

#endif
