#include "bridge/bridge.h"

#include "base/log.h"
#include "base/thread.h"
#include "bridge/lease/lease_keeper.h"
#include "bridge/watchdog.h"

#include <stdlib.h>

/*
 * Threads end in the order in which they depend on each other. The consumers leave first, because
 * what the writers commit still has to be acknowledged. The lease keeper leaves last: a lease
 * released while a transaction may still commit would let the next holder write at the same time. A
 * thread of its own joins them all, so that the main thread can watch shutdown_timeout and leave
 * the process without them. For the same reason nothing is freed when a thread cannot be started:
 * those that run may still use it all.
 */

/* One queue with all that works for it. */
struct pipeline {
    struct watched_port broker;
    struct queue queue;
    struct writers writers;
    struct consumer consumer;
};

struct bridge {
    struct pipeline *pipelines;
    size_t count;
    struct queue_lease **leases; /* of the pipelines, for the lease keeper */
    struct watched_port **ports; /* of the pipelines, for the watchdog */
    struct doorbell keeper_bell;
    struct lease_keeper keeper;
    pthread_t keeper_thread;
    struct watchdog watchdog;
    pthread_t ender; /* joins everything in order, so that no other thread has to wait */
    atomic_bool finished;
};

static int init_pipeline(struct pipeline *pipeline, const struct bridge_queue *from,
                         const struct doorbell *keeper, struct error *err)
{
    struct queue_ports ports = from->ports;

    watched_port_init(&pipeline->broker, &from->ports.broker, from->name);
    ports.broker = watched_port(&pipeline->broker);
    if (queue_init(&pipeline->queue, from->name, from->entity, &ports, keeper, err) != 0 ||
        writers_init(&pipeline->writers, &pipeline->queue, &from->write, err) != 0)
        return -1;
    consumer_init(&pipeline->consumer, &pipeline->queue, &pipeline->writers, &from->consume);
    return 0;
}

static int start_pipeline(struct pipeline *pipeline, struct error *err)
{
    return writers_start(&pipeline->writers, err) == 0 &&
                   consumer_start(&pipeline->consumer, err) == 0
               ? 0
               : -1;
}

static void log_summary(struct queue *queue)
{
    struct queue_status status = { 0 };
    uint64_t dead_letters = 0;

    counters_status(&queue->counters, &status);
    for (size_t i = 0; i < REFUSAL_REASON_COUNT; i++)
        dead_letters += status.dead_letters[i];
    log_event(LOG_INFO, "queue_stopped", "the queue is no longer consumed",
              LOG_TEXT("queue", queue->name), LOG_NUMBER("delivered", status.delivered),
              LOG_NUMBER("committed", status.committed), LOG_NUMBER("dead_letters", dead_letters),
              LOG_NUMBER("stale", status.stale), LOG_NUMBER("late", status.late));
}

/* The consumers leave when they have acknowledged everything, then the writers have nothing to do,
   then the leases are released. */
static void *end_all(void *argument)
{
    struct bridge *bridge = argument;

    for (size_t i = 0; i < bridge->count; i++) {
        struct pipeline *pipeline = &bridge->pipelines[i];

        consumer_join(&pipeline->consumer);
        writers_end(&pipeline->writers);
        log_summary(&pipeline->queue);
    }
    lease_keeper_end(&bridge->keeper);
    pthread_join(bridge->keeper_thread, NULL);
    watchdog_end(&bridge->watchdog);
    atomic_store(&bridge->finished, true);
    return NULL;
}

static void release(struct bridge *bridge)
{
    lease_keeper_release(&bridge->keeper);
    watchdog_release(&bridge->watchdog);
    for (size_t i = 0; i < bridge->count; i++) {
        struct pipeline *pipeline = &bridge->pipelines[i];

        writers_release(&pipeline->writers);
        queue_release(&pipeline->queue);
        watched_port_release(&pipeline->broker);
    }
    doorbell_release(&bridge->keeper_bell);
    free(bridge->leases);
    free(bridge->ports);
    free(bridge->pipelines);
    free(bridge);
}

static int init(struct bridge *bridge, const struct bridge_queue *queues, size_t count,
                const struct lease_port *lease, struct error *err)
{
    bridge->pipelines = calloc(count, sizeof(*bridge->pipelines));
    bridge->leases = calloc(count, sizeof(*bridge->leases));
    bridge->ports = calloc(count, sizeof(*bridge->ports));
    lease_keeper_init(&bridge->keeper, lease, bridge->leases, count, &bridge->keeper_bell);
    if (doorbell_init(&bridge->keeper_bell, err) != 0 ||
        watchdog_init(&bridge->watchdog, bridge->ports, count, err) != 0)
        return -1;
    if (bridge->pipelines == NULL || bridge->leases == NULL || bridge->ports == NULL)
        return error_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        struct pipeline *pipeline = &bridge->pipelines[i];

        bridge->count = i + 1;
        if (init_pipeline(pipeline, &queues[i], &bridge->keeper_bell, err) != 0)
            return -1;
        bridge->leases[i] = &pipeline->queue.lease;
        bridge->ports[i] = &pipeline->broker;
    }
    return 0;
}

static int start_threads(struct bridge *bridge, struct error *err)
{
    for (size_t i = 0; i < bridge->count; i++) {
        if (start_pipeline(&bridge->pipelines[i], err) != 0)
            return -1;
    }
    if (thread_start(&bridge->keeper_thread, "lease keeper", lease_keeper_main, &bridge->keeper,
                     err) != 0 ||
        watchdog_start(&bridge->watchdog, err) != 0)
        return -1;
    return thread_start(&bridge->ender, "ender", end_all, bridge, err);
}

int bridge_start(struct bridge **out, const struct bridge_queue *queues, size_t count,
                 const struct lease_port *lease, struct error *err)
{
    struct bridge *bridge = calloc(1, sizeof(*bridge));

    *out = NULL;
    if (bridge == NULL)
        return error_no_memory(err);
    bridge->keeper_bell.fd = -1;
    bridge->watchdog.bell.fd = -1;
    if (init(bridge, queues, count, lease, err) != 0) {
        release(bridge);
        return -1;
    }
    /* A process that cannot start its threads ends: nothing was delivered yet, and there is no
       thread that it could safely wait for. */
    if (start_threads(bridge, err) != 0)
        return -1;
    *out = bridge;
    return 0;
}

void bridge_stop(struct bridge *bridge)
{
    for (size_t i = 0; i < bridge->count; i++) {
        queue_stop(&bridge->pipelines[i].queue);
        writers_stop(&bridge->pipelines[i].writers);
    }
}

bool bridge_finished(struct bridge *bridge)
{
    return atomic_load(&bridge->finished);
}

bool bridge_acknowledged_all(const struct bridge *bridge)
{
    for (size_t i = 0; i < bridge->count; i++) {
        if (!consumer_acknowledged_all(&bridge->pipelines[i].consumer))
            return false;
    }
    return true;
}

static void read_queue(struct pipeline *pipeline, struct queue_status *status)
{
    struct queue *queue = &pipeline->queue;

    *status = (struct queue_status){ .queue = queue->name, .entity = queue->entity };
    queue_lease_status(&queue->lease, status);
    counters_status(&queue->counters, status);
    writers_status(&pipeline->writers, status);
    status->interrupted = atomic_load(&pipeline->broker.interrupted);
}

int bridge_status_take(struct bridge *bridge, struct bridge_status *status)
{
    *status = (struct bridge_status){ .queues = calloc(bridge->count, sizeof(*status->queues)) };
    if (status->queues == NULL)
        return -1;
    status->queue_count = bridge->count;
    for (size_t i = 0; i < bridge->count; i++) {
        struct pipeline *pipeline = &bridge->pipelines[i];

        read_queue(pipeline, &status->queues[i]);
        status->database_ok =
            queue_lease_view(&pipeline->queue.lease).database_ok; /* the same for all */
        status->stopping = queue_is_stopping(&pipeline->queue);
    }
    lease_keeper_status(&bridge->keeper, status);
    return 0;
}

void bridge_free(struct bridge *bridge)
{
    pthread_join(bridge->ender, NULL);
    release(bridge);
}
