#include "bridge/write/session.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "bridge/timing.h"

/*
 * Every transaction names the epoch under which the subscription began, and not the newest one that
 * this instance holds. A lease that was lost and acquired again has another epoch, so messages of
 * the old subscription cannot be written under it: another instance may have applied newer ones.
 */

int session_init(struct write_session *session, struct write_shared *shared, unsigned number)
{
    const struct store_port *port = &shared->queue->ports.store;

    session->shared = shared;
    session->number = number;
    pthread_mutex_init(&session->lock, NULL);
    condition_init(&session->changed);
    quarantine_init(&session->quarantine, shared->settings.quarantine_attempts,
                    shared->settings.quarantine_span_ms);
    session->quarantine.all = &shared->quarantined;
    backoff_init(&session->retry, RETRY_POLICY);
    backoff_init(&session->pause, PAUSE_POLICY);
    session->store = port->open(port->context);
    return session->store != NULL ? 0 : -1;
}

void session_release(struct write_session *session)
{
    if (session->shared == NULL)
        return;
    if (session->store != NULL)
        session->shared->queue->ports.store.close(session->store);
    quarantine_release(&session->quarantine);
    pthread_cond_destroy(&session->changed);
    pthread_mutex_destroy(&session->lock);
}

bool session_wait(struct write_session *session, int wait_ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;

    pthread_mutex_lock(&session->lock);
    while (!session_is_abandoned(session) && clock_monotonic_ms() < deadline_ms)
        condition_wait_until(&session->changed, &session->lock, deadline_ms);
    pthread_mutex_unlock(&session->lock);
    return !session_is_abandoned(session);
}

int session_next_wait_ms(struct write_session *session, bool pause)
{
    session->complained = true;
    return backoff_next_ms(pause ? &session->pause : &session->retry);
}

void session_note_commit(struct write_session *session)
{
    if (session->complained)
        log_event(LOG_INFO, "resumed", "the database takes messages again",
                  LOG_TEXT("queue", session_queue(session)->name),
                  LOG_NUMBER("writer", session->number));
    session->complained = false;
    backoff_reset(&session->retry);
    backoff_reset(&session->pause);
}

void session_wake(struct write_session *session)
{
    pthread_mutex_lock(&session->lock);
    pthread_cond_broadcast(&session->changed);
    pthread_mutex_unlock(&session->lock);
}

enum write_outcome session_write(struct write_session *session, const struct write_request *request,
                                 struct write_report *report)
{
    struct queue *queue = session_queue(session);
    int64_t epoch = atomic_load(&session->shared->epoch);
    enum write_outcome outcome = queue->ports.store.write(session->store, epoch, request, report);

    counters_outcome(&queue->counters, &session->marks, outcome, report);
    if (outcome == WRITE_LEASE_LOST)
        queue_lease_lost(&queue->lease, epoch);
    return outcome;
}

enum witness session_ask_witness(struct write_session *session, uint64_t statements)
{
    const struct store_port *port = &session_queue(session)->ports.store;
    uint64_t rest = statements;
    uint64_t passed = 0;
    int result;

    do {
        result =
            port->ask_witness(session->store, atomic_load(&session->shared->epoch), &rest, &passed);
        liveness_beat(&session->marks.liveness);
    } while (result == 0 && rest != 0);
    if (result != 0)
        return WITNESS_REFUSED;
    if (passed != 0)
        quarantine_note_commit(&session->quarantine, passed);
    return passed != 0 && (statements & ~passed) == 0 ? WITNESS_TAKEN : WITNESS_ABSENT;
}
