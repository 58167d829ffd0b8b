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
   call has returned -1, the consumer can only be closed. Whenever its connection ends, the broker
   takes back what was delivered and is not acknowledged, and delivers it again, to any consumer. */
struct broker_port {
    void *context;
    /* Connects and logs in. After -1 there is nothing to close. */
    int (*open)(void *context, void **consumer, struct error *err);
    void (*close)(void *consumer);
    /* A passive queue.declare: waits for the answer, and so until the broker has read everything
       that was sent before. */
    int (*inspect)(void *consumer, const char *queue, struct broker_queue_state *state,
                   struct error *err);
    /* basic.qos and basic.consume. 0: the broker has confirmed both. prefetch: messages. */
    int (*subscribe)(void *consumer, const char *queue, int prefetch, struct error *err);
    /* Returns 1 with a delivery that belongs to the caller, 0 when the time is over, wake_fd has
       become readable, or an answer has come (ask()); after cancel() only when the broker delivers
       no more. */
    int (*next)(void *consumer, int wake_fd, int timeout_ms, struct delivery **delivery,
                struct error *err);
    /* The same wait, but nothing is read from the socket: backpressure. */
    int (*idle)(void *consumer, int wake_fd, int timeout_ms, struct error *err);
    /* basic.ack, of all deliveries up to that tag or of that one alone. It is sent and not
       confirmed. */
    int (*ack)(void *consumer, uint64_t tag, struct error *err);
    int (*ack_one)(void *consumer, uint64_t tag, struct error *err);
    /* basic.cancel. What the broker has delivered by then still comes, and may be acknowledged. */
    int (*cancel)(void *consumer, struct error *err);
    /* Asks what inspect() asks about the consumed queue, without waiting: the answer arrives among
       the deliveries. */
    int (*ask)(void *consumer, struct error *err);
    /* True once when the last question is answered, with the answer. */
    bool (*answered)(void *consumer, struct broker_queue_state *state);
    int (*heartbeat_s)(const void *consumer); /* as negotiated with the broker */
    /* After how many returns a quorum queue of that broker drops a message that comes back, or
       dead-letters it, unless its owner set another limit; 0: it does not, unless its owner said
       so. */
    int (*default_delivery_limit)(const void *consumer);
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
    /* Writes the paths at which no message so far had anything, as many as fit, once there were
       enough messages to judge by. Returns their number. Both are the same until a change says
       judged_anew. */
    size_t (*unmatched)(void *mapper, char *text, size_t size);
    size_t (*arena_limit)(void *context); /* bytes: the maximum of the arena that map() fills */
};

/* Writes batches; one store per writer thread. It connects and reconnects by itself. */
struct store_port {
    void *context;
    void *(*open)(void *context); /* NULL when there is no memory */
    void (*close)(void *store);
    /* Writes the request in one transaction, whole or not at all, if the lease still has that
       epoch. While the transaction is open no other instance can acquire the lease. Fills *report
       whatever the outcome. */
    enum write_outcome (*write)(void *store, int64_t epoch, const struct write_request *request,
                                struct write_report *report);
    /* Writes a stored entity again and rolls back: one that goes through some of the statements in
       *rest (as in struct write_report), if there is one. Takes these out of *rest; called again
       until it is 0, it asks about all. Returns 0, and adds to *passed the statements through which
       the database took the entity, none where nothing is stored that can tell; or -1: the database
       did not take it, or could not be asked. */
    int (*ask_witness)(void *store, int64_t epoch, uint64_t *rest, uint64_t *passed);
};

/* The leases on the queues, in kopru.queues; used by one thread. */
struct lease_port {
    void *context;
    /* Connects and checks what all queues share: the server, the schema, and kopru's own tables;
       the list gets every problem. */
    int (*open)(void *context, void **session, struct error_list *problems);
    void (*close)(void *session);
    /* Compares the entity's tables with what its mapping needs, and the queue's row with the
       entity. Returns 1 if they fit; 0 if they do not, and the list gets every problem; -1 if the
       server cannot be asked, and the list gets why. */
    int (*check_tables)(void *session, const char *queue, const char *entity,
                        struct error_list *problems);
    /* Reads the queue's row, and inserts it if there is none. Does not acquire the lease. Returns
       0; 1 with *err filled when the row says that the queue carries another entity: then the lease
       must not be acquired until a person decides; or -1. */
    int (*read)(void *session, const char *queue, const char *entity, struct lease *lease,
                struct error *err);
    /* Acquires the lease that was read: waits for the transactions under its epoch, and then raises
       the epoch. Returns 1 with the new one in *lease; 0 when another instance was quicker, the
       holder renewed it, or the transactions were not over in time, so read it again; or -1. */
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
