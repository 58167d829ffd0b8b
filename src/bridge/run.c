#include "bridge/run.h"

#include "base/log.h"
#include "bridge/policy.h"
#include "bridge/writer.h"

size_t run_room(const struct leading_run *run, const struct stream *stream)
{
    size_t max_bytes = stream->settings.max_unacknowledged_bytes;

    return run->open ? max_bytes : max_bytes - max_bytes / LEADING_RUN_RESERVE;
}

void run_begin(struct leading_run *run, int window)
{
    *run = (struct leading_run){ .open = true, .window = (size_t)window };
}

/* Takes the writer's messages out of those held. */
static void release_to(struct leading_run *run, struct stream *stream, struct writer *writer)
{
    struct message *first = NULL;
    struct message *last = NULL;
    struct message **link = &run->first;

    while (*link != NULL) {
        struct message *message = *link;

        if (writer_for(stream, message) != writer) {
            link = &message->next;
            continue;
        }
        *link = message->next;
        message->next = NULL;
        if (last != NULL)
            last->next = message;
        else
            first = message;
        last = message;
    }
    if (first != NULL)
        writer_enqueue(writer, first, last);
}

void run_release(struct leading_run *run, struct stream *stream, const char *why)
{
    if (run->held == 0)
        return;
    log_event(LOG_INFO, "redelivered_messages",
              "redelivered messages are folded and committed together",
              LOG_TEXT("queue", stream->settings.queue), LOG_NUMBER("messages", run->held),
              LOG_TEXT("ended_by", why));
    for (int w = 0; w < stream->settings.writers; w++)
        release_to(run, stream, &stream->writers[w]);
    run->last = NULL;
    run->held = 0;
}

void run_end(struct leading_run *run, struct stream *stream, const char *why)
{
    if (!run->open)
        return;
    run->open = false;
    log_event(LOG_DEBUG, "redelivered_messages_ended", "what is redelivered from now on is late",
              LOG_TEXT("queue", stream->settings.queue), LOG_NUMBER("messages", run->total),
              LOG_TEXT("ended_by", why));
    run_release(run, stream, why);
}

void run_hold(struct leading_run *run, struct stream *stream, struct message *message,
              size_t in_hand)
{
    message->in_leading_run = true;
    message->next = NULL;
    if (run->last != NULL)
        run->last->next = message;
    else
        run->first = message;
    run->last = message;
    run->held++;
    run->total++;
    if (run->total == (size_t)stream->settings.prefetch)
        run_end(run, stream, "prefetch");
    else if (in_hand >= run->window)
        run_release(run, stream, "prefetch");
}
