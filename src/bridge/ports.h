/*
 * What the bridge needs of the world, as small function tables: so that it is tested with scripted
 * fakes, without servers. The real ones are put together in cmd. Each `context` is the
 * implementation's own.
 *
 * Functions that fail return -1 and fill the error, without values of payloads.
 */
#ifndef KOPRU_BRIDGE_PORTS_H
#define KOPRU_BRIDGE_PORTS_H

#include "base/error.h"
#include "model/lease.h"
#include "model/message.h"

struct broker_queue_state {
    uint32_t messages; /* ready */
    uint32_t consumers;
};

/* A consumer of one queue; used by one thread. After -1 it is of no more use but to be closed. */
struct broker_port {
    void *context;
    int (*open)(void *context, void **consumer, struct error *err);
    void (*close)(void *consumer);
    int (*inspect)(void *consumer, const char *queue, struct broker_queue_state *state,
                   struct error *err);
    int (*subscribe)(void *consumer, const char *queue, int prefetch, struct error *err);
    /* 1 with a delivery that is the caller's, 0 when the time is over or wake_fd became readable.
     */
    int (*next)(void *consumer, int wake_fd, int timeout_ms, struct delivery **delivery,
                struct error *err);
    /* The same wait without taking anything: backpressure. */
    int (*idle)(void *consumer, int wake_fd, int timeout_ms, struct error *err);
    int (*ack)(void *consumer, uint64_t tag, struct error *err); /* all up to and including tag */
    int (*ack_one)(void *consumer, uint64_t tag, struct error *err); /* that one alone */
    int (*cancel)(void *consumer, struct error *err);
    /* As inspect, of the queue that is being consumed and without waiting: the answer comes with
       the deliveries. */
    int (*ask)(void *consumer, struct error *err);
    bool (*answered)(void *consumer,
                     struct broker_queue_state *state); /* true once, with the answer */
    int (*heartbeat_s)(const void *consumer);
    /* The only one that another thread may call, while the consumer is not closed: all its calls
       fail from now on, also the present. */
    void (*interrupt)(void *consumer);
    int (*longest_call_ms)(const void *consumer); /* beyond the timeout that a call is given */
};

/* Payloads to changes; one mapper a thread. */
struct mapper_port {
    void *context;
    void *(*open)(void *context); /* NULL when there is no memory */
    void (*close)(void *mapper);
    enum map_outcome (*map)(void *mapper, struct slice body, struct arena *arena,
                            struct change **change, struct refusal *refusal);
    size_t (*arena_limit)(void *context); /* the maximum for the arena, in bytes */
};

/* Transactions; one store a writer thread. It connects by itself when it must. */
struct store_port {
    void *context;
    void *(*open)(void *context); /* NULL when there is no memory */
    void (*close)(void *store);
    enum write_outcome (*write)(void *store, int64_t epoch, const struct write_request *request,
                                struct write_report *report);
};

/* The right to write; used by one thread. */
struct lease_port {
    void *context;
    /* Connects and checks that the tables are what the mappings need; every problem is in the list.
     */
    int (*open)(void *context, void **session, struct error_list *problems);
    void (*close)(void *session);
    int (*read)(void *session, const char *queue, const char *entity, struct lease *lease,
                struct error *err);
    int (*take)(void *session, const char *queue, const char *holder, struct lease *lease,
                struct error *err); /* 1, 0, -1 */
    /* holder: under which name; NULL gives it back. 1, 0 when it is no longer ours, -1. */
    int (*renew)(void *session, const char *queue, int64_t epoch, const struct lease_news *news,
                 const char *holder, struct error *err);
};

#endif
