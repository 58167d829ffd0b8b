/*
 * A batch that the database refuses is halved until the message at fault stands alone: its neighbours commit in order, and its dead
 * letter commits with them. One bad entity among n costs about 2*log2(n) extra transactions. So
 * is a batch that takes too long or too much memory, down to single entities.
 */
#ifndef KOPRU_BRIDGE_ISOLATE_H
#define KOPRU_BRIDGE_ISOLATE_H

#include "bridge/stream.h"

/* The messages as struct write_request wants them, refused ones first; the array is reordered. All of them are done afterwards (true),
   or the subscription was abandoned or there was no memory (false). */
bool isolate_write(struct writer *writer, struct message **messages, size_t count);

#endif
