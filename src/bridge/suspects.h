/*
 * Entities that fail alone with an error that nobody knows, or for too much time or memory: set
 * aside (parked.h), tried again and again, and judged message by message.
 *
 * A message is at fault, and becomes a dead letter with an alarm, when an error without a rule hit
 * it alone isolate.attempts times, over at least isolate.minutes, while other messages committed
 * through the same statements in between. Without that success, and for time or memory, it is tried
 * for ever: that is what an outage looks like.
 */
#ifndef KOPRU_BRIDGE_SUSPECTS_H
#define KOPRU_BRIDGE_SUSPECTS_H

#include "bridge/stream.h"

/* Sets aside the accepted messages of one id, in order of arrival, for what the report says. False
   when there is no room. */
bool suspects_park(struct writer *writer, struct message *const *messages, size_t count,
                   const struct write_report *report);

/* Whether something is due: it is its time, or the daemon stops and this is the last attempt. */
bool suspects_are_due(const struct writer *writer);

/* Tries what is due, and judges. False when the subscription is gone. */
bool suspects_retry(struct writer *writer);

#endif
