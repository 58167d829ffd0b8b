#include "bridge/write/writers.h"

#include "base/digest.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

/*
 * The writer of a message follows from its id alone, so that all messages of an entity meet in one
 * thread, in order, and no writer has to know what another one does. A message that kopru refused
 * may have no id; it writes no entity's rows, so any writer may have it. Messages are handed over
 * writer by writer and not one by one, because each handover takes a lock and may wake a thread.
 */

int writers_init(struct writers *writers, struct queue *queue,
                 const struct write_settings *settings, struct error *err)
{
    size_t count = (size_t)settings->writers;

    *writers = (struct writers){ .shared = { .queue = queue, .settings = *settings },
                                 .writers = calloc(count, sizeof(*writers->writers)) };
    if (breaker_init(&writers->shared.breaker, &settings->breaker) != 0 || writers->writers == NULL)
        return error_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        writers->count = i + 1;
        if (session_init(&writers->writers[i].session, &writers->shared, (unsigned)i) != 0)
            return error_no_memory(err);
    }
    return 0;
}

void writers_release(struct writers *writers)
{
    for (size_t i = 0; i < writers->count; i++)
        session_release(&writers->writers[i].session);
    free(writers->writers);
    breaker_release(&writers->shared.breaker);
}

int writers_start(struct writers *writers, struct error *err)
{
    for (; writers->started < writers->count; writers->started++) {
        struct writer *writer = &writers->writers[writers->started];

        if (thread_start(&writer->thread, "writer", writer_main, writer, err) != 0)
            return -1;
    }
    return 0;
}

void writers_begin(struct writers *writers, int64_t epoch)
{
    atomic_store(&writers->shared.epoch, epoch);
    atomic_store(&writers->shared.failed, false);
}

size_t writers_choose(struct slice id, size_t count)
{
    uint64_t turn;

    if (id.len == 0)
        return 0;
    turn = (unsigned char)id.data[id.len - 1];
    return (size_t)((digest_quick((struct slice){ id.data, id.len - 1 }) + turn) % count);
}

static struct writer *writer_of(struct writers *writers, const struct message *message)
{
    if (message->refused)
        return &writers->writers[message->position % writers->count];
    return &writers->writers[writers_choose(message->change->id, writers->count)];
}

/* Takes the first message of the list, and all others of the same writer, out of it. */
static void enqueue_part(struct writers *writers, struct message **list)
{
    struct message *first = *list;
    struct message *last = first;
    struct writer *writer = writer_of(writers, first);
    struct message **link = list;

    *list = first->next;
    while (*link != NULL) {
        struct message *message = *link;

        if (writer_of(writers, message) != writer) {
            link = &message->next;
            continue;
        }
        *link = message->next;
        last->next = message;
        last = message;
    }
    last->next = NULL;
    writer_enqueue(writer, first, last);
}

void writers_enqueue(struct writers *writers, struct message *first)
{
    while (first != NULL)
        enqueue_part(writers, &first);
}

bool writers_have_failed(const struct writers *writers)
{
    return atomic_load(&writers->shared.failed);
}

void writers_abandon(struct writers *writers)
{
    atomic_store(&writers->shared.abandoned, true);
    breaker_wake(&writers->shared.breaker);
    for (size_t i = 0; i < writers->count; i++)
        writer_drain(&writers->writers[i]);
    atomic_store(&writers->shared.abandoned, false);
}

void writers_stop(struct writers *writers)
{
    for (size_t i = 0; i < writers->count; i++)
        session_wake(&writers->writers[i].session);
}

void writers_end(struct writers *writers)
{
    for (size_t i = 0; i < writers->started; i++)
        writer_end(&writers->writers[i]);
    for (size_t i = 0; i < writers->started; i++)
        pthread_join(writers->writers[i].thread, NULL);
}

bool writers_breaker_is_open(const struct writers *writers)
{
    return breaker_is_open(&writers->shared.breaker);
}

size_t writers_quarantined(const struct writers *writers)
{
    size_t count = 0;

    for (size_t i = 0; i < writers->count; i++)
        count += quarantine_messages(&writers->writers[i].session.quarantine);
    return count;
}

size_t writers_stuck(const struct writers *writers)
{
    size_t count = 0;

    for (size_t i = 0; i < writers->count; i++)
        count += quarantine_stuck(&writers->writers[i].session.quarantine);
    return count;
}

void writers_status(struct writers *writers, struct queue_status *status)
{
    breaker_status(&writers->shared.breaker, &status->breaker);
    for (size_t i = 0; i < writers->count; i++) {
        struct write_session *session = &writers->writers[i].session;

        counters_writer_status(&session->marks, status);
        quarantine_status(&session->quarantine, &status->quarantine);
    }
}
