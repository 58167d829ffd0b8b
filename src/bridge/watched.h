/*
 * A broker port whose calls are timed, so that another thread can end one that does not return:
 * libraries have hung for ever in a send or a read, and a consumer thread that hangs neither
 * acknowledges nor leaves. One connection at a time, as a consumer thread uses it.
 *
 *     watched_init(&watched, &port, "queue")
 *     port = watched_port(&watched)          // for the consumer thread, instead of the first
 *     watched_look(&watched)                 // by the watchdog, now and then
 *
 * Opening and closing are not watched: there is nothing yet, or no longer, to interrupt, and both
 * are bounded by their own timeouts.
 */
#ifndef KOPRU_BRIDGE_WATCHED_H
#define KOPRU_BRIDGE_WATCHED_H

#include "bridge/ports.h"

#include <pthread.h>
#include <stdatomic.h>

struct watched {
    struct broker_port port;
    const char *queue;
    pthread_mutex_t lock; /* guards open: it is not closed while it is being interrupted */
    bool open;
    void *broker;               /* of the port; the consumer thread's */
    atomic_llong call_began_ms; /* monotonic; 0 between calls */
    int64_t limit_ms;           /* of one call; set before open */
    atomic_ullong interrupted;  /* calls */
};

/* queue is for the log and must outlive it. */
void watched_init(struct watched *watched, const struct broker_port *port, const char *queue);
void watched_release(struct watched *watched);

/* Without interrupt and longest_call_ms: these are for watched_look(). */
struct broker_port watched_port(struct watched *watched);

/* From any thread: interrupts a call that takes longer than the library may need for it and some
   heartbeats more. */
void watched_look(struct watched *watched);

#endif
