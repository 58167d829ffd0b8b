/*
 * A batch that the database does not take is halved until what is at fault stands alone: its
 * neighbours commit in order. One bad entity among n costs about 2*log2(n) extra transactions.
 *
 * - A refused message becomes a dead letter, which commits with the neighbours. A unique violation
 *   (23505) may be a race: the entity is tried once more when the others are done.
 * - After an error that has no rule, or for too much time or memory, the batch is first tried a few
 *   times as it is, since it may be an outage. An entity that still fails alone is quarantined. If
 *   another one fails right after it, with nothing committed in between, that is more like an
 *   outage: both wait until something else gets through, and are quarantined when nothing else is
 *   left.
 */
#ifndef KOPRU_BRIDGE_WRITE_ISOLATE_H
#define KOPRU_BRIDGE_WRITE_ISOLATE_H

#include "bridge/write/session.h"

/* The messages as struct write_request wants them, refused ones first; the array is not changed.
   Returns true when all of them are committed or quarantined, false when the subscription is gone
   or there was no memory. */
bool isolate_write(struct write_session *session, struct message **messages, size_t count);

#endif
