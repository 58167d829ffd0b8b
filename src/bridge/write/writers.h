/*
 * The writers of one queue, as the consumer thread sees them: it hands messages over, and finds
 * them committed or learns that the subscription has to end.
 *
 *     writers_init(&writers, &queue, &settings, &err); writers_start(&writers, &err)
 *     writers_begin(&writers, epoch)                   // with each subscription
 *     writers_enqueue(&writers, message)
 *     until message->committed or writers_have_failed(&writers)
 *     writers_abandon(&writers)                        // when the subscription is gone
 *     writers_end(&writers); writers_release(&writers)
 *
 * Messages belong to the consumer thread again once they are committed, and after
 * writers_abandon().
 */
#ifndef KOPRU_BRIDGE_WRITE_WRITERS_H
#define KOPRU_BRIDGE_WRITE_WRITERS_H

#include "bridge/write/writer.h"

struct writers {
    struct write_shared shared;
    struct writer *writers;
    size_t count;
    size_t started; /* threads */
};

/* Returns 0, or -1 when there is no memory. Release in both cases, and only without threads. */
int writers_init(struct writers *writers, struct queue *queue,
                 const struct write_settings *settings, struct error *err);
void writers_release(struct writers *writers);

/* Returns 0, or -1 when the system refuses a thread. */
int writers_start(struct writers *writers, struct error *err);

/* A subscription begins under the lease of that epoch. */
void writers_begin(struct writers *writers, int64_t epoch);

/* Which of count writers an id belongs to. Ids that differ in the last byte alone, as ids in a row
   do, take turns; otherwise each writer gets its share by chance. */
size_t writers_choose(struct slice id, size_t count);

/* Gives each writer its part of the messages, which are linked by `next` in order of arrival, in
   one piece. The same id always goes to the same writer, so that order holds per entity; messages
   that kopru refused go to any. */
void writers_enqueue(struct writers *writers, struct message *first);

/* Whether a writer dropped a batch, because the lease is lost or there was no memory, so that the
   subscription has to end. */
bool writers_have_failed(const struct writers *writers);

/* Takes every message from the writers: what waits or is quarantined is dropped, a transaction that
   is in progress is waited for, and is not repeated. */
void writers_abandon(struct writers *writers);

/* The daemon stops: quarantined entities get their last trial. */
void writers_stop(struct writers *writers);

/* After the consumer thread has left: lets the threads end, and waits for them. */
void writers_end(struct writers *writers);

/* Whether the breaker is open, so that nothing is written. */
bool writers_breaker_is_open(const struct writers *writers);

/* How many messages are quarantined now, and how many of these had their last trial. */
size_t writers_quarantined(const struct writers *writers);
size_t writers_stuck(const struct writers *writers);

/* Fills in what a status says of the writers. */
void writers_status(struct writers *writers, struct queue_status *status);

#endif
