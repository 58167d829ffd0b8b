/*
 * The prefetch of a subscription (basic.qos): how many messages the broker may deliver that are not
 * acknowledged yet. It is the queue's setting, or as many usual messages as fit in
 * max_unacknowledged_bytes, until messages turn out to be larger. A broker whose messages are not
 * read cuts the connection (RabbitMQ 3.10 after 30 s), takes all of them back and delivers them
 * again, over and over while they do not fit. After that only as many as did fit are asked for;
 * when that went well for a while (PREFETCH_GROW_MS), twice as many.
 */
#ifndef KOPRU_BRIDGE_CONSUME_PREFETCH_H
#define KOPRU_BRIDGE_CONSUME_PREFETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The setting, but not more than fit in max_unacknowledged_bytes at the size of usual messages; at
   least 1. After a lost connection all of them may be redelivered, also those whose acknowledgement
   was lost, and should then fit in memory together (redelivered.h). */
int prefetch_limit(int setting, size_t max_unacknowledged_bytes);

/* Of one queue, over all its subscriptions. */
struct prefetch {
    int limit;             /* messages */
    int fits;              /* messages; 0: as many as the limit */
    int64_t full_since_ms; /* monotonic; 0 while there is room */
    int64_t calm_since_ms; /* when the subscription began, or last had no room */
};

void prefetch_init(struct prefetch *prefetch, int limit);

/* A subscription begins. Returns the prefetch to ask for. */
int prefetch_begin(struct prefetch *prefetch);

/* There is no room for more messages, or there is again. */
void prefetch_note_full(struct prefetch *prefetch);
void prefetch_note_room(struct prefetch *prefetch);

/* The connection was lost while that many messages were unacknowledged. Returns true if there was
   no room for so long that this is likely the reason: the next subscription asks for fewer. */
bool prefetch_lost(struct prefetch *prefetch, size_t unacknowledged);

/* Nothing is unacknowledged. Returns true when a subscription with a larger prefetch is worth its
   while, and comes next. */
bool prefetch_may_grow(struct prefetch *prefetch);

#endif
