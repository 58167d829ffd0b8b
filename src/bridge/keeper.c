#include "bridge/keeper.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/holder.h"
#include "bridge/policy.h"

#include <stdio.h>
#include <string.h>

void keeper_init(struct keeper *keeper, const struct lease_port *port, struct stream *streams,
                 size_t stream_count)
{
    *keeper = (struct keeper){ .port = *port, .streams = streams, .stream_count = stream_count };
    holder_name_self(keeper->holder, sizeof(keeper->holder));
    for (size_t i = 0; i < stream_count; i++)
        streams[i].keeper = keeper;
    pthread_mutex_init(&keeper->lock, NULL);
    condition_init(&keeper->changed);
    trouble_init(&keeper->trouble);
}

void keeper_release(struct keeper *keeper)
{
    trouble_release(&keeper->trouble);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
}

void keeper_end(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->end = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_ask(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->asked = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

/* Returns false when the keeper shall end. Only a keeper with a connection listens to what it is
   asked. */
static bool wait_for(struct keeper *keeper, int wait_ms, bool listening)
{
    int64_t deadline = clock_monotonic_ms() + wait_ms;
    bool end;

    pthread_mutex_lock(&keeper->lock);
    while (!keeper->end && !(listening && keeper->asked) && clock_monotonic_ms() < deadline)
        condition_wait_until(&keeper->changed, &keeper->lock, deadline);
    end = keeper->end;
    keeper->asked = false;
    pthread_mutex_unlock(&keeper->lock);
    return !end;
}

static struct lease_news news_of(struct stream *stream)
{
    return (struct lease_news){ .last_message_us = atomic_load(&stream->last_message_us),
                                .last_commit_us = atomic_load(&stream->last_commit_us) };
}

static void set_database_ok(struct keeper *keeper, bool ok)
{
    for (size_t i = 0; i < keeper->stream_count; i++)
        stream_set_database_ok(&keeper->streams[i], ok);
}

/* A lease may be taken when nobody holds it, when its holder is silent for too long, or died here.
 */
static bool may_take(const struct keeper *keeper, const struct lease *lease)
{
    return lease->holder[0] == '\0' || holder_is(lease->holder, keeper->holder) ||
           lease->silent_ms > LEASE_EXPIRES_MS || holder_is_dead(lease->holder);
}

/* What the broker may hold for whoever had the place before. */
static enum outstanding left_by(const struct keeper *keeper, const struct stream *stream,
                                const struct lease *lease)
{
    if (lease->holder[0] == '\0')
        return OUTSTANDING_NONE;
    if (holder_is(lease->holder, keeper->holder)) /* taken before, and the answer was lost */
        return stream->taking;
    switch (holder_said(lease->holder)) {
    case HOLDER_CONSUMING:
        return OUTSTANDING_COUNTED;
    case HOLDER_LOST:
        return OUTSTANDING_UNCOUNTED;
    case HOLDER_SILENT:
        break;
    }
    return holder_is_dead(lease->holder) ? OUTSTANDING_CLOSED : OUTSTANDING_UNCOUNTED;
}

static int try_to_take(struct keeper *keeper, void *session, struct stream *stream,
                       struct error *err)
{
    struct lease lease;
    struct stream_place place = { .database_ok = true, .renewed_at_ms = clock_monotonic_ms() };
    int taken;

    if (keeper->port.read(session, stream->settings.queue, stream->settings.entity, &lease, err) !=
        0)
        return -1;
    if (!may_take(keeper, &lease)) {
        stream_set_holder(stream, lease.holder);
        log_event(LOG_DEBUG, "standby", "another instance holds the queue",
                  LOG_TEXT("queue", stream->settings.queue), LOG_TEXT("holder", lease.holder));
        return 0;
    }
    stream->taking = left_by(keeper, stream, &lease);
    place.left = stream->taking;
    taken = keeper->port.take(session, stream->settings.queue, keeper->holder, &lease, err);
    if (lease.evicted > 0)
        log_event(LOG_WARNING, "sessions_ended",
                  "a holder stood still in a transaction, its database sessions were ended",
                  LOG_TEXT("queue", stream->settings.queue), LOG_NUMBER("sessions", lease.evicted));
    if (taken != 1)
        return taken;
    place.held = true;
    place.epoch = lease.epoch;
    log_event(LOG_INFO, "lease_acquired", "this instance writes for the queue",
              LOG_TEXT("queue", stream->settings.queue), LOG_NUMBER("epoch", lease.epoch),
              LOG_TEXT("taken_over_from", text_or_null(lease.holder)));
    stream_set_place(stream, &place);
    return 0;
}

static int renew(const struct keeper *keeper, void *session, struct stream *stream,
                 enum holder_word word, struct error *err)
{
    struct lease_news news = news_of(stream);
    char holder[LEASE_HOLDER_MAX_BYTES];

    holder_say(holder, sizeof(holder), keeper->holder, word);
    return keeper->port.renew(session, stream->settings.queue, stream_place(stream).epoch, &news,
                              holder, err);
}

static int tend(struct keeper *keeper, void *session, struct stream *stream, struct error *err)
{
    struct stream_place place = stream_place(stream);
    int64_t began_ms = clock_monotonic_ms();
    bool shown;
    int renewed;

    if (!place.held)
        return try_to_take(keeper, session, stream, err);
    shown = stream_show(stream);
    renewed = renew(keeper, session, stream, shown ? HOLDER_CONSUMING : HOLDER_SILENT, err);
    if (renewed == 0) {
        log_event(LOG_WARNING, "lease_lost", "another instance took the queue over",
                  LOG_TEXT("queue", stream->settings.queue), LOG_NUMBER("epoch", place.epoch));
        stream_lose_place(stream, place.epoch);
    } else if (renewed > 0) {
        stream_renewed(stream, began_ms, shown);
    }
    return renewed < 0 ? -1 : 0;
}

/* Of a problem that no waiting ends: the schema, a privilege, a login. */
static bool needs_a_person(const struct error *problem)
{
    return problem->kind == ERROR_PROBLEMS || problem->kind == ERROR_CONFIG ||
           problem->kind == ERROR_PERMISSION;
}

/* Says what is wrong: all of it when it is new, one line when it is what was said before. */
static void report(struct keeper *keeper, const struct error_list *problems, size_t *said,
                   int wait_ms)
{
    size_t count = problems->count == *said && problems->count > 1 ? 1 : problems->count;
    bool paused = problems->count > 0 && needs_a_person(&problems->items[0]);
    const char *event = paused ? "paused" : "database_unavailable";

    if (problems->count > 0)
        trouble_note(&keeper->trouble, event, &problems->items[0], NULL, problems->count - 1);
    for (size_t i = 0; i < count; i++)
        log_error(paused ? LOG_ERROR : LOG_WARNING, event, &problems->items[i],
                  (const struct log_field[]){ LOG_NUMBER("problems", problems->count),
                                              LOG_NUMBER("retry_ms", wait_ms),
                                              { 0 } });
    *said = problems->count;
}

/* Connects and keeps all queues until the connection fails or the keeper shall end. Returns false
   in the latter case. */
static bool keep(struct keeper *keeper, void *session, struct error *err)
{
    do {
        pulse_beat(&keeper->pulse);
        for (size_t i = 0; i < keeper->stream_count; i++) {
            if (tend(keeper, session, &keeper->streams[i], err) != 0)
                return true;
        }
        set_database_ok(keeper, true);
        trouble_end(&keeper->trouble);
    } while (wait_for(keeper, LEASE_RENEW_MS, true));
    return false;
}

/* What the broker may still hold for a lost connection comes back late: the next holder has to wait
   for it, and finds so in the row. */
static int keep_for_next(const struct keeper *keeper, void *session, struct stream *stream,
                         struct error *err)
{
    bool counted = atomic_load(&stream->outstanding) == OUTSTANDING_COUNTED;

    log_event(
        LOG_WARNING, "lease_not_released",
        "a connection to the broker was lost, the next holder will wait until the broker knows",
        LOG_TEXT("queue", stream->settings.queue));
    return renew(keeper, session, stream, counted ? HOLDER_CONSUMING : HOLDER_LOST, err);
}

static void give_back(const struct keeper *keeper, void *session)
{
    for (size_t i = 0; i < keeper->stream_count; i++) {
        struct stream *stream = &keeper->streams[i];
        struct stream_place place = stream_place(stream);
        struct lease_news news = news_of(stream);
        struct error err;
        int result = 0;

        if (place.held && atomic_load(&stream->outstanding) != OUTSTANDING_NONE)
            result = keep_for_next(keeper, session, stream, &err);
        else if (place.held)
            result =
                keeper->port.renew(session, stream->settings.queue, place.epoch, &news, NULL, &err);
        if (result < 0)
            log_error(
                LOG_WARNING, "lease_not_released", &err,
                (const struct log_field[]){ LOG_TEXT("queue", stream->settings.queue), { 0 } });
    }
}

void *keeper_main(void *argument)
{
    struct keeper *keeper = argument;
    struct backoff backoff;
    struct error_list problems;
    size_t said = 0;
    bool more = true;

    backoff_init(&backoff, PAUSE_POLICY);
    while (more) {
        void *session = NULL;
        struct error err;
        int wait_ms;

        pulse_beat(&keeper->pulse);
        error_list_init(&problems);
        if (keeper->port.open(keeper->port.context, &session, &problems) == 0) {
            backoff_reset(&backoff);
            said = 0;
            atomic_fetch_add(&keeper->sessions, 1);
            more = keep(keeper, session, &err);
            if (!more)
                give_back(keeper, session);
            else
                error_list_add(&problems, &err);
        }
        if (more) {
            set_database_ok(keeper, false);
            wait_ms = backoff_next_ms(&backoff);
            report(keeper, &problems, &said, wait_ms);
            more = wait_for(keeper, wait_ms, false);
        }
        keeper->port.close(session);
        error_list_release(&problems);
    }
    pulse_rest(&keeper->pulse);
    return NULL;
}
