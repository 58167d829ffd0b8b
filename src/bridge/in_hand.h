/*
 * The messages of one subscription between delivery and acknowledgement, in order of arrival. Owned
 * by the consumer thread.
 */
#ifndef KOPRU_BRIDGE_IN_HAND_H
#define KOPRU_BRIDGE_IN_HAND_H

#include "model/message.h"

struct in_hand {
    struct message *oldest;
    struct message *youngest;
    size_t count;
    size_t bytes;
    uint64_t arrivals; /* of the whole subscription: the next position */
};

void in_hand_init(struct in_hand *in_hand);

/* Takes the message over and numbers it. */
void in_hand_add(struct in_hand *in_hand, struct message *message);

/* Frees the leading messages that are done. Returns true with the tag up to which all may be
   acknowledged, false if there is none. */
bool in_hand_settle(struct in_hand *in_hand, uint64_t *tag);

/* Frees messages that are done behind one that is not, at most `max`, and puts their tags, each to
   be acknowledged alone. Returns how many. */
size_t in_hand_settle_behind(struct in_hand *in_hand, uint64_t *tags, size_t max);

/* How many are not done yet. Looks at each. */
size_t in_hand_undone(const struct in_hand *in_hand);

/* Frees all. No writer may hold one of them. */
void in_hand_release(struct in_hand *in_hand);

#endif
