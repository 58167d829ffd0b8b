/*
 * What the bridge needs of the world, as small function tables. amqp, mapping and pg export them
 * filled in; tests put scripted fakes in their place. Each `context` belongs to the implementation.
 *
 * A function that fails returns -1 and fills the error, without values of payloads.
 */
#ifndef KOPRU_MODEL_PORTS_H
#define KOPRU_MODEL_PORTS_H

#include "base/error.h"
#include "model/lease.h"
#include "model/message.h"

/* What a passive queue.declare tells. */
struct broker_queue_state {
    uint32_t messages; /* ready */
    uint32_t consumers;
};

/* A consumer of one queue, with a connection and a channel of its own; used by one thread. Once a
   call has returned -1, the consumer can only be closed. */
struct broker_port {
    void *context;
    int (*open)(void *context, void **consumer, struct error *err);
    void (*close)(void *consumer);
    int (*inspect)(void *consumer, const char *queue, struct broker_queue_state *state,
                   struct error *err);
    int (*subscribe)(void *consumer, const char *queue, int prefetch, struct error *err);
    /* Returns 1 with a delivery that belongs to the caller, 0 when the time is over or wake_fd has
       become readable. */
    int (*next)(void *consumer, int wake_fd, int timeout_ms, struct delivery **delivery,
                struct error *err);
    /* The same wait, but nothing is read from the socket: backpressure. */
    int (*idle)(void *consumer, int wake_fd, int timeout_ms, struct error *err);
    int (*ack)(void *consumer, uint64_t tag, struct error *err);     /* all up to that tag */
    int (*ack_one)(void *consumer, uint64_t tag, struct error *err); /* that one alone */
    int (*cancel)(void *consumer, struct error *err);
    /* Asks what inspect() asks about the consumed queue, without waiting: the answer arrives among
       the deliveries. */
    int (*ask)(void *consumer, struct error *err);
    bool (*answered)(void *consumer,
                     struct broker_queue_state *state); /* true once per answer, with it */
    int (*heartbeat_s)(const void *consumer);
    /* The only function that another thread may call, as long as the consumer is not closed: the
       call in progress and all later ones fail. */
    void (*interrupt)(void *consumer);
    /* How much longer than its timeout a call may take, in milliseconds. */
    int (*longest_call_ms)(const void *consumer);
};

/* Turns payloads into changes; one mapper per thread. */
struct mapper_port {
    void *context;
    void *(*open)(void *context); /* NULL when there is no memory */
    void (*close)(void *mapper);
    enum map_outcome (*map)(void *mapper, struct slice body, struct arena *arena,
                            struct change **change, struct refusal *refusal);
    size_t (*arena_limit)(void *context); /* bytes: the maximum of the arena that map() fills */
};

/* Writes batches; one store per writer thread. It connects and reconnects by itself. */
struct store_port {
    void *context;
    void *(*open)(void *context); /* NULL when there is no memory */
    void (*close)(void *store);
    enum write_outcome (*write)(void *store, int64_t epoch, const struct write_request *request,
                                struct write_report *report);
};

/* The leases on the queues, in kopru.queues; used by one thread. */
struct lease_port {
    void *context;
    /* Connects and checks that the tables are what the mappings need; the list gets every
       problem. */
    int (*open)(void *context, void **session, struct error_list *problems);
    void (*close)(void *session);
    int (*read)(void *session, const char *queue, const char *entity, struct lease *lease,
                struct error *err);
    /* Acquires the lease that was read. Returns 1, 0 when it is not to be had now, or -1. */
    int (*acquire)(void *session, const char *queue, const struct lease_holder *holder,
                   struct lease *lease, struct error *err);
    /* Each returns 1, 0 when another instance has acquired the lease meanwhile, or -1. mine: the
       epoch under which it is held, and the holder and state that the row is to have. */
    int (*renew)(void *session, const char *queue, const struct lease *mine,
                 const struct freshness *freshness, struct error *err);
    int (*release)(void *session, const char *queue, int64_t epoch,
                   const struct freshness *freshness, struct error *err);
};

#endif
