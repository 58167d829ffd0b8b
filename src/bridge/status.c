#include "bridge/status.h"

#include "bridge/policy.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t unix_us(int64_t us)
{
    return us != 0 ? us + POSTGRES_EPOCH_S * 1000000 : 0;
}

static void read_place(struct stream *stream, struct queue_status *status)
{
    pthread_mutex_lock(&stream->lock);
    status->place_held = stream->place.held;
    status->epoch = stream->place.epoch;
    snprintf(status->holder, sizeof(status->holder), "%s", stream->holder);
    pthread_mutex_unlock(&stream->lock);
}

static void read_writers(const struct stream *stream, struct queue_status *status)
{
    int64_t now = clock_monotonic_ms();

    status->writers = stream->settings.writers;
    for (int i = 0; i < stream->settings.writers; i++) {
        const struct writer_mark *mark = &stream->writers[i].mark;
        int64_t failing_since_ms = atomic_load(&mark->failing_since_ms);
        int64_t silent_ms = pulse_silent_ms(&mark->pulse);
        bool paused = atomic_load(&mark->paused);

        status->writers_busy += !pulse_rests(&mark->pulse);
        status->writers_failing +=
            paused || (failing_since_ms != 0 && now - failing_since_ms > CONFLICT_TAKES_MS);
        status->paused = status->paused || paused;
        if (silent_ms > status->writer_silent_ms)
            status->writer_silent_ms = silent_ms;
    }
}

static void read_tally(struct tally *tally, struct queue_status *status)
{
    uint64_t subscriptions = atomic_load(&tally->subscriptions);
    int64_t oldest_ms = atomic_load(&tally->oldest_ms);

    status->stage = (enum stream_stage)atomic_load(&tally->stage);
    status->stage_since_us = atomic_load(&tally->stage_since_us);
    status->reconnects = subscriptions > 0 ? subscriptions - 1 : 0;
    status->starved = atomic_load(&tally->starved);
    status->window = atomic_load(&tally->window);
    status->in_hand_messages = atomic_load(&tally->in_hand_messages);
    status->in_hand_bytes = atomic_load(&tally->in_hand_bytes);
    status->oldest_age_ms = oldest_ms != 0 ? clock_monotonic_ms() - oldest_ms : 0;
    for (size_t i = 0; i < REFUSAL_REASON_COUNT; i++)
        status->dead_letters[i] = atomic_load(&tally->dead_letters[i]);
    status->misfits = atomic_load(&tally->misfits);
    status->broken = atomic_load(&tally->broken);
    status->roots_written = atomic_load(&tally->roots_written);
    status->transactions = atomic_load(&tally->transactions);
    status->unreplicated = atomic_load(&tally->unreplicated);
    status->refusals = atomic_load(&tally->refusals);
    status->retries = atomic_load(&tally->retries);
    status->suspects_rejected = atomic_load(&tally->suspects_rejected);
    status->consumer_silent_ms = pulse_silent_ms(&tally->consumer);
    trouble_read(&tally->broker, &status->broker);
    trouble_read(&tally->database, &status->database);
}

void stream_status(struct stream *stream, struct queue_status *status)
{
    *status =
        (struct queue_status){ .queue = stream->settings.queue, .entity = stream->settings.entity };
    read_place(stream, status);
    read_writers(stream, status);
    read_tally(&stream->tally, status);
    breaker_read(&stream->breaker, &status->breaker);
    for (int i = 0; i < stream->settings.writers; i++)
        parked_read(&stream->writers[i].parked, &status->parked);
    status->interrupted = atomic_load(&stream->watched.interrupted);
    status->delivered = atomic_load(&stream->delivered);
    status->committed = atomic_load(&stream->committed);
    status->stale = atomic_load(&stream->stale);
    status->late = atomic_load(&stream->late);
    status->last_message_us = unix_us(atomic_load(&stream->last_message_us));
    status->last_commit_us = unix_us(atomic_load(&stream->last_commit_us));
}

void bridge_status_release(struct bridge_status *status)
{
    free(status->queues);
    *status = (struct bridge_status){ 0 };
}
