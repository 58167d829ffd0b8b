/*
 * The watchdog: a thread that cuts the broker connection of a consumer thread that is stuck in a
 * call. Libraries have hung for ever in a send or a read, and a consumer thread that hangs neither
 * acknowledges nor leaves. The watchdog speaks to no server itself, so nothing can hold it up.
 *
 * Each queue's broker port is wrapped by one whose calls are timed; one connection at a time, as a
 * consumer thread uses it. Opening and closing are not watched: there is nothing yet, or no longer,
 * to interrupt, and both are bounded by their own timeouts.
 *
 *     watched_port_init(&watched, &port, "queue")
 *     port = watched_port(&watched)          // for the consumer thread, instead of the first
 *     watchdog_init(&watchdog, watched_ports, count)
 *     watchdog_start(&watchdog, &err)
 *     watchdog_end(&watchdog)                // after the consumers have left
 *     watchdog_release(&watchdog); watched_port_release(&watched)
 */
#ifndef KOPRU_BRIDGE_WATCHDOG_H
#define KOPRU_BRIDGE_WATCHDOG_H

#include "bridge/doorbell.h"
#include "model/ports.h"

#include <pthread.h>

struct watched_port {
    struct broker_port port;
    const char *queue;
    pthread_mutex_t lock; /* guards open: it is not closed while it is being interrupted */
    bool open;
    void *broker;               /* of the port; belongs to the consumer thread */
    atomic_llong call_began_ms; /* monotonic; 0 between calls */
    int64_t limit_ms;           /* of one call; set before open */
    atomic_ullong interrupted;  /* calls */
};

/* queue is for the log and must outlive it. */
void watched_port_init(struct watched_port *watched, const struct broker_port *port,
                       const char *queue);
void watched_port_release(struct watched_port *watched);

/* The port for the consumer thread. It has neither interrupt nor longest_call_ms: these are for the
   watchdog. */
struct broker_port watched_port(struct watched_port *watched);

/* Interrupts a call that takes longer than the library may need for it and some heartbeats more.
   Safe from any thread; the watchdog calls it now and then. */
void watched_port_check(struct watched_port *watched);

struct watchdog {
    struct watched_port *const *ports;
    size_t port_count;
    struct doorbell bell;
    pthread_t thread;
    atomic_bool end;
};

/* The ports must outlive it. Each returns 0 or -1; release in both cases. */
int watchdog_init(struct watchdog *watchdog, struct watched_port *const *ports, size_t port_count,
                  struct error *err);
int watchdog_start(struct watchdog *watchdog, struct error *err);
void watchdog_release(struct watchdog *watchdog);

/* Lets the thread end, and waits for it. */
void watchdog_end(struct watchdog *watchdog);

#endif
