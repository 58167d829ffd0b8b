#include "bridge/suspects.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/flood.h"
#include "bridge/settle.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROBES_MAX = 100 }; /* in one go: what is behind them waits for the next attempt */

/* One entity on trial: which of its messages the database takes, each on top of those before it. */
struct trial {
    struct writer *writer;
    struct parked_group *group;
    struct message **messages; /* all of the group, in order */
    size_t count;
    struct message **kept; /* such as the database takes */
    size_t kept_count;
    struct message **request; /* what is decided: those at fault, then those kept before the first
                                 that is not decided */
    size_t dead_count;
    size_t kept_before;
    size_t rest;     /* the first message that is not decided; count if all are */
    unsigned faults; /* of the dead: at fault by the rule above, and not by one of SQLSTATEs */
    struct write_report report;
};

static void log_parked(const struct writer *writer, const struct parked_group *group,
                       const char *message)
{
    log_event(LOG_WARNING, "quarantined", message,
              LOG_TEXT("queue", writer->stream->settings.queue),
              LOG_NUMBER("writer", writer->number),
              LOG_SLICE("entity_id", ((struct slice){ group->id, group->id_len })),
              LOG_TEXT("sqlstate", text_or_null(group->sqlstate)),
              LOG_NUMBER("attempts", group->attempts), LOG_NUMBER("messages", group->count),
              LOG_NUMBER("retry_ms", clock_left_ms(group->due_ms)));
}

/* The message failed alone. */
static void note_failure(struct message *message, const struct write_report *report)
{
    if (report->unclassified && message->failures++ == 0)
        message->failed_since_ms = clock_monotonic_ms();
}

bool suspects_park(struct writer *writer, struct message *const *messages, size_t count,
                   const struct write_report *report)
{
    struct parked *parked = &writer->parked;

    if (!parked_add(parked, messages, count, report->sqlstate))
        return false;
    if (count == 1)
        note_failure(messages[0], report);
    log_parked(writer, &parked->groups[parked->count - 1],
               "an entity fails alone: its messages wait, the others go on");
    return true;
}

static bool is_at_fault(const struct trial *trial, const struct message *message)
{
    const struct stream_settings *settings = &trial->writer->stream->settings;

    return trial->report.unclassified && message->failures >= settings->isolate_attempts &&
           clock_monotonic_ms() - message->failed_since_ms >= settings->isolate_ms &&
           parked_is_proven(&trial->writer->parked, trial->report.statements,
                            message->failed_since_ms);
}

static void refuse(struct trial *trial, struct message *message)
{
    flood_refuse(trial->writer, message, &trial->report);
    trial->request[trial->dead_count++] = message;
}

static void decide(struct trial *trial, size_t number, enum settled settled)
{
    struct message *message = trial->messages[number];
    const bool decided = trial->rest == trial->count; /* all before it are */

    if (settled == SETTLED_SUSPECT)
        note_failure(message, &trial->report);
    if (settled == SETTLED_COMMITTED) {
        trial->kept_count++;
        trial->kept_before += decided;
    } else if (decided && settled == SETTLED_REFUSED) {
        refuse(trial, message);
    } else if (decided && is_at_fault(trial, message)) {
        trial->faults++;
        refuse(trial, message);
    } else if (decided) {
        trial->rest = number;
    }
}

/* Tries the messages one by one. first: what came of all of them together, which is the answer if
   there is only one. Other than COMMITTED: nobody could say. */
static enum settled try_singly(struct trial *trial, enum settled first)
{
    size_t count = trial->count < PROBES_MAX ? trial->count : PROBES_MAX;

    for (size_t i = 0; i < count; i++) {
        const struct write_request request = { .messages = trial->kept,
                                               .count = trial->kept_count + 1,
                                               .probe = true };
        enum settled settled = first;

        trial->kept[trial->kept_count] = trial->messages[i];
        if (trial->count > 1)
            settled = settle(trial->writer, &request, 1, &trial->report);
        if (settled == SETTLED_ABANDONED || settled == SETTLED_BREAKER_CLOSED)
            return settled;
        decide(trial, i, settled);
    }
    if (trial->rest == trial->count)
        trial->rest = count;
    return SETTLED_COMMITTED;
}

/* An alarm: unlike a rule of the site, nobody meant this. */
static void report_faults(const struct trial *trial)
{
    struct stream *stream = trial->writer->stream;
    const struct parked_group *group = trial->group;

    if (trial->faults == 0)
        return;
    atomic_fetch_add(&stream->tally.suspects_rejected, trial->faults);
    log_event(LOG_ERROR, "quarantine_rejected",
              "a message failed again and again while others committed: it became a dead letter",
              LOG_TEXT("queue", stream->settings.queue),
              LOG_SLICE("entity_id", ((struct slice){ group->id, group->id_len })),
              LOG_TEXT("sqlstate", group->sqlstate), LOG_NUMBER("attempts", group->attempts),
              LOG_NUMBER("messages", trial->faults));
}

/* Commits what is decided; the rest of the group stays. */
static enum settled commit_decided(struct trial *trial)
{
    struct message *rest = trial->rest < trial->count ? trial->messages[trial->rest] : NULL;
    struct write_report report;
    enum settled settled;

    if (trial->rest == 0)
        return SETTLED_COMMITTED;
    for (size_t i = 0; i < trial->kept_before; i++)
        trial->request[trial->dead_count + i] = trial->kept[i];
    settled = settle(trial->writer,
                     &(struct write_request){ .messages = trial->request,
                                              .count = trial->dead_count + trial->kept_before },
                     1, &report);
    if (settled != SETTLED_COMMITTED)
        return settled;
    trial->dead_count = 0;
    report_faults(trial);
    parked_drop(&trial->writer->parked, trial->group, trial->rest, rest);
    return SETTLED_COMMITTED;
}

/* The group failed as a whole. Returns false when the subscription is gone. */
static bool judge(struct trial *trial, enum settled first)
{
    enum settled settled;

    trial->rest = trial->count;
    settled = try_singly(trial, first);
    if (settled == SETTLED_COMMITTED)
        settled = commit_decided(trial);
    for (size_t i = 0; i < trial->dead_count; i++)
        flood_forgive(trial->request[i]);
    if (settled == SETTLED_ABANDONED)
        return false;
    if (settled == SETTLED_COMMITTED && trial->rest == trial->count)
        return true;
    log_parked(trial->writer, trial->group, "an entity still fails alone, its messages wait");
    return true;
}

static bool try_group(struct trial *trial)
{
    const struct write_request request = { .messages = trial->messages, .count = trial->count };
    struct parked_group *group = trial->group;
    struct message *message = group->first;
    enum settled settled;

    for (size_t i = 0; i < trial->count; i++, message = message->next)
        trial->messages[i] = message;
    settled = settle(trial->writer, &request, 1, &trial->report);
    if (settled == SETTLED_REFUSED || settled == SETTLED_SUSPECT) {
        parked_failed(&trial->writer->parked, group, trial->report.sqlstate);
        return judge(trial, settled);
    }
    if (settled == SETTLED_COMMITTED) {
        log_event(LOG_INFO, "quarantine_ended", "an entity that was set aside is committed",
                  LOG_TEXT("queue", trial->writer->stream->settings.queue),
                  LOG_SLICE("entity_id", ((struct slice){ group->id, group->id_len })),
                  LOG_NUMBER("messages", trial->count));
        parked_drop(&trial->writer->parked, group, trial->count, NULL);
    }
    return settled != SETTLED_ABANDONED;
}

static bool retry(struct writer *writer, struct parked_group *group)
{
    struct trial trial = { .writer = writer, .group = group, .count = group->count };
    bool alive = true;

    trial.messages = calloc(trial.count, sizeof(struct message *));
    trial.kept = calloc(trial.count, sizeof(struct message *));
    trial.request = calloc(trial.count, sizeof(struct message *));
    if (trial.messages != NULL && trial.kept != NULL && trial.request != NULL)
        alive = try_group(&trial);
    else
        parked_failed(&writer->parked, group, NULL);
    free(trial.messages);
    free(trial.kept);
    free(trial.request);
    return alive;
}

static bool is_last_attempt(const struct writer *writer)
{
    return atomic_load(&writer->stream->stopping) && !atomic_load(&writer->parked.tried_last);
}

bool suspects_are_due(const struct writer *writer)
{
    const struct parked *parked = &writer->parked;

    return parked->count > 0 &&
           (is_last_attempt(writer) || parked_due_ms(parked) <= clock_monotonic_ms());
}

bool suspects_retry(struct writer *writer)
{
    struct parked *parked = &writer->parked;
    bool last = is_last_attempt(writer);
    size_t i = 0;

    while (i < parked->count) {
        size_t count = parked->count;
        struct parked_group *group = &parked->groups[i];

        if ((last || group->due_ms <= clock_monotonic_ms()) && !retry(writer, group))
            return false;
        i += parked->count == count; /* else the next one has moved up */
    }
    if (last && parked->count > 0) {
        atomic_store(&parked->tried_last, true);
        stream_wake(writer->stream);
    }
    return true;
}
