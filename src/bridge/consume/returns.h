/*
 * How often messages came back to the broker, and how near they are to being dropped for it
 * (model/returns.h). A quorum queue counts it in x-delivery-count: after each lost connection,
 * killed daemon and consumer timeout, from RabbitMQ 4.3 on without the message that timed out. From
 * half of the limit on
 *
 *     a warning names the number
 *     the row of the queue holds it before a message is mapped, so that the next process knows it,
 *     whatever becomes of this one
 *     a subscription first waits, the longer the nearer the limit is, unless the one before it
 *     acknowledged something
 *
 * and shortly before the limit messages are taken one at a time, so that only one is at risk. Not
 * before that: a quorum queue puts what comes back behind other messages that came back and were
 * not delivered again meanwhile, so as many as came back are to be taken together.
 *
 *     returns_begin(&returns, in_row)      // with each subscription
 *     returns_note(&returns, queue, delivery, default_limit)    // with each delivery
 *     returns_forget(&returns, oldest_tag, redelivered_open)    // in each turn
 */
#ifndef KOPRU_BRIDGE_CONSUME_RETURNS_H
#define KOPRU_BRIDGE_CONSUME_RETURNS_H

#include "bridge/queue.h"
#include "model/returns.h"

/* Of one queue, over all its subscriptions; used by the consumer thread. A zeroed one knows of no
   return. */
struct returns {
    uint32_t before;   /* the highest of what was unacknowledged when the last subscription ended,
                          until its messages have come back */
    uint32_t now;      /* the highest of what is unacknowledged */
    uint64_t last_tag; /* of the last delivery that had come back */
    uint32_t told;     /* in this subscription, as last logged */
    bool acked;        /* messages were acknowledged since the last subscription began: it is no
                          loop that gives all of them back */
    bool told_limit;   /* it is logged that the broker has a limit by default */
};

/* in_row: as the row of the queue says, of whoever held the lease before. */
void returns_begin(struct returns *returns, uint32_t in_row);

/* A message came. default_limit: see struct broker_port. Returns true if it is nearer to the limit
   than what was known in this subscription: the row is to say so before anything else happens. */
bool returns_note(struct returns *returns, struct queue *queue, const struct delivery *delivery,
                  int default_limit);

/* Forgets the number once all messages that had come back are acknowledged. oldest_tag: of the
   unacknowledged messages; 0 if there are none. redelivered_open: what was unacknowledged before
   may still come, so nothing is forgotten yet. */
void returns_forget(struct returns *returns, uint64_t oldest_tag, bool redelivered_open);

/* The highest of what is or may be unacknowledged. */
uint32_t returns_highest(const struct returns *returns);

/* How long a subscription waits before it takes messages: 2 s at half of the limit, twice as long
   with each return more, up to RETURNS_WAIT_MAX_MS. */
int returns_wait_ms(uint32_t count);

#endif
