/*
 * The redelivered messages with which a subscription begins: what a lost connection left
 * unacknowledged comes back first, with the broker's flag `redelivered`. Some of it may have been
 * committed before the loss, and nobody can tell which. So the messages are held back and given to
 * the writers together: each entity is folded into one state (model/fold.h), so that no state shows
 * that is older than what was committed. An entity whose messages were all committed comes out as
 * it is stored; no row is written for it, and the messages are committed and acknowledged like all
 * others.
 *
 * They end with the first delivery that is not flagged, when the broker has no more of them, when
 * there were as many as the queue's prefetch setting, or when the subscription was cancelled and
 * all has come. What is redelivered later is late: it is compared with the stored source_time
 * before it is applied (model/change.h).
 *
 * Whether the broker has no more is asked of it, after REDELIVERED_SILENCE_MS without a delivery: a
 * silence alone may be a pause of a busy machine in the middle of them. A passive queue.declare
 * tells how many messages are ready. When none is, the broker has handed all of them to the
 * channel, which may still send some of them behind that answer; it has sent them when it answers
 * once more. An answer that counts no consumer is none: it comes from a quorum queue without a
 * leader. A broker that keeps answering and delivers nothing gives its messages to somebody else,
 * so REDELIVERED_ANSWERS answers end them, too.
 *
 *     redelivered_begin(&redelivered, prefetch, queue_has_messages)    // with the subscription
 *     redelivered_hold(&redelivered, message, unacknowledged)    // each of them, while it is open
 *     redelivered_ask(&redelivered, port, broker, silent_ms, err)   // in each turn without one
 *     redelivered_release(&redelivered, why)    // when there is no room for more; they go on then
 *     redelivered_end(&redelivered, why)                         // as described above
 *
 * What may have been committed before the loss is what was unacknowledged then. There is more room
 * for redelivered messages than for others (redelivered_room()), so all of it is in the first part
 * that is released; messages behind it were never read before, and come in order. There are two
 * exceptions, in which an older state can show until the rest is committed: a broker that was
 * killed may have forgotten acknowledgements, so that more comes back; and messages that are taken
 * one at a time (returns.h) are also committed so, and count as late.
 *
 * Used by the consumer thread. The messages stay among the subscription's unacknowledged ones;
 * nothing here allocates memory.
 */
#ifndef KOPRU_BRIDGE_CONSUME_REDELIVERED_H
#define KOPRU_BRIDGE_CONSUME_REDELIVERED_H

#include "bridge/write/writers.h"
#include "model/ports.h"

struct redelivered {
    struct writers *writers;
    const char *queue;   /* for the log */
    size_t max_messages; /* the queue's prefetch setting: what a predecessor may have had */
    size_t prefetch;     /* messages: the broker delivers no more before some are acknowledged */
    bool open;           /* they have not ended: redelivered messages are held back */
    bool first_expected; /* the queue had messages ready when the subscription began, and none has
                            come yet: the broker is not asked for more */
    bool asked;          /* the broker has not answered yet */
    bool has_no_more;    /* it said so; what it had on its way comes before its next answer */
    unsigned answers;    /* in a row that said something else, without a delivery */
    int64_t answered_at_ms; /* monotonic: the last of them */
    struct message *first;  /* held, linked by `next` */
    struct message *last;
    size_t held;
    size_t total; /* of the subscription so far */
};

/* queue_has_messages: the broker said so just before. */
void redelivered_begin(struct redelivered *redelivered, int prefetch, bool queue_has_messages);

/* How many bytes may be unacknowledged before the socket is read no further: the maximum, and one
   part in REDELIVERED_RESERVE less once the redelivered messages have ended. What comes back may be
   more than what was unacknowledged, by messages whose acknowledgement was lost with the connection
   and by headers that the broker added. */
size_t redelivered_room(const struct redelivered *redelivered, size_t max_unacknowledged_bytes);

/* Holds a message, which was mapped and is among the subscription's unacknowledged ones.
   unacknowledged: how many these are, this one included. Releases what is held when the broker
   delivers no more, and ends when there were as many as the queue's prefetch setting. */
void redelivered_hold(struct redelivered *redelivered, struct message *message,
                      size_t unacknowledged);

/* Nothing has come for silent_ms, and the broker may deliver more: asks it when it is time whether
   it has any, and ends when it has none. Returns 0, or -1 when the broker cannot be asked. */
int redelivered_ask(struct redelivered *redelivered, const struct broker_port *port, void *broker,
                    int64_t silent_ms, struct error *err);

/* Gives the writers what is held, as one batch of each writer. why is for the log. */
void redelivered_release(struct redelivered *redelivered, const char *why);

/* The same, and what is redelivered from now on is late. Does nothing if they have ended. */
void redelivered_end(struct redelivered *redelivered, const char *why);

#endif
