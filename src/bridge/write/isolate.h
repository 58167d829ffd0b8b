/*
 * Writes a batch. One that the database does not take is halved, by entities, until an entity at
 * fault stands alone; the others commit in order, each part that the database takes in one
 * transaction. One bad entity among n costs about 2*log2(n) extra transactions.
 *
 * - The messages of an entity are folded into one state before it is written, so a bad value that a
 *   later message of the batch replaces is not refused. Where the database refuses an entity alone
 *   (by a CHECK constraint for example) and it has one message, that message is refused. If it has
 *   several, they are probed one after the other in rolled-back transactions, each on top of those
 *   that the database took; these are committed together, and only the others are refused. A unique
 *   violation (23505) may be a race: the entity is tried once more, after a wait, when the others
 *   are done.
 * - A refusal that a whole table can raise is a verdict only if the entity is refused alone twice,
 *   and in between others were committed through the same statements, or a stored row was taken
 *   (session_ask_witness()). So such an entity is left until the others were tried. If nothing
 *   proves it, the entity counts as one that fails alone.
 * - A refused message becomes a dead letter in the next transaction that commits, together with
 *   neighbours; in one of its own when none are left. No verdict outlives a wait: when that
 *   transaction fails, the message is judged again.
 * - After any other error of a statement that carries rows, a connection that is lost in one, or
 *   for too much time or memory, the batch is first tried a few times as it is, since it may be an
 *   outage. An entity that still fails alone is quarantined. If another one fails right after it,
 *   with nothing committed in between, and a few others do not commit either, that is more like an
 *   outage: the writer says so and waits, and tries what is left. What failed so is quarantined
 *   when nothing else is left.
 */
#ifndef KOPRU_BRIDGE_WRITE_ISOLATE_H
#define KOPRU_BRIDGE_WRITE_ISOLATE_H

#include "bridge/write/session.h"

/* The messages of a batch: refused ones first, then the others in the order of struct
   write_request. The array is not changed. Returns true when all of them are committed or
   quarantined. Returns false when the subscription is gone, the lease is lost or there was no
   memory: then some of them may be committed, and the subscription has to end. */
bool isolate_write(struct write_session *session, struct message **messages, size_t count);

#endif
