/*
 * Which messages may be late, so that their AMQP timestamp is compared with that of the stored
 * state (model/change.h), and whether there is one to compare. Clocks are not asked about any other
 * message: the later delivery is the newer one. A message may be late when
 *
 *     it was redelivered, and not among the first of its subscription (redelivered.h), or taken
 *     alone (returns.h)
 *     a header says that a broker did not pass it on as it came (struct delivery, late_mark)
 *     a message of a higher priority came before it, and may have overtaken it in the queue
 *     the order of the queue is by timestamp
 *
 * A late message without a usable timestamp is applied as it comes. An AMQP timestamp is in
 * seconds; one that is in milliseconds cannot be one and counts as absent, because a number that
 * happens to lie in that range would otherwise make a newer message look older, and it would be
 * lost. Both are counted, and the first of each kind is logged.
 */
#ifndef KOPRU_BRIDGE_CONSUME_LATENESS_H
#define KOPRU_BRIDGE_CONSUME_LATENESS_H

#include "bridge/queue.h"

/* Of one queue, over all its subscriptions; used by the consumer thread. A zeroed one has seen
   nothing. */
struct lateness {
    uint8_t highest_priority; /* of the messages so far */
    bool said_redelivered;    /* what has been logged */
    bool said_marked;
    bool said_out_of_range;
    bool said_missing;
};

/* Notes a message that was mapped, in the order of delivery: counts it, and fills in may_be_late
   and the source time of its change if it has one. late: it was redelivered late. by_timestamp: the
   order of the queue. */
void lateness_note(struct lateness *lateness, struct queue *queue, struct message *message,
                   bool late, bool by_timestamp);

#endif
