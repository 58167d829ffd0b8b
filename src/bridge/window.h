/*
 * How many messages the broker may deliver ahead. It is the queue's prefetch, until so many did not
 * fit in max_unacknowledged_bytes: a broker whose messages are not read cuts the connection
 * (RabbitMQ 3.10 after 30 s), takes all of them back and delivers them again, over and over while
 * the hand is full. After that only as many as did fit are asked for; when that went well for a
 * while, twice as many.
 */
#ifndef KOPRU_BRIDGE_WINDOW_H
#define KOPRU_BRIDGE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one queue, over all its subscriptions. A zeroed one asks for all. */
struct window {
    int fits;              /* messages; 0: as many as set */
    int64_t full_since_ms; /* monotonic; 0 while there is room */
    int64_t calm_since_ms; /* when it began, or last had no room */
};

/* A subscription begins: the prefetch to ask for. */
int window_begin(struct window *window, int prefetch);

/* There is no room for more, or there is again. */
void window_full(struct window *window);
void window_room(struct window *window);

/* The connection was lost while so many messages filled the hand. True if it was full for so long
   that this is likely why: the next subscription asks for fewer. */
bool window_lost(struct window *window, size_t in_hand);

/* Nothing is in hand: true when a subscription with a larger window is worth its while, and comes
   next. */
bool window_may_grow(struct window *window, int prefetch);

#endif
