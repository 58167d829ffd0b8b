/*
 * The daemon without its outside: all queues, their threads and the keeper.
 *
 *     bridge_start(&bridge, streams..., &err)
 *     ... until a signal comes ...
 *     bridge_stop(bridge)
 *     while (!bridge_finished(bridge) && clock_left_ms(deadline) > 0) wait
 *     bridge_free(bridge)           // only when finished; past the deadline leave the process
 * instead
 *
 * The files, each thread with what it alone uses; a header says what it needs of the ones behind
 * it:
 *
 *     consumer     subscription, run (the leading run), in_hand, window, starved
 *     writer       isolate, suspects and parked, settle (one transaction), flood (what the breaker
 * makes it do) keeper       holder; outstanding says when a new holder may subscribe watchdog
 * watched (the broker's port, with a clock) shared       stream: one queue, with its breaker and
 * its tally for others   status, of tally, pulse and trouble the world    ports; policy has every
 * waiting time
 */
#ifndef KOPRU_BRIDGE_BRIDGE_H
#define KOPRU_BRIDGE_BRIDGE_H

#include "bridge/stream.h"

struct bridge;

struct bridge_queue {
    struct stream_settings settings;
    struct stream_ports ports;
};

/* Starts everything. Connecting goes on in the background and never fails for good. Strings and
   contexts must outlive the bridge. */
int bridge_start(struct bridge **out, const struct bridge_queue *queues, size_t count,
                 const struct lease_port *lease, struct error *err);

/* Asks all to finish: cancel, commit and acknowledge what was delivered, give the queues back. */
void bridge_stop(struct bridge *bridge);

bool bridge_finished(struct bridge *bridge);

/* After bridge_finished(): whether everything in hand was committed and acknowledged. */
bool bridge_clean(const struct bridge *bridge);

void bridge_free(struct bridge *bridge);

#endif
