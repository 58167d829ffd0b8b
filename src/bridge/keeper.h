/*
 * The keeper: one thread for all queues that takes and renews the right to write, over a database
 * connection of its own. While it cannot reach the database, nobody begins a new subscription.
 */
#ifndef KOPRU_BRIDGE_KEEPER_H
#define KOPRU_BRIDGE_KEEPER_H

#include "bridge/stream.h"

struct keeper {
    struct lease_port port;
    struct stream *streams;
    size_t stream_count;
    char holder[LEASE_HOLDER_MAX_BYTES]; /* this process, as kopru.queues names it */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool end;   /* guarded by lock */
    bool asked; /* guarded by lock: to write the rows now */

    struct pulse pulse;
    struct trouble_spot trouble; /* why the database is not there for us */
    atomic_ullong sessions;      /* begun */
};

void keeper_init(struct keeper *keeper, const struct lease_port *port, struct stream *streams,
                 size_t stream_count);
void keeper_release(struct keeper *keeper);

/* The thread; argument is a struct keeper. */
void *keeper_main(void *argument);

/* Have the rows written now, unless the database is away. Safe from any thread. */
void keeper_ask(struct keeper *keeper);

/* After the consumers and writers have left: gives the queues back and ends. */
void keeper_end(struct keeper *keeper);

#endif
