#include "bridge/settle.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/flood.h"
#include "bridge/policy.h"

bool settle_wait(struct writer *writer, int wait_ms)
{
    int64_t deadline = clock_monotonic_ms() + wait_ms;

    pthread_mutex_lock(&writer->lock);
    while (!atomic_load(&writer->stream->abandoned) && clock_monotonic_ms() < deadline)
        condition_wait_until(&writer->changed, &writer->lock, deadline);
    pthread_mutex_unlock(&writer->lock);
    return !atomic_load(&writer->stream->abandoned);
}

/* A flood of broken messages must not become a flood of lines: each writer names some, and then how
   many it left out. */
static bool may_log(struct writer *writer)
{
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms - writer->log_window_ms >= DEAD_LETTER_LOG_WINDOW_MS) {
        if (writer->logged > DEAD_LETTER_LOG_LINES)
            log_event(LOG_WARNING, "dead_letters_not_logged",
                      "more messages became dead letters than were named",
                      LOG_TEXT("queue", writer->stream->settings.queue),
                      LOG_NUMBER("messages", writer->logged - DEAD_LETTER_LOG_LINES));
        writer->log_window_ms = now_ms;
        writer->logged = 0;
    }
    return ++writer->logged <= DEAD_LETTER_LOG_LINES;
}

static void log_dead_letter(struct writer *writer, const struct message *message)
{
    const struct stream *stream = writer->stream;
    const struct refusal *refusal = &message->refusal;
    struct slice id = refusal->entity_id.data == NULL && message->change != NULL
                          ? message->change->id
                          : refusal->entity_id;

    if (!may_log(writer))
        return;
    log_event(LOG_WARNING, "dead_letter", "a message became a dead letter",
              LOG_TEXT("queue", stream->settings.queue),
              LOG_TEXT("reason", refusal_reason_name(refusal->reason)), LOG_SLICE("entity_id", id),
              LOG_TEXT("path", text_or_null(refusal->path)),
              LOG_TEXT("sqlstate", text_or_null(refusal->sqlstate)));
}

/* The window of the breaker and the suspects want to know who got through. */
static void note_commit(struct writer *writer, const struct write_request *request,
                        const struct write_report *report)
{
    size_t accepted = 0;

    for (size_t i = 0; i < request->count; i++)
        accepted += !request->messages[i]->refused;
    if (accepted == 0)
        return;
    breaker_note_commits(&writer->stream->breaker, accepted);
    parked_note_commit(&writer->parked, report->statements);
}

/* After `done` a message belongs to the consumer thread again. */
static void finish(struct writer *writer, const struct write_request *request,
                   const struct write_report *report)
{
    struct stream *stream = writer->stream;

    atomic_store(&stream->last_commit_us, stream_now_us());
    atomic_fetch_add(&stream->stale, report->stale);
    tally_commit(&stream->tally, request, report);
    note_commit(writer, request, report);
    for (size_t i = 0; i < request->count; i++) {
        struct message *message = request->messages[i];

        if (message->refused) {
            atomic_fetch_add(&stream->dead_letters, 1);
            log_dead_letter(writer, message);
        }
        atomic_store(&message->done, true);
    }
    atomic_fetch_add(&stream->committed, request->count);
    if (report->unreplicated)
        log_event(LOG_ERROR, "commit_not_replicated",
                  "a commit did not wait for the synchronous standby: somebody ended its wait",
                  LOG_TEXT("queue", stream->settings.queue),
                  LOG_NUMBER("messages", request->count));
    log_event(LOG_DEBUG, "committed", "a batch is committed",
              LOG_TEXT("queue", stream->settings.queue), LOG_NUMBER("writer", writer->number),
              LOG_NUMBER("messages", request->count),
              LOG_NUMBER("roots_written", report->roots_written));
    stream_wake(stream);
}

static void log_trouble(const struct writer *writer, enum write_outcome outcome,
                        const struct write_report *report, int wait_ms)
{
    const struct log_field fields[] = { LOG_TEXT("queue", writer->stream->settings.queue),
                                        LOG_NUMBER("writer", writer->number),
                                        LOG_TEXT("sqlstate", text_or_null(report->sqlstate)),
                                        LOG_NUMBER("retry_ms", wait_ms),
                                        { 0 } };

    log_error(outcome == WRITE_PAUSE ? LOG_ERROR : LOG_WARNING,
              outcome == WRITE_PAUSE ? "paused" : "database_unavailable", &report->error, fields);
}

enum settled settle(struct writer *writer, const struct write_request *request, unsigned tries,
                    struct write_report *report)
{
    struct stream *stream = writer->stream;
    struct backoff retry;
    struct backoff pause;
    unsigned suspicions = 0;

    backoff_init(&retry, RETRY_POLICY);
    backoff_init(&pause, PAUSE_POLICY);
    while (!atomic_load(&stream->abandoned)) {
        int64_t epoch = atomic_load(&stream->epoch);
        enum write_outcome outcome;
        int wait_ms;

        if (breaker_is_open(&stream->breaker) && flood_concerns(request))
            return flood_wait(writer, request) ? SETTLED_BREAKER_CLOSED : SETTLED_ABANDONED;
        outcome = stream->ports.store.write(writer->store, epoch, request, report);
        tally_outcome(&stream->tally, &writer->mark, outcome, report);
        if (outcome == WRITE_COMMITTED) {
            if (retry.attempts + pause.attempts > 0)
                log_event(LOG_INFO, "resumed", "the database takes messages again",
                          LOG_TEXT("queue", stream->settings.queue),
                          LOG_NUMBER("writer", writer->number));
            if (!request->probe)
                finish(writer, request, report);
            return SETTLED_COMMITTED;
        }
        if (outcome == WRITE_REFUSED)
            return SETTLED_REFUSED;
        if (outcome == WRITE_LOST_PLACE) {
            stream_lose_place(stream, epoch);
            break;
        }
        wait_ms = backoff_next_ms(outcome == WRITE_PAUSE ? &pause : &retry);
        suspicions += report->unclassified;
        if (tries > 0 && report->unclassified && suspicions >= tries)
            return SETTLED_SUSPECT;
        log_trouble(writer, outcome, report, wait_ms);
        if (tries > 0 && report->too_much)
            return SETTLED_SUSPECT;
        if (!settle_wait(writer, wait_ms))
            break;
    }
    return SETTLED_ABANDONED;
}
