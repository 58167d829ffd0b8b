/*
 * The daemon's heart: moves the messages of RabbitMQ queues into PostgreSQL tables. It has the
 * threads of all queues, the lease keeper and the watchdog.
 *
 * A message is acknowledged (basic.ack) only after the transaction with its effect is committed.
 * The effect is its entity's rows, or a row in kopru.dead_letters if it was refused. What is
 * unacknowledged when a connection or the process ends is delivered again, and to write a second
 * time what is committed changes no row of its entity (bridge/consume/redelivered.h).
 *
 *     bridge_start(&bridge, queues, count, &lease, &err)
 *     ... until a signal comes ...
 *     bridge_stop(bridge)
 *     while (!bridge_finished(bridge) && clock_left_ms(deadline_ms) > 0) wait
 *     bridge_free(bridge)      // only when finished; past the deadline leave the process instead
 *
 * The rooms, from the top down; each includes only those below it:
 *
 *     bridge       puts the rooms of each queue together, starts and ends the threads
 *     watchdog     cuts a call to the broker that does not return
 *     consume/     the consumer thread: a subscription from its connection to its end
 *     write/       the writers: a batch until it is committed or quarantined
 *     queue        what the threads of one queue have in common
 *     lease/       who may write for a queue, and what the previous consumer may have left behind
 *     observe/     what is counted and marked for people who look from outside; steers nothing
 *     doorbell, timing
 *
 * The world outside is model/ports.h. timing has every wait that is not a setting.
 */
#ifndef KOPRU_BRIDGE_BRIDGE_H
#define KOPRU_BRIDGE_BRIDGE_H

#include "bridge/consume/consumer.h"

struct bridge;

struct bridge_queue {
    const char *name;
    const char *entity;
    struct consume_settings consume;
    struct write_settings write;
    struct queue_ports ports;
};

/* Starts everything. Connecting goes on in the background and never fails for good. Strings and
   contexts must outlive the bridge. Returns 0, or -1 when memory, descriptors or threads are
   lacking: the process should then end, since threads may have started. */
int bridge_start(struct bridge **out, const struct bridge_queue *queues, size_t count,
                 const struct lease_port *lease, struct error *err);

/* Asks all threads to finish: take what is on its way, cancel the subscriptions, commit and
   acknowledge what was delivered, release the leases. Does not wait. */
void bridge_stop(struct bridge *bridge);

bool bridge_finished(struct bridge *bridge);

/* After bridge_finished(): whether all that was delivered was committed and acknowledged. */
bool bridge_acknowledged_all(const struct bridge *bridge);

/* Safe from any thread until bridge_free(). Returns 0, or -1 when there is no memory; release the
   status in both cases. */
int bridge_status_take(struct bridge *bridge, struct bridge_status *status);

void bridge_free(struct bridge *bridge);

#endif
