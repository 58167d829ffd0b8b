/*
 * One RabbitMQ queue whose messages go into the tables of one entity: what its consumer thread, its
 * writers and the lease keeper share. What only one of them uses is in its own room: consume/,
 * write/, lease/.
 */
#ifndef KOPRU_BRIDGE_QUEUE_H
#define KOPRU_BRIDGE_QUEUE_H

#include "bridge/doorbell.h"
#include "bridge/lease/queue_lease.h"
#include "bridge/observe/counters.h"
#include "model/ports.h"

struct queue_ports {
    struct broker_port broker;
    struct mapper_port mapper;
    struct store_port store;
};

struct queue {
    const char *name; /* at the broker */
    const char *entity;
    struct queue_ports ports;
    struct queue_lease lease;
    struct counters counters;
    struct doorbell consumer; /* rung when messages are committed, when the lease or the database
                                 comes or goes, and when the daemon stops */
    atomic_bool stopping;     /* the daemon is */
};

/* keeper: the lease keeper's doorbell. Strings and contexts must outlive the queue. Returns 0 or
   -1; release in both cases. */
int queue_init(struct queue *queue, const char *name, const char *entity,
               const struct queue_ports *ports, const struct doorbell *keeper, struct error *err);
void queue_release(struct queue *queue);

/* The daemon stops: asks the consumer thread to finish what it has and leave. Does not wait. */
void queue_stop(struct queue *queue);

/* By the consumer thread: sleeps until the daemon stops or the time is over. */
void queue_pause(struct queue *queue, int wait_ms);

static inline bool queue_is_stopping(const struct queue *queue)
{
    return atomic_load(&queue->stopping);
}

#endif
