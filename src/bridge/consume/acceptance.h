/*
 * How the consumer thread takes a delivery over: it notes how often the message came back
 * (returns.h), maps it, and gives it to its writer, or holds it back among the redelivered messages
 * (redelivered.h).
 */
#ifndef KOPRU_BRIDGE_CONSUME_ACCEPTANCE_H
#define KOPRU_BRIDGE_CONSUME_ACCEPTANCE_H

#include "bridge/consume/subscription.h"

/* Takes the delivery, which is the subscription's from now on, whatever is returned. mapper: of the
   queue's mapper port. One that came back oftener than any before it waits until the row of the
   queue says so. Returns 0, or -1 when there is no memory, the connection failed, or there is a
   reason to leave. */
int acceptance_take(struct subscription *subscription, void *mapper, struct delivery *delivery,
                    struct error *err);

/* Forgets the returns of what was acknowledged since; see returns_forget(). */
void acceptance_forget_returns(struct subscription *subscription);

#endif
