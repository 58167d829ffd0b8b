/*
 * The identity of a process in kopru.queues: enough to see that a holder died on this very machine,
 * so that a restart need not wait until its lease expires.
 */
#ifndef KOPRU_BRIDGE_LEASE_PROCESS_H
#define KOPRU_BRIDGE_LEASE_PROCESS_H

#include "model/lease.h"

/* This process. The instance is boot and process-id namespace, process id, and start time. */
void process_identify(struct lease_holder *self);

/* True only if the process of that instance ran in this boot and namespace and is gone. */
bool process_is_dead(const char *instance);

#endif
