#include "bridge/queue.h"

#include "base/clock.h"

int queue_init(struct queue *queue, const char *name, const char *entity,
               const struct queue_ports *ports, const struct doorbell *keeper, struct error *err)
{
    *queue = (struct queue){ .name = name, .entity = entity, .ports = *ports };
    counters_init(&queue->counters);
    queue_lease_init(&queue->lease, name, entity, &queue->counters, &queue->consumer, keeper);
    return doorbell_init(&queue->consumer, err);
}

void queue_release(struct queue *queue)
{
    doorbell_release(&queue->consumer);
    queue_lease_release(&queue->lease);
    counters_release(&queue->counters);
}

void queue_stop(struct queue *queue)
{
    atomic_store(&queue->stopping, true);
    doorbell_ring(&queue->consumer);
}

void queue_pause(struct queue *queue, int wait_ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;

    while (!queue_is_stopping(queue) && clock_left_ms(deadline_ms) > 0)
        doorbell_wait(&queue->consumer, clock_left_ms(deadline_ms));
}
