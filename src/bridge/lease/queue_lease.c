#include "bridge/lease/queue_lease.h"

#include "base/log.h"

#include <stdio.h>

/*
 * The claim that the broker counts our subscription lets a successor begin at once, so it may never
 * stand in the row while it is not true: not before the subscription, not after its end. The keeper
 * writes the row on a connection of its own and may lose the answer, so a claim counts as written
 * from the moment the keeper is about to write it until it has written the row without it.
 */
static const struct {
    enum lease_phase from;
    enum lease_event event;
    enum lease_phase to;
} ARROWS[] = {
    { LEASE_PHASE_NOT_HELD, LEASE_ON_ACQUIRED, LEASE_PHASE_HELD },

    { LEASE_PHASE_HELD, LEASE_ON_SUBSCRIBED, LEASE_PHASE_ANNOUNCING },
    { LEASE_PHASE_ANNOUNCING, LEASE_ON_WRITE_CLAIM, LEASE_PHASE_ANNOUNCED },
    { LEASE_PHASE_ANNOUNCED, LEASE_ON_CLAIM_CLEARED, LEASE_PHASE_ANNOUNCING },

    { LEASE_PHASE_ANNOUNCING, LEASE_ON_RETRACT, LEASE_PHASE_HELD },
    { LEASE_PHASE_ANNOUNCED, LEASE_ON_RETRACT, LEASE_PHASE_RETRACTING },
    { LEASE_PHASE_RETRACTING, LEASE_ON_CLAIM_CLEARED, LEASE_PHASE_HELD },
    { LEASE_PHASE_RETRACTING, LEASE_ON_SUBSCRIBED, LEASE_PHASE_ANNOUNCED },

    { LEASE_PHASE_HELD, LEASE_ON_LOST, LEASE_PHASE_NOT_HELD },
    { LEASE_PHASE_ANNOUNCING, LEASE_ON_LOST, LEASE_PHASE_NOT_HELD },
    { LEASE_PHASE_ANNOUNCED, LEASE_ON_LOST, LEASE_PHASE_NOT_HELD },
    { LEASE_PHASE_RETRACTING, LEASE_ON_LOST, LEASE_PHASE_NOT_HELD },
};

enum lease_phase lease_phase_after(enum lease_phase phase, enum lease_event event)
{
    for (size_t i = 0; i < sizeof(ARROWS) / sizeof(ARROWS[0]); i++) {
        if (ARROWS[i].from == phase && ARROWS[i].event == event)
            return ARROWS[i].to;
    }
    return phase;
}

void queue_lease_init(struct queue_lease *lease, const char *queue, const char *entity,
                      struct counters *counters, const struct doorbell *consumer,
                      const struct doorbell *keeper)
{
    *lease = (struct queue_lease){ .queue = queue,
                                   .entity = entity,
                                   .counters = counters,
                                   .consumer = consumer,
                                   .keeper = keeper };
    queue_tables_init(&lease->tables);
    pthread_mutex_init(&lease->lock, NULL);
}

void queue_lease_release(struct queue_lease *lease)
{
    pthread_mutex_destroy(&lease->lock);
    queue_tables_release(&lease->tables);
}

/* With the lock held. */
static void happen(struct queue_lease *lease, enum lease_event event)
{
    lease->phase = lease_phase_after(lease->phase, event);
    lease->view.held = lease->phase != LEASE_PHASE_NOT_HELD;
}

/* With the lock held. */
static void raise_handover(struct queue_lease *lease, enum handover left)
{
    if (left > lease->view.handover)
        lease->view.handover = left;
}

struct lease_view queue_lease_view(struct queue_lease *lease)
{
    struct lease_view view;

    pthread_mutex_lock(&lease->lock);
    view = lease->view;
    pthread_mutex_unlock(&lease->lock);
    return view;
}

void queue_lease_status(struct queue_lease *lease, struct queue_status *status)
{
    pthread_mutex_lock(&lease->lock);
    status->lease_held = lease->view.held;
    status->epoch = lease->view.epoch;
    status->returns = lease->view.held ? queue_lease_returns(lease) : 0;
    snprintf(status->holder, sizeof(status->holder), "%s", lease->holder);
    pthread_mutex_unlock(&lease->lock);
    last_error_read(&lease->tables.error, &status->tables_error);
    status->paused = status->paused || status->tables_error.current;
}

void queue_lease_acquired(struct queue_lease *lease, int64_t epoch, int64_t began_ms,
                          enum handover left)
{
    pthread_mutex_lock(&lease->lock);
    happen(lease, LEASE_ON_ACQUIRED);
    lease->view.epoch = epoch;
    lease->view.renewed_at_ms = began_ms;
    lease->view.database_ok = true;
    lease->view.tables_ok = true;
    raise_handover(lease, left);
    lease->holder[0] = '\0';
    pthread_mutex_unlock(&lease->lock);
    doorbell_ring(lease->consumer);
}

void queue_lease_held_by(struct queue_lease *lease, const char *holder)
{
    pthread_mutex_lock(&lease->lock);
    snprintf(lease->holder, sizeof(lease->holder), "%s", holder);
    pthread_mutex_unlock(&lease->lock);
}

enum lease_state queue_lease_claim(struct queue_lease *lease)
{
    bool announced;

    pthread_mutex_lock(&lease->lock);
    happen(lease, LEASE_ON_WRITE_CLAIM);
    announced = lease->phase == LEASE_PHASE_ANNOUNCED;
    pthread_mutex_unlock(&lease->lock);
    return announced ? LEASE_STATE_CONSUMING : LEASE_STATE_HELD;
}

void queue_lease_renewed(struct queue_lease *lease, int64_t began_ms, enum lease_state written)
{
    bool retracted = false;

    pthread_mutex_lock(&lease->lock);
    lease->view.renewed_at_ms = began_ms;
    if (written != LEASE_STATE_CONSUMING) {
        retracted = lease->phase == LEASE_PHASE_RETRACTING;
        happen(lease, LEASE_ON_CLAIM_CLEARED);
    }
    pthread_mutex_unlock(&lease->lock);
    if (retracted)
        doorbell_ring(lease->consumer);
}

/* flag: of the lease's view. */
static void set_flag(struct queue_lease *lease, bool *flag, bool ok)
{
    bool changed;

    pthread_mutex_lock(&lease->lock);
    changed = *flag != ok;
    *flag = ok;
    pthread_mutex_unlock(&lease->lock);
    if (changed)
        doorbell_ring(lease->consumer);
}

void queue_lease_set_database_ok(struct queue_lease *lease, bool ok)
{
    set_flag(lease, &lease->view.database_ok, ok);
}

void queue_lease_set_tables_ok(struct queue_lease *lease, bool ok)
{
    set_flag(lease, &lease->view.tables_ok, ok);
}

void queue_lease_write_soon(const struct queue_lease *lease)
{
    doorbell_ring(lease->keeper);
}

void queue_lease_doubt_tables(struct queue_lease *lease)
{
    queue_lease_set_tables_ok(lease, false);
    atomic_store(&lease->tables_doubted, true);
    doorbell_ring(lease->keeper);
}

void queue_lease_lost(struct queue_lease *lease, int64_t epoch)
{
    bool lost;

    pthread_mutex_lock(&lease->lock);
    lost = lease->view.held && lease->view.epoch == epoch;
    if (lost)
        happen(lease, LEASE_ON_LOST);
    pthread_mutex_unlock(&lease->lock);
    if (!lost)
        return;
    log_event(LOG_WARNING, "lease_lost", "another instance acquired the lease on the queue",
              LOG_TEXT("queue", lease->queue), LOG_NUMBER("epoch", epoch));
    doorbell_ring(lease->consumer);
}

void queue_lease_leave_behind(struct queue_lease *lease, enum handover left)
{
    pthread_mutex_lock(&lease->lock);
    raise_handover(lease, left);
    pthread_mutex_unlock(&lease->lock);
}

void queue_lease_subscribed(struct queue_lease *lease, int64_t epoch)
{
    bool ours;

    pthread_mutex_lock(&lease->lock);
    ours = lease->view.held && lease->view.epoch == epoch;
    if (ours) {
        happen(lease, LEASE_ON_SUBSCRIBED);
        lease->view.handover = HANDOVER_COUNTED;
    }
    pthread_mutex_unlock(&lease->lock);
    if (ours)
        doorbell_ring(lease->keeper); /* so that a successor need not wait if we die soon */
}

bool queue_lease_retract(struct queue_lease *lease)
{
    bool retracted;

    pthread_mutex_lock(&lease->lock);
    happen(lease, LEASE_ON_RETRACT);
    retracted = lease->phase == LEASE_PHASE_HELD;
    pthread_mutex_unlock(&lease->lock);
    if (!retracted)
        doorbell_ring(lease->keeper);
    return retracted;
}

void queue_lease_clear_handover(struct queue_lease *lease, int64_t epoch)
{
    pthread_mutex_lock(&lease->lock);
    if (lease->view.epoch == epoch)
        lease->view.handover = HANDOVER_NONE;
    pthread_mutex_unlock(&lease->lock);
}
