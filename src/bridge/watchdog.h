/*
 * The watchdog: one thread for all queues that does nothing but look whether a consumer thread is
 * stuck in a call to the broker (watched.h), and cut that call's connection. It speaks to no server
 * itself, so nothing can hold it up.
 *
 *     watchdog_init(&watchdog, streams, count); a thread with watchdog_main(); watchdog_end(); join
 * it; watchdog_release()
 */
#ifndef KOPRU_BRIDGE_WATCHDOG_H
#define KOPRU_BRIDGE_WATCHDOG_H

#include "bridge/stream.h"

struct watchdog {
    struct stream *streams;
    size_t stream_count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool end; /* guarded by lock */
};

void watchdog_init(struct watchdog *watchdog, struct stream *streams, size_t stream_count);
void watchdog_release(struct watchdog *watchdog);

/* The thread; argument is a struct watchdog. */
void *watchdog_main(void *argument);

/* After the consumers have left. */
void watchdog_end(struct watchdog *watchdog);

#endif
