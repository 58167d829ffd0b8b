/*
 * What this instance knows of its lease on one queue, and what the queue's row may tell others of
 * it. The lease keeper acquires and renews; the consumer thread says when the broker counts its
 * subscription; a writer may find that the lease is lost. Safe from any thread; whoever has to act
 * is woken by a doorbell.
 *
 * The states, and which event leads where, stand as a table on top of queue_lease.c:
 *
 *     NOT_HELD     another instance holds the lease, or nobody does yet
 *     HELD         held; the row claims no subscription
 *     ANNOUNCING   the broker counts our subscription; the row does not say so yet
 *     ANNOUNCED    the row says so, or may: it was about to be written
 *     RETRACTING   held; the subscription is about to begin or to end, and the row may still claim
 *                  the one before
 */
#ifndef KOPRU_BRIDGE_LEASE_QUEUE_LEASE_H
#define KOPRU_BRIDGE_LEASE_QUEUE_LEASE_H

#include "bridge/doorbell.h"
#include "bridge/lease/handover.h"
#include "bridge/observe/counters.h"

#include <pthread.h>

enum lease_phase {
    LEASE_NOT_HELD,
    LEASE_HELD,
    LEASE_ANNOUNCING,
    LEASE_ANNOUNCED,
    LEASE_RETRACTING,
};

enum lease_event {
    LEASE_ACQUIRED,    /* the keeper acquired it */
    LEASE_LOST,        /* another instance did */
    LEASE_SUBSCRIBED,  /* the broker counts our subscription */
    LEASE_RETRACT,     /* the subscription is about to begin or to end */
    LEASE_WRITE_CLAIM, /* the keeper is about to write the row, and writes what the phase claims */
    LEASE_CLAIM_CLEARED, /* the row was written and claims no subscription */
};

enum { LEASE_PHASE_COUNT = LEASE_RETRACTING + 1, LEASE_EVENT_COUNT = LEASE_CLAIM_CLEARED + 1 };

/* Where an event leads; the same phase where it means nothing. */
enum lease_phase lease_phase_after(enum lease_phase phase, enum lease_event event);

/* A copy of it, as of one moment. */
struct lease_view {
    bool held; /* this instance may write for the queue */
    int64_t epoch;
    bool database_ok; /* the keeper reached the database at its last look */
    int64_t
        renewed_at_ms; /* monotonic: when the keeper last began to ask for the lease and got it */
    enum handover handover; /* of the present subscription, a lost one or a predecessor's: the last
                               to be gone */
};

struct queue_lease {
    const char *queue;
    const char *entity;
    const struct counters *counters; /* where the freshness is read */
    const struct doorbell *consumer; /* rung when the lease or the database comes or goes */
    const struct doorbell *keeper;   /* rung when the row is to be written now */
    enum handover sought; /* the keeper's own: what its last attempt to acquire was to find */

    pthread_mutex_t lock; /* guards what follows */
    enum lease_phase phase;
    struct lease_view view;              /* view.held follows from the phase */
    char holder[LEASE_HOLDER_MAX_BYTES]; /* the other instance that holds it, "" if none is known */
};

/* All that is pointed to must outlive the lease. */
void queue_lease_init(struct queue_lease *lease, const char *queue, const char *entity,
                      const struct counters *counters, const struct doorbell *consumer,
                      const struct doorbell *keeper);
void queue_lease_release(struct queue_lease *lease);

struct lease_view queue_lease_view(struct queue_lease *lease);

/* Fills in what a status says of the lease. */
void queue_lease_read(struct queue_lease *lease, struct queue_status *status);

/* By the keeper: it acquired the lease under that epoch, having begun to ask at began_ms, and left
   is what the broker may hold for the holder before. */
void queue_lease_acquired(struct queue_lease *lease, int64_t epoch, int64_t began_ms,
                          enum handover left);

/* By the keeper: another instance holds it. */
void queue_lease_held_by(struct queue_lease *lease, const char *holder);

/* By the keeper: it is about to write the row. Returns what to write there. */
enum lease_state queue_lease_claim(struct queue_lease *lease);

/* By the keeper: it wrote that state; it began to at began_ms. */
void queue_lease_renewed(struct queue_lease *lease, int64_t began_ms, enum lease_state written);

/* By the keeper: it reached the database, and all is as the mappings need it, or not. */
void queue_lease_set_database_ok(struct queue_lease *lease, bool ok);

/* By whoever finds that the lease of that epoch is another instance's now. */
void queue_lease_lost(struct queue_lease *lease, int64_t epoch);

/* By the consumer thread: the broker may hold such deliveries from now on, besides what it held
   before. */
void queue_lease_leave_behind(struct queue_lease *lease, enum handover left);

/* By the consumer thread: the subscription that began under that epoch is established, and the
   broker counts it. */
void queue_lease_subscribed(struct queue_lease *lease, int64_t epoch);

/* By the consumer thread, before it subscribes and before it cancels. Returns true once the lease
   is held and its row claims no subscription; until then the keeper is asked to write it, and the
   consumer's doorbell rings when it has. */
bool queue_lease_retract(struct queue_lease *lease);

/* By the consumer thread, under the lease of that epoch: the broker holds nothing any more. Before
   it subscribes: nothing of a predecessor or a lost connection. After it cancelled: nothing of its
   own, since all deliveries are acknowledged. */
void queue_lease_clear_handover(struct queue_lease *lease, int64_t epoch);

#endif
