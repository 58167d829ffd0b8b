#include "bridge/write/writer.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "bridge/write/isolate.h"
#include "bridge/write/trial.h"

#include <stdlib.h>

/*
 * Everything of one entity goes through one writer, so order per entity needs no lock between
 * writers, and rows are locked in one order of keys, so writers never wait for each other in a
 * circle. Once a batch was dropped, nothing newer of its ids may be committed before it comes back:
 * the writer raises `failed`, drops whatever comes, and the consumer begins a new subscription.
 */

static bool has_failed(const struct writer *writer)
{
    return atomic_load(&writer->session.shared->failed);
}

void writer_enqueue(struct writer *writer, struct message *first, struct message *last)
{
    pthread_mutex_lock(&writer->session.lock);
    if (writer->last != NULL)
        writer->last->next = first;
    else
        writer->first = first;
    writer->last = last;
    if (!writer->busy)
        pthread_cond_broadcast(&writer->session.changed);
    pthread_mutex_unlock(&writer->session.lock);
}

/* Returns the size of the next batch. Redelivered messages that come together are taken whatever
   their size; everything else is cut at the limits, but a batch has at least one message. */
static size_t count_batch(const struct writer *writer)
{
    const struct write_settings *settings = &writer->session.shared->settings;
    bool together = writer->first->in_redelivered_batch;
    size_t bytes = 0;
    size_t count = 0;

    for (const struct message *message = writer->first; message != NULL; message = message->next) {
        bytes += message->bytes;
        if (message->in_redelivered_batch != together)
            break;
        if (!together && count > 0 &&
            (count == settings->max_batch_messages || bytes > settings->max_batch_bytes))
            break;
        count++;
    }
    return count;
}

/* Sleeps until messages wait or a trial is due. Returns false when the writer is to end; otherwise
   it counts as busy. */
static bool wait_for_work(struct writer *writer)
{
    counters_idle(&writer->session.marks);
    pthread_mutex_lock(&writer->session.lock);
    while (writer->first == NULL && !writer->end &&
           (has_failed(writer) || !trial_is_due(&writer->session))) {
        if (writer->session.quarantine.count > 0 && !has_failed(writer))
            condition_wait_until(&writer->session.changed, &writer->session.lock,
                                 quarantine_due_ms(&writer->session.quarantine));
        else
            pthread_cond_wait(&writer->session.changed, &writer->session.lock);
    }
    writer->busy = writer->first != NULL || !writer->end;
    pthread_mutex_unlock(&writer->session.lock);
    if (writer->busy)
        liveness_beat(&writer->session.marks.liveness);
    return writer->busy;
}

static void wait_for_memory(struct writer *writer)
{
    struct write_session *session = &writer->session;
    int wait_ms = session_next_wait_ms(session, false);
    struct error err;

    error_no_memory(&err);
    log_error(LOG_ERROR, "paused", &err,
              (const struct log_field[]){ LOG_TEXT("queue", session_queue(session)->name),
                                          LOG_NUMBER("writer", session->number),
                                          LOG_NUMBER("retry_ms", wait_ms),
                                          { 0 } });
    session_wait(session, wait_ms);
}

/* Returns the batch (the caller frees the array), or NULL when nothing waits or there is no memory;
   the messages then stay where they are, and nothing is lost. */
static struct message **take_batch(struct writer *writer, size_t *count)
{
    struct message **batch = NULL;

    pthread_mutex_lock(&writer->session.lock);
    *count = writer->first != NULL ? count_batch(writer) : 0;
    if (*count > 0)
        batch = malloc(*count * sizeof(struct message *));
    for (size_t i = 0; batch != NULL && i < *count; i++) {
        batch[i] = writer->first;
        writer->first = writer->first->next;
    }
    if (writer->first == NULL)
        writer->last = NULL;
    pthread_mutex_unlock(&writer->session.lock);
    if (*count > 0 && batch == NULL)
        wait_for_memory(writer);
    return batch;
}

static void end_batch(struct writer *writer)
{
    pthread_mutex_lock(&writer->session.lock);
    writer->busy = false;
    pthread_cond_broadcast(&writer->session.changed);
    pthread_mutex_unlock(&writer->session.lock);
}

/* One global order of keys, so that writers never wait for each other in a circle; refused messages
   come first. */
static int compare_messages(const void *a, const void *b)
{
    const struct message *left = *(struct message *const *)a;
    const struct message *right = *(struct message *const *)b;
    int order = 0;

    if (left->refused != right->refused)
        return left->refused ? -1 : 1;
    if (!left->refused)
        order = slice_compare(left->change->id, right->change->id);
    return order != 0 ? order
                      : (left->position > right->position) - (left->position < right->position);
}

static bool same_entity(const struct message *a, const struct message *b)
{
    return !a->refused && !b->refused && slice_equal(a->change->id, b->change->id);
}

/* Returns how many of the sorted messages go into the next transaction: as many as the limit
   allows, but all messages of an entity, so that it gets one state. Only redelivered messages can
   be too many for one transaction. */
static size_t count_part(const struct writer *writer, struct message **messages, size_t count)
{
    size_t bytes = messages[0]->bytes;
    size_t whole = 0; /* messages of entities that are complete */
    size_t i;

    for (i = 1; i < count; i++) {
        if (!same_entity(messages[i - 1], messages[i])) {
            if (whole > 0 && bytes > writer->session.shared->settings.max_batch_bytes)
                return whole;
            whole = i;
        }
        bytes += messages[i]->bytes;
    }
    return whole > 0 && bytes > writer->session.shared->settings.max_batch_bytes ? whole : count;
}

/* Messages of quarantined entities join those. Returns false when the batch is dropped. */
static bool write_batch(struct writer *writer, struct message **messages, size_t count)
{
    qsort(messages, count, sizeof(struct message *), compare_messages);
    count = quarantine_divert(&writer->session.quarantine, messages, count);
    for (size_t at = 0; at < count;) {
        size_t part = count_part(writer, messages + at, count - at);

        if (!isolate_write(&writer->session, messages + at, part))
            return false;
        at += part;
    }
    return true;
}

/* Its messages come back with the next subscription. */
static void drop_batch(struct writer *writer, size_t count)
{
    const struct queue *queue = session_queue(&writer->session);

    log_event(LOG_DEBUG, "batch_dropped",
              "a batch is dropped, and its messages come back with the next subscription",
              LOG_TEXT("queue", queue->name), LOG_NUMBER("messages", count));
    atomic_store(&writer->session.shared->failed, true);
    doorbell_ring(&queue->consumer);
}

void *writer_main(void *argument)
{
    struct writer *writer = argument;
    struct write_session *session = &writer->session;

    while (wait_for_work(writer)) {
        bool going_on = !has_failed(writer) && (!trial_is_due(session) || trial_run_due(session));
        size_t count = 0;
        struct message **batch = take_batch(writer, &count);

        if (batch != NULL && going_on)
            going_on = write_batch(writer, batch, count);
        if (!going_on)
            drop_batch(writer, count);
        free(batch);
        end_batch(writer);
    }
    return NULL;
}

void writer_drain(struct writer *writer)
{
    pthread_mutex_lock(&writer->session.lock);
    writer->first = NULL;
    writer->last = NULL;
    pthread_cond_broadcast(&writer->session.changed);
    while (writer->busy)
        pthread_cond_wait(&writer->session.changed, &writer->session.lock);
    quarantine_clear(&writer->session.quarantine);
    counters_barred(&writer->session.marks, false);
    pthread_mutex_unlock(&writer->session.lock);
}

void writer_end(struct writer *writer)
{
    pthread_mutex_lock(&writer->session.lock);
    writer->end = true;
    pthread_cond_broadcast(&writer->session.changed);
    pthread_mutex_unlock(&writer->session.lock);
}
