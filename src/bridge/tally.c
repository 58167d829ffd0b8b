#include "bridge/tally.h"

void tally_init(struct tally *tally)
{
    *tally = (struct tally){ 0 };
    atomic_store(&tally->stage_since_us, clock_wall_us());
    trouble_init(&tally->broker);
    trouble_init(&tally->database);
}

void tally_release(struct tally *tally)
{
    trouble_release(&tally->broker);
    trouble_release(&tally->database);
}

void tally_stage(struct tally *tally, enum stream_stage stage)
{
    bool was_consuming = atomic_exchange(&tally->stage, (int)stage) == STAGE_CONSUMING;

    if (was_consuming != (stage == STAGE_CONSUMING))
        atomic_store(&tally->stage_since_us, clock_wall_us());
    if (stage == STAGE_CONSUMING) {
        atomic_fetch_add(&tally->subscriptions, 1);
        trouble_end(&tally->broker);
    }
}

void tally_in_hand(struct tally *tally, const struct in_hand *in_hand)
{
    pulse_beat(&tally->consumer);
    atomic_store_explicit(&tally->in_hand_messages, in_hand->count, memory_order_relaxed);
    atomic_store_explicit(&tally->in_hand_bytes, in_hand->bytes, memory_order_relaxed);
    atomic_store_explicit(&tally->oldest_ms,
                          in_hand->oldest != NULL ? in_hand->oldest->arrived_at_ms : 0,
                          memory_order_relaxed);
}

void tally_idle(struct writer_mark *mark)
{
    pulse_rest(&mark->pulse);
    atomic_store(&mark->failing_since_ms, 0);
    atomic_store(&mark->paused, false);
}

void tally_outcome(struct tally *tally, struct writer_mark *mark, enum write_outcome outcome,
                   const struct write_report *report)
{
    bool failed = outcome == WRITE_RETRY || outcome == WRITE_PAUSE;

    pulse_beat(&mark->pulse);
    atomic_store(&mark->paused, outcome == WRITE_PAUSE);
    if (!failed)
        atomic_store(&mark->failing_since_ms, 0);
    else if (atomic_load(&mark->failing_since_ms) == 0)
        atomic_store(&mark->failing_since_ms, clock_monotonic_ms());
    if (outcome == WRITE_REFUSED)
        atomic_fetch_add(&tally->refusals, 1);
    if (!failed)
        return;
    atomic_fetch_add(&tally->retries, 1);
    trouble_note(&tally->database, outcome == WRITE_PAUSE ? "paused" : "database_unavailable",
                 &report->error, report->sqlstate, 0);
}

void tally_commit(struct tally *tally, const struct write_request *request,
                  const struct write_report *report)
{
    unsigned dead[REFUSAL_REASON_COUNT] = { 0 };
    unsigned misfits = 0;
    unsigned broken = 0;

    for (size_t i = 0; i < request->count; i++) {
        const struct message *message = request->messages[i];

        if (message->refused) {
            dead[message->refusal.reason]++;
        } else {
            misfits += message->change->misfits;
            broken += message->change->broken;
        }
    }
    for (size_t i = 0; i < REFUSAL_REASON_COUNT; i++)
        if (dead[i] > 0)
            atomic_fetch_add(&tally->dead_letters[i], dead[i]);
    atomic_fetch_add(&tally->misfits, misfits);
    atomic_fetch_add(&tally->broken, broken);
    atomic_fetch_add(&tally->roots_written, report->roots_written);
    atomic_fetch_add(&tally->transactions, 1);
    atomic_fetch_add(&tally->unreplicated, report->unreplicated);
}
