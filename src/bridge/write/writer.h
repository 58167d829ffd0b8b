/*
 * A writer: a thread that takes all messages that wait for it, up to a batch, and writes them
 * (isolate.h) until they are committed or quarantined. When the subscription is gone, the lease is
 * lost or there is no memory, it drops the batch: what is not committed comes back with the next
 * subscription, here or at another instance. It never waits for a batch to fill: a batch is what
 * gathered while the last one was being committed.
 *
 * A batch has at most max_batch_messages and max_batch_bytes. Redelivered messages that were
 * released together (consume/redelivered.h) are one batch whatever their number; beyond
 * max_batch_bytes they take several transactions, each with all messages of its entities.
 */
#ifndef KOPRU_BRIDGE_WRITE_WRITER_H
#define KOPRU_BRIDGE_WRITE_WRITER_H

#include "bridge/write/session.h"

struct writer {
    struct write_session session;
    pthread_t thread;
    /* Guarded by session.lock, and session.changed tells of it. */
    struct message *first; /* waiting, in order of arrival */
    struct message *last;
    bool busy; /* a batch is being written */
    bool end;  /* leave when there is nothing to do */
};

/* The thread; argument is a struct writer whose session is initialized. */
void *writer_main(void *argument);

/* Appends messages, linked by `next`, in order of arrival. */
void writer_enqueue(struct writer *writer, struct message *first, struct message *last);

/* Drops what waits or is quarantined, and returns when nothing is being written any more. The
   session must be marked abandoned. */
void writer_drain(struct writer *writer);

/* Lets the thread leave once it has nothing to do. */
void writer_end(struct writer *writer);

#endif
