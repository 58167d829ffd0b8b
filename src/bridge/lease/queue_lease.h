/*
 * What this instance knows of its lease on one queue, and what the queue's row in kopru.queues may
 * tell others about it. The lease keeper acquires and renews; the consumer thread says when the
 * broker counts its subscription; a writer or the lease keeper may find that the lease is lost.
 * Safe from any thread; the thread that has to act is woken by its doorbell.
 *
 * A lease that is lost ends the subscription that began under its epoch: the consumer thread
 * acknowledges what is committed by then and closes its connection, without basic.cancel. A lease
 * that is acquired again has another epoch.
 *
 * The states, and which event leads where, stand as a table on top of queue_lease.c:
 *
 *     NOT_HELD     another instance holds the lease, or nobody does yet
 *     HELD         held; the row claims no subscription: its state is `held`
 *     ANNOUNCING   the broker counts our subscription; the row does not say so yet
 *     ANNOUNCED    the row says so (`consuming`), or may: it was about to be written
 *     RETRACTING   held; the subscription is about to begin or to end, and the row may still claim
 *                  the one before
 */
#ifndef KOPRU_BRIDGE_LEASE_QUEUE_LEASE_H
#define KOPRU_BRIDGE_LEASE_QUEUE_LEASE_H

#include "bridge/doorbell.h"
#include "bridge/lease/handover.h"
#include "bridge/lease/queue_tables.h"
#include "bridge/lease/silence.h"
#include "bridge/observe/counters.h"

#include <pthread.h>

enum lease_phase {
    LEASE_PHASE_NOT_HELD,
    LEASE_PHASE_HELD,
    LEASE_PHASE_ANNOUNCING,
    LEASE_PHASE_ANNOUNCED,
    LEASE_PHASE_RETRACTING,
};

enum lease_event {
    LEASE_ON_ACQUIRED,      /* the lease keeper acquired it */
    LEASE_ON_LOST,          /* another instance did */
    LEASE_ON_SUBSCRIBED,    /* the broker counts our subscription */
    LEASE_ON_RETRACT,       /* the subscription is about to begin or to end */
    LEASE_ON_WRITE_CLAIM,   /* the lease keeper is about to write the row as the phase claims */
    LEASE_ON_CLAIM_CLEARED, /* the row was written and claims no subscription */
};

enum {
    LEASE_PHASE_COUNT = LEASE_PHASE_RETRACTING + 1,
    LEASE_EVENT_COUNT = LEASE_ON_CLAIM_CLEARED + 1
};

/* Where an event leads; the same phase where it means nothing. */
enum lease_phase lease_phase_after(enum lease_phase phase, enum lease_event event);

/* A copy of it, as of one moment. */
struct lease_view {
    bool held; /* as far as this instance knows. Each transaction checks the epoch itself */
    int64_t epoch;
    bool database_ok;       /* the lease keeper reached the database at its last look */
    bool tables_ok;         /* the entity's tables were as its mapping needs them */
    int64_t renewed_at_ms;  /* boot clock: when the last acquisition or renewal that succeeded
                               was begun. A successor does not wait while this machine sleeps */
    enum handover handover; /* what the broker may hold for the present subscription, a lost one or
                               a predecessor: of these, what takes longest to be gone */
};

struct queue_lease {
    const char *queue;
    const char *entity;
    struct counters *counters;       /* where the freshness is read */
    const struct doorbell *consumer; /* rung when the lease or the database comes or goes */
    const struct doorbell *keeper; /* the lease keeper's: rung when the row is to be written now */
    enum handover sought; /* the lease keeper's own: what the holder left whose lease it last tried
                             to acquire */
    struct silence silence; /* the lease keeper's own: of the holder, while that is another one */
    struct queue_tables tables; /* the lease keeper's own, too */
    atomic_bool tables_doubted; /* they are to be checked anew */
    atomic_uint returns;        /* for the row: see struct freshness */

    pthread_mutex_t lock; /* guards what follows */
    enum lease_phase phase;
    struct lease_view view;              /* view.held follows from the phase */
    char holder[LEASE_HOLDER_MAX_BYTES]; /* the other instance that holds it, "" if none is known */
};

/* All that is pointed to must outlive the lease. */
void queue_lease_init(struct queue_lease *lease, const char *queue, const char *entity,
                      struct counters *counters, const struct doorbell *consumer,
                      const struct doorbell *keeper);
void queue_lease_release(struct queue_lease *lease);

struct lease_view queue_lease_view(struct queue_lease *lease);

/* Fills in what a status says of the lease. */
void queue_lease_status(struct queue_lease *lease, struct queue_status *status);

/* How often messages came back that are unacknowledged. Set by the lease keeper before it says that
   it acquired the lease, as the row has it; from then on by the consumer thread. */
static inline void queue_lease_set_returns(struct queue_lease *lease, uint32_t returns)
{
    atomic_store(&lease->returns, returns);
}

static inline uint32_t queue_lease_returns(struct queue_lease *lease)
{
    return atomic_load(&lease->returns);
}

/* By the consumer thread: has the lease keeper write the row soon. */
void queue_lease_write_soon(const struct queue_lease *lease);

/* By the consumer thread: messages were taken and none could be acknowledged. The tables do not
   count as right until the lease keeper has checked them anew. */
void queue_lease_doubt_tables(struct queue_lease *lease);

/* By the lease keeper: it acquired the lease, which has that epoch now. began_ms: boot clock,
   when it began to ask. left: what the broker may hold for the previous holder. */
void queue_lease_acquired(struct queue_lease *lease, int64_t epoch, int64_t began_ms,
                          enum handover left);

/* By the lease keeper: another instance holds it. */
void queue_lease_held_by(struct queue_lease *lease, const char *holder);

/* By the lease keeper: it is about to write the row. Returns what to write there. */
enum lease_state queue_lease_claim(struct queue_lease *lease);

/* By the lease keeper: it renewed the lease and wrote that state. began_ms: boot clock, when it
   began. */
void queue_lease_renewed(struct queue_lease *lease, int64_t began_ms, enum lease_state written);

/* By the lease keeper: it reached the database, and what all queues share is there, or not. */
void queue_lease_set_database_ok(struct queue_lease *lease, bool ok);

/* By the lease keeper: the tables of the entity are as its mapping needs them, or not. */
void queue_lease_set_tables_ok(struct queue_lease *lease, bool ok);

/* By the lease keeper or a writer: it found another epoch in the row, so another instance has
   acquired the lease since. Logs that once. Does nothing if this instance does not hold the lease
   under that epoch any more. */
void queue_lease_lost(struct queue_lease *lease, int64_t epoch);

/* By the consumer thread: the broker may hold such deliveries for us from now on, in addition to
   what it held before. */
void queue_lease_leave_behind(struct queue_lease *lease, enum handover left);

/* By the consumer thread: the subscription that began under that epoch is established, and the
   broker counts it. What it may leave is HANDOVER_COUNTED from now on, and the lease keeper is
   asked to write that into the row. Does nothing if the lease is lost. */
void queue_lease_subscribed(struct queue_lease *lease, int64_t epoch);

/* By the consumer thread, before it subscribes and before it cancels. Returns true when the lease
   is held and its row claims no subscription. Else call it again when the consumer's doorbell
   rings: the lease keeper is asked to write the row. It stays false once the lease is lost. */
bool queue_lease_retract(struct queue_lease *lease);

/* By the consumer thread, under the lease of that epoch: the broker holds nothing any more. Before
   it subscribes: nothing of a predecessor or a lost connection. After it cancelled: nothing of its
   own, since all deliveries are acknowledged. */
void queue_lease_clear_handover(struct queue_lease *lease, int64_t epoch);

#endif
