/*
 * What the broker may still hold for a connection that consumed a queue and is gone, or silent: it
 * hands these deliveries out again, and if newer messages were applied meanwhile, late. So a new
 * subscription begins only when there is nothing left.
 *
 * A passive declare tells how many consumers a queue has, and nothing about deliveries. Its count
 * is evidence only of a connection that the broker counts for as long as it can hold any:
 * subscribed, and not cancelled. Two moments are outside of that: just before a subscription (it
 * may be on the way, and its sender frozen) and after basic.cancel (what was delivered before is
 * still unacknowledged). So a holder says in the row of kopru.queues when it is counted, and takes
 * that back, committed, before it subscribes and before it cancels. A successor that does not read
 * it there waits until the broker has dropped a silent connection.
 */
#ifndef KOPRU_BRIDGE_OUTSTANDING_H
#define KOPRU_BRIDGE_OUTSTANDING_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of how long they take to go. */
enum outstanding {
    OUTSTANDING_NONE,
    OUTSTANDING_COUNTED, /* of a connection that counts as a consumer as long as it lives */
    OUTSTANDING_CLOSED,  /* of one whose socket was closed on this machine: the broker learns of it
                            at once, but not in no time */
    OUTSTANDING_UNCOUNTED, /* of one that may live without being counted */
};

/* Whether they are gone, after so many milliseconds of waiting and with so many consumers on the
   queue. */
bool outstanding_gone(enum outstanding left, uint32_t consumers, int64_t waited_ms,
                      int heartbeat_s);

#endif
