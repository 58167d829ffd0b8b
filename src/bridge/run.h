/*
 * The leading run: the messages that the broker flags as redelivered right after a subscription
 * began. They are held back and given to the writers together, so that each entity gets one state,
 * and nobody sees one that is older than what was committed before the loss.
 *
 *     run_begin(&run)                 with the subscription
 *     run_hold(&run, message)         each redelivered message, while run.open
 *     run_release(&run, stream)       when there is no room for more: it goes on afterwards
 *     run_end(&run, stream, "silence")
 *
 * What may have been committed before the loss is what was in hand then. The run has more room than
 * that (run_room()), so all of it is in the first part that is released; messages behind it were
 * never read before, and come in order.
 *
 * Used by the consumer thread. The messages stay in its in_hand list; nothing here allocates
 * memory.
 */
#ifndef KOPRU_BRIDGE_RUN_H
#define KOPRU_BRIDGE_RUN_H

#include "bridge/stream.h"

struct leading_run {
    bool open;             /* redelivered messages are held back, and are not late */
    size_t window;         /* messages: the broker delivers no more before some are acknowledged */
    struct message *first; /* held, linked by `next` */
    struct message *last;
    size_t held;
    size_t total; /* messages of the run so far */
};

/* How many bytes may be in hand before the socket is read no further. Outside the run a quarter
   stays free: what comes back may be more than what was in hand, by messages whose acknowledgement
   was lost with the connection and by headers that the broker added. */
size_t run_room(const struct leading_run *run, const struct stream *stream);

void run_begin(struct leading_run *run, int window);

/* in_hand: how many messages are, this one included. Releases what is held when the window is full,
   and ends the run when it has become as long as the queue's prefetch. */
void run_hold(struct leading_run *run, struct stream *stream, struct message *message,
              size_t in_hand);

/* Gives each writer its part of what is held, in one piece. */
void run_release(struct leading_run *run, struct stream *stream, const char *why);

/* The same, and what is redelivered from now on is late. Nothing happens if it has ended. */
void run_end(struct leading_run *run, struct stream *stream, const char *why);

#endif
