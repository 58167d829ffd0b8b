#include "bridge/consume/redelivered.h"

#include "base/clock.h"
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
    redelivered->asked = false;
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
    redelivered->answers = 0;
    if (redelivered->total == redelivered->max_messages)
        redelivered_end(redelivered, "prefetch");
    else if (unacknowledged >= redelivered->prefetch)
        redelivered_release(redelivered, "prefetch");
}

/* Takes the answer, if it is there. Returns whether another question is due at once. */
static bool take_answer(struct redelivered *redelivered, const struct broker_port *port,
                        void *broker)
{
    struct broker_queue_state state;

    if (!port->answered(broker, &state))
        return false;
    redelivered->asked = false;
    if (redelivered->has_no_more) {
        redelivered_end(redelivered, "none_ready");
        return false;
    }
    if (state.messages == 0 && state.consumers > 0) {
        redelivered->has_no_more = true;
        return true;
    }
    redelivered->answered_at_ms = clock_monotonic_ms();
    if (++redelivered->answers == REDELIVERED_ANSWERS)
        redelivered_end(redelivered, "no_delivery");
    return false;
}

int redelivered_ask(struct redelivered *redelivered, const struct broker_port *port, void *broker,
                    int64_t silent_ms, struct error *err)
{
    int64_t quiet_ms = clock_monotonic_ms() - redelivered->answered_at_ms;

    if (redelivered->asked) {
        if (!take_answer(redelivered, port, broker))
            return 0;
    } else if (silent_ms < REDELIVERED_SILENCE_MS || quiet_ms < REDELIVERED_SILENCE_MS) {
        return 0;
    }
    redelivered->asked = true;
    return port->ask(broker, err);
}
