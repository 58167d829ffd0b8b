/*
 * The lease keeper: one thread for all queues that acquires and renews their leases, over a
 * database connection of its own, every LEASE_RENEW_MS. While it cannot reach the database, no
 * consumer begins a new subscription; a subscription that has begun goes on (see
 * subscription_reason_to_leave()).
 *
 * It acquires a lease that nobody holds, that this process holds already, whose holder has not
 * renewed it for LEASE_EXPIRES_MS, or whose holder was a process of this machine that is gone
 * (process.h: so a restart after a crash does not wait). What that holder may have left at the
 * broker goes with the lease (handover.h). When a renewal finds another epoch in the row, the lease
 * is lost; then it is asked for again, like one that was never held. A lease whose row names
 * another entity than the queue has here is not acquired.
 *
 *     lease_keeper_init(&keeper, &port, leases, count, &bell)
 *     a thread with lease_keeper_main()
 *     lease_keeper_end(&keeper)    // after the consumers and writers have left; join the thread
 *     lease_keeper_release(&keeper)
 */
#ifndef KOPRU_BRIDGE_LEASE_LEASE_KEEPER_H
#define KOPRU_BRIDGE_LEASE_LEASE_KEEPER_H

#include "bridge/lease/queue_lease.h"
#include "model/ports.h"

struct lease_keeper {
    struct lease_port port;
    struct queue_lease *const *leases;
    size_t lease_count;
    const struct doorbell *bell; /* rung by those who want the rows written now */
    struct lease_holder self;
    atomic_bool end;

    struct liveness liveness;
    struct last_error_slot error; /* why the database is not there, or not as it must be */
    atomic_ullong sessions;       /* database connections begun */
};

/* The leases and the bell must outlive the keeper. */
void lease_keeper_init(struct lease_keeper *keeper, const struct lease_port *port,
                       struct queue_lease *const *leases, size_t lease_count,
                       const struct doorbell *bell);
void lease_keeper_release(struct lease_keeper *keeper);

/* The thread; argument is a struct lease_keeper. */
void *lease_keeper_main(void *argument);

/* Releases the leases and lets the thread end; does not wait for it. Where the broker may still
   hold deliveries for us, the row keeps its holder and says in its state what a successor must wait
   for. */
void lease_keeper_end(struct lease_keeper *keeper);

/* Fills in what a status says of it. */
void lease_keeper_status(struct lease_keeper *keeper, struct bridge_status *status);

#endif
