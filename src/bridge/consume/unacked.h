/*
 * The unacknowledged messages of one subscription, from delivery to acknowledgement, in order of
 * arrival. Owned by the consumer thread.
 */
#ifndef KOPRU_BRIDGE_CONSUME_UNACKED_H
#define KOPRU_BRIDGE_CONSUME_UNACKED_H

#include "model/message.h"

struct unacked {
    struct message *oldest;
    struct message *youngest;
    size_t count;
    size_t bytes;
    uint64_t arrivals; /* of the whole subscription: the next position */
};

void unacked_init(struct unacked *unacked);

/* Takes the message over and numbers it. */
void unacked_add(struct unacked *unacked, struct message *message);

/* Frees the oldest messages up to the first one that is not committed. Returns true with the tag up
   to which all may be acknowledged (basic.ack with `multiple`), false if the oldest is not
   committed. */
bool unacked_take_committed(struct unacked *unacked, uint64_t *tag);

/* Frees committed messages behind one that is not, at most `max`, and fills in their tags, each to
   be acknowledged alone. Returns how many. */
size_t unacked_take_committed_behind(struct unacked *unacked, uint64_t *tags, size_t max);

/* How many are not committed yet. Looks at each one. */
size_t unacked_uncommitted(const struct unacked *unacked);

/* Monotonic: when the oldest one arrived; 0 when there is none. */
int64_t unacked_oldest_ms(const struct unacked *unacked);

/* Frees all of them. No writer may hold one. */
void unacked_release(struct unacked *unacked);

#endif
