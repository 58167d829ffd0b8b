/*
 * A batch that the database does not take is halved until what is at fault stands alone: its
 * neighbours commit in order. One bad entity among n costs about 2*log2(n) extra transactions.
 *
 * - Refused by a rule: the message becomes a dead letter, which commits with the neighbours. A
 *   unique violation (23505) may be a race: the entity is tried once more when the others are done.
 * - Failed with an error that nobody knows, or for too much time or memory: the batch is tried a
 *   few times as it is, since it may be an outage. An entity that still fails alone is parked. If
 *   another fails right after it, with nothing committed in between, that is more like an outage:
 *   both wait until something else gets through, and are parked when nothing else is left.
 */
#ifndef KOPRU_BRIDGE_ISOLATE_H
#define KOPRU_BRIDGE_ISOLATE_H

#include "bridge/stream.h"

/* The messages as struct write_request wants them, refused ones first; the array is not changed.
   All of them are done afterwards, or parked (true), or the subscription was abandoned or there was
   no memory (false). */
bool isolate_write(struct writer *writer, struct message **messages, size_t count);

#endif
