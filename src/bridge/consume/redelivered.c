#include "bridge/consume/redelivered.h"

#include "base/log.h"
#include "bridge/timing.h"

void redelivered_begin(struct redelivered *redelivered, int prefetch, bool queue_has_messages)
{
    redelivered->open = true;
    redelivered->prefetch = (size_t)prefetch;
    redelivered->first_expected = queue_has_messages;
}

size_t redelivered_room(const struct redelivered *redelivered, size_t max_unacknowledged_bytes)
{
    return redelivered->open
               ? max_unacknowledged_bytes
               : max_unacknowledged_bytes - max_unacknowledged_bytes / REDELIVERED_RESERVE;
}

void redelivered_release(struct redelivered *redelivered, const char *why)
{
    struct message *first = redelivered->first;

    if (redelivered->held == 0)
        return;
    log_event(LOG_INFO, "redelivered_messages",
              "redelivered messages are folded and committed together",
              LOG_TEXT("queue", redelivered->queue), LOG_NUMBER("messages", redelivered->held),
              LOG_TEXT("ended_by", why));
    redelivered->first = NULL;
    redelivered->last = NULL;
    redelivered->held = 0;
    writers_enqueue(redelivered->writers, first);
}

void redelivered_end(struct redelivered *redelivered, const char *why)
{
    if (!redelivered->open)
        return;
    redelivered->open = false;
    log_event(LOG_DEBUG, "redelivered_messages_ended",
              "messages that are redelivered from now on are late",
              LOG_TEXT("queue", redelivered->queue), LOG_NUMBER("messages", redelivered->total),
              LOG_TEXT("ended_by", why));
    redelivered_release(redelivered, why);
}

void redelivered_hold(struct redelivered *redelivered, struct message *message,
                      size_t unacknowledged)
{
    message->in_redelivered_batch = true;
    message->next = NULL;
    if (redelivered->last != NULL)
        redelivered->last->next = message;
    else
        redelivered->first = message;
    redelivered->last = message;
    redelivered->held++;
    redelivered->total++;
    if (redelivered->total == redelivered->max_messages)
        redelivered_end(redelivered, "prefetch");
    else if (unacknowledged >= redelivered->prefetch)
        redelivered_release(redelivered, "prefetch");
}
