#include "bridge/observe/counters.h"

#include "bridge/timing.h"

/*
 * No lock makes one picture of these numbers: a status that is read during a commit may include its
 * messages and not yet its transaction. Rates and alarms can live with that, and an observer never
 * holds up a thread that commits. What the consumer thread stores in each turn of its loop is
 * stored relaxed, because nobody relies on the order in which these figures change.
 */

void counters_init(struct counters *counters)
{
    *counters = (struct counters){ 0 };
    atomic_store(&counters->stage_since_us, clock_wall_us());
    last_error_init(&counters->broker_error);
    mapping_doubt_init(&counters->mapping);
    last_error_init(&counters->database_error);
}

void counters_release(struct counters *counters)
{
    last_error_release(&counters->broker_error);
    mapping_doubt_release(&counters->mapping);
    last_error_release(&counters->database_error);
}

void counters_stage(struct counters *counters, enum consumer_stage stage)
{
    bool was_consuming = atomic_exchange(&counters->stage, (int)stage) == STAGE_CONSUMING;

    if (was_consuming != (stage == STAGE_CONSUMING))
        atomic_store(&counters->stage_since_us, clock_wall_us());
}

void counters_subscribed(struct counters *counters, int prefetch)
{
    counters_stage(counters, STAGE_CONSUMING);
    atomic_store(&counters->prefetch, prefetch);
    atomic_fetch_add(&counters->subscriptions, 1);
    last_error_end(&counters->broker_error);
}

void counters_delivery(struct counters *counters)
{
    atomic_store(&counters->last_message_us, clock_wall_us());
    atomic_store(&counters->last_message_ms, clock_monotonic_ms());
    atomic_fetch_add(&counters->delivered, 1);
}

void counters_other_consumers(struct counters *counters, uint32_t others)
{
    atomic_store(&counters->other_consumers, others);
}

void counters_unacknowledged(struct counters *counters, size_t messages, size_t bytes,
                             int64_t oldest_ms)
{
    liveness_beat(&counters->consumer);
    atomic_store_explicit(&counters->unacknowledged_messages, messages, memory_order_relaxed);
    atomic_store_explicit(&counters->unacknowledged_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&counters->oldest_ms, oldest_ms, memory_order_relaxed);
}

void counters_idle(struct writer_marks *marks)
{
    liveness_rest(&marks->liveness);
    atomic_store(&marks->failing_since_ms, 0);
    atomic_store(&marks->paused, false);
}

const char *counters_failure(enum write_outcome outcome, const struct write_report *report)
{
    if (outcome == WRITE_PAUSE)
        return "paused";
    if (outcome != WRITE_RETRY)
        return NULL;
    if (report->gave_up)
        return "too_much_memory";
    return report->not_written ? "rows_not_written" : "database_unavailable";
}

void counters_outcome(struct counters *counters, struct writer_marks *marks,
                      enum write_outcome outcome, const struct write_report *report)
{
    const char *failed = counters_failure(outcome, report);

    liveness_beat(&marks->liveness);
    atomic_store(&marks->paused, outcome == WRITE_PAUSE);
    if (failed == NULL)
        atomic_store(&marks->failing_since_ms, 0);
    else if (atomic_load(&marks->failing_since_ms) == 0)
        atomic_store(&marks->failing_since_ms, clock_monotonic_ms());
    if (outcome == WRITE_REFUSED)
        atomic_fetch_add(&counters->refusals, 1);
    if (failed == NULL)
        return;
    atomic_fetch_add(&counters->retries, 1);
    if (report->gave_up && report->divisible)
        return; /* an ordinary division of a batch */
    last_error_set(&counters->database_error, failed, &report->error, report->sqlstate, 0);
}

void counters_barred(struct writer_marks *marks, bool barred)
{
    atomic_store(&marks->barred, barred);
}

void counters_pause(struct counters *counters, const struct write_report *report)
{
    last_error_set(&counters->database_error, "paused", &report->error, report->sqlstate, 0);
}

/* Counts in plain variables first: a batch has many messages, and every atomic addition costs. */
static void count_messages(struct counters *counters, const struct write_request *request)
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
    for (size_t i = 0; i < REFUSAL_REASON_COUNT; i++) {
        if (dead[i] > 0)
            atomic_fetch_add(&counters->dead_letters[i], dead[i]);
    }
    atomic_fetch_add(&counters->misfits, misfits);
    atomic_fetch_add(&counters->broken, broken);
    atomic_fetch_add(&counters->committed, request->count);
}

void counters_commit(struct counters *counters, const struct write_request *request,
                     const struct write_report *report)
{
    count_messages(counters, request);
    atomic_store(&counters->last_commit_us, clock_wall_us());
    atomic_store(&counters->last_commit_ms, clock_monotonic_ms());
    atomic_fetch_add(&counters->stale, report->stale);
    atomic_fetch_add(&counters->roots_written, report->roots_written);
    atomic_fetch_add(&counters->transactions, 1);
    atomic_fetch_add(&counters->unreplicated, report->unreplicated);
}

static int64_t age_ms(int64_t since_ms, int64_t now_ms)
{
    return since_ms != 0 ? now_ms - since_ms : FRESHNESS_NEVER;
}

struct freshness counters_freshness(struct counters *counters)
{
    int64_t message_ms = atomic_load(&counters->last_message_ms);
    int64_t commit_ms = atomic_load(&counters->last_commit_ms);
    int64_t now_ms = clock_monotonic_ms();
    struct freshness freshness = { .message_age_ms = age_ms(message_ms, now_ms),
                                   .commit_age_ms = age_ms(commit_ms, now_ms) };
    struct mapping_figures figures;

    mapping_doubt_read(&counters->mapping, &figures);
    mapping_doubt_text(&figures, freshness.mapping_doubt, sizeof(freshness.mapping_doubt));
    return freshness;
}

static void read_consumer(struct counters *counters, struct queue_status *status)
{
    uint64_t subscriptions = atomic_load(&counters->subscriptions);
    int64_t oldest_ms = atomic_load(&counters->oldest_ms);

    status->stage = (enum consumer_stage)atomic_load(&counters->stage);
    status->stage_since_us = atomic_load(&counters->stage_since_us);
    status->last_message_us = atomic_load(&counters->last_message_us);
    status->delivered = atomic_load(&counters->delivered);
    status->near_limit = atomic_load(&counters->near_limit);
    status->late = atomic_load(&counters->late);
    status->timestamps_out_of_range = atomic_load(&counters->timestamps_out_of_range);
    status->timestamps_missing = atomic_load(&counters->timestamps_missing);
    status->reconnects = subscriptions > 0 ? subscriptions - 1 : 0;
    status->stalled = atomic_load(&counters->stalled);
    status->prefetch = atomic_load(&counters->prefetch);
    status->other_consumers = (int)atomic_load(&counters->other_consumers);
    status->unacknowledged_messages = atomic_load(&counters->unacknowledged_messages);
    status->unacknowledged_bytes = atomic_load(&counters->unacknowledged_bytes);
    status->oldest_age_ms = oldest_ms != 0 ? clock_monotonic_ms() - oldest_ms : 0;
    status->consumer_silent_ms = liveness_silent_ms(&counters->consumer);
    last_error_read(&counters->broker_error, &status->broker_error);
    mapping_doubt_read(&counters->mapping, &status->mapping);
}

static void read_writers(struct counters *counters, struct queue_status *status)
{
    status->last_commit_us = atomic_load(&counters->last_commit_us);
    status->committed = atomic_load(&counters->committed);
    for (size_t i = 0; i < REFUSAL_REASON_COUNT; i++)
        status->dead_letters[i] = atomic_load(&counters->dead_letters[i]);
    status->stale = atomic_load(&counters->stale);
    status->misfits = atomic_load(&counters->misfits);
    status->broken = atomic_load(&counters->broken);
    status->roots_written = atomic_load(&counters->roots_written);
    status->transactions = atomic_load(&counters->transactions);
    status->unreplicated = atomic_load(&counters->unreplicated);
    status->refusals = atomic_load(&counters->refusals);
    status->retries = atomic_load(&counters->retries);
    status->quarantine_rejected = atomic_load(&counters->quarantine_rejected);
    last_error_read(&counters->database_error, &status->database_error);
}

void counters_status(struct counters *counters, struct queue_status *status)
{
    read_consumer(counters, status);
    read_writers(counters, status);
}

void counters_writer_status(const struct writer_marks *marks, struct queue_status *status)
{
    int64_t failing_since_ms = atomic_load(&marks->failing_since_ms);
    int64_t silent_ms = liveness_silent_ms(&marks->liveness);
    bool paused = atomic_load(&marks->paused) || atomic_load(&marks->barred);

    status->writers++;
    status->writers_busy += !liveness_rests(&marks->liveness);
    status->writers_failing +=
        paused ||
        (failing_since_ms != 0 && clock_monotonic_ms() - failing_since_ms > CONFLICT_TAKES_MS);
    status->paused = status->paused || paused;
    if (silent_ms > status->writer_silent_ms)
        status->writer_silent_ms = silent_ms;
}
