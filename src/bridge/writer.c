#include "bridge/writer.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/digest.h"
#include "base/log.h"
#include "bridge/isolate.h"
#include "bridge/policy.h"
#include "bridge/suspects.h"

#include <stdlib.h>
#include <time.h>

struct writer *writer_for(struct stream *stream, const struct message *message)
{
    size_t writers = (size_t)stream->settings.writers;

    if (message->refused)
        return &stream->writers[message->position % writers];
    return &stream->writers[(digest_quick(message->change->id) >> 32) % writers];
}

void writer_enqueue(struct writer *writer, struct message *first, struct message *last)
{
    pthread_mutex_lock(&writer->lock);
    if (writer->last != NULL)
        writer->last->next = first;
    else
        writer->first = first;
    writer->last = last;
    if (!writer->busy)
        pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

/* A leading run is taken whatever its size; all else is cut at the limits, but never to nothing. */
static size_t count_batch(const struct writer *writer)
{
    const struct stream_settings *settings = &writer->stream->settings;
    bool run = writer->first->in_leading_run;
    size_t bytes = 0;
    size_t count = 0;

    for (const struct message *message = writer->first; message != NULL; message = message->next) {
        bytes += message->bytes;
        if (message->in_leading_run != run)
            break;
        if (!run && count > 0 &&
            (count == settings->max_batch_messages || bytes > settings->max_batch_bytes))
            break;
        count++;
    }
    return count;
}

/* Sleeps until messages wait, or what is parked is due. Returns false when the writer shall end,
   else it counts as busy. */
static bool wait_for_work(struct writer *writer)
{
    tally_idle(&writer->mark);
    pthread_mutex_lock(&writer->lock);
    while (writer->first == NULL && !writer->end &&
           (atomic_load(&writer->stream->broken) || !suspects_are_due(writer))) {
        if (writer->parked.count > 0 && !atomic_load(&writer->stream->broken))
            condition_wait_until(&writer->changed, &writer->lock, parked_due_ms(&writer->parked));
        else
            pthread_cond_wait(&writer->changed, &writer->lock);
    }
    writer->busy = writer->first != NULL || !writer->end;
    pthread_mutex_unlock(&writer->lock);
    if (writer->busy)
        pulse_beat(&writer->mark.pulse);
    return writer->busy;
}

/* Returns the batch (the caller frees the array), or NULL when nothing waits or there is no memory.
 */
static struct message **take_batch(struct writer *writer, size_t *count)
{
    struct message **batch = NULL;

    pthread_mutex_lock(&writer->lock);
    *count = writer->first != NULL ? count_batch(writer) : 0;
    if (*count > 0)
        batch = malloc(*count * sizeof(struct message *));
    for (size_t i = 0; batch != NULL && i < *count; i++) {
        batch[i] = writer->first;
        writer->first = writer->first->next;
    }
    if (writer->first == NULL)
        writer->last = NULL;
    pthread_mutex_unlock(&writer->lock);
    if (*count > 0 &&
        batch == NULL) /* nothing is lost: the messages stay where they are until there is memory */
        nanosleep(&(struct timespec){ .tv_nsec = RETRY_POLICY.base_ms * 1000000L }, NULL);
    return batch;
}

static void end_batch(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->busy = false;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
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

/* How many of the sorted messages go into the next transaction: as many as the limit takes, but all
   of an entity, so that it gets one state. Only a leading run can be too large for one. */
static size_t count_part(const struct writer *writer, struct message **messages, size_t count)
{
    size_t bytes = messages[0]->bytes;
    size_t whole = 0; /* messages of entities that are complete */
    size_t i;

    for (i = 1; i < count; i++) {
        if (!same_entity(messages[i - 1], messages[i])) {
            if (whole > 0 && bytes > writer->stream->settings.max_batch_bytes)
                return whole;
            whole = i;
        }
        bytes += messages[i]->bytes;
    }
    return whole > 0 && bytes > writer->stream->settings.max_batch_bytes ? whole : count;
}

/* What of it belongs to an entity that is parked joins it. Returns false when abandoned. */
static bool write_batch(struct writer *writer, struct message **messages, size_t count)
{
    qsort(messages, count, sizeof(struct message *), compare_messages);
    count = parked_claim(&writer->parked, messages, count);
    for (size_t at = 0; at < count;) {
        size_t part = count_part(writer, messages + at, count - at);

        if (!isolate_write(writer, messages + at, part))
            return false;
        at += part;
    }
    return true;
}

void *writer_main(void *argument)
{
    struct writer *writer = argument;

    while (wait_for_work(writer)) {
        /* Once a batch was dropped, nothing newer of its ids may be committed: what is done may be
           acknowledged. */
        bool done = !atomic_load(&writer->stream->broken) &&
                    (!suspects_are_due(writer) || suspects_retry(writer));
        size_t count = 0;
        struct message **batch = take_batch(writer, &count);

        if (batch != NULL && done)
            done = write_batch(writer, batch, count);
        if (!done) {
            log_event(
                LOG_DEBUG, "batch_dropped", "its messages come back with the next subscription",
                LOG_TEXT("queue", writer->stream->settings.queue), LOG_NUMBER("messages", count));
            atomic_store(&writer->stream->broken, true);
            stream_wake(writer->stream);
        }
        free(batch);
        end_batch(writer);
    }
    return NULL;
}
