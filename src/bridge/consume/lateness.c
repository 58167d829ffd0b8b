#include "bridge/consume/lateness.h"

#include "base/clock.h"
#include "base/log.h"
#include "bridge/timing.h"

static bool in_range(uint64_t timestamp_s)
{
    return timestamp_s >= (uint64_t)POSTGRES_EPOCH_S &&
           timestamp_s <= (uint64_t)(clock_wall_s() + FUTURE_TIMESTAMP_S);
}

/* A guess for the person who reads the log. */
static const char *looks_like(uint64_t timestamp)
{
    if (timestamp < (uint64_t)POSTGRES_EPOCH_S)
        return "too old";
    if (in_range(timestamp / 1000))
        return "Unix time in ms";
    if (in_range(timestamp / 1000000))
        return "Unix time in us";
    if (in_range(timestamp / 1000000000))
        return "Unix time in ns";
    return "too far ahead";
}

/* Returns true for the first of its kind. */
static bool is_first(bool *said)
{
    bool first = !*said;

    *said = true;
    return first;
}

/* Returns what shows that the message may be late, other than the flag `redelivered`, or NULL. */
static const char *mark_of(struct lateness *lateness, const struct delivery *delivery)
{
    bool overtaken = delivery->priority < lateness->highest_priority;

    if (!overtaken)
        lateness->highest_priority = delivery->priority;
    if (delivery->late_mark != NULL)
        return delivery->late_mark;
    return overtaken ? "priority" : NULL;
}

static void note_late(struct lateness *lateness, struct queue *queue, const char *mark)
{
    atomic_fetch_add(&queue->counters.late, 1);
    if (mark == NULL && is_first(&lateness->said_redelivered))
        log_event(
            LOG_WARNING, "late_redelivery",
            "the broker returned a message out of order, an older state may show",
            LOG_TEXT("queue", queue->name),
            LOG_TEXT("hint",
                     "find out who else consumes the queue, and whether connections are lost while "
                     "messages come back"));
    if (mark != NULL && is_first(&lateness->said_marked))
        log_event(LOG_WARNING, "late_message",
                  "a message may have come behind newer ones, so its AMQP timestamp is compared",
                  LOG_TEXT("queue", queue->name), LOG_TEXT("mark", mark),
                  LOG_TEXT("hint",
                           "without a timestamp an older state may show: have the publisher "
                           "set it, and see README, When an older state can show"));
}

static void note_out_of_range(struct lateness *lateness, struct queue *queue, uint64_t timestamp)
{
    atomic_fetch_add(&queue->counters.timestamps_out_of_range, 1);
    if (is_first(&lateness->said_out_of_range))
        log_event(LOG_WARNING, "timestamp_out_of_range",
                  "an AMQP timestamp that cannot be one counts as absent",
                  LOG_TEXT("queue", queue->name), LOG_NUMBER("timestamp", timestamp),
                  LOG_TEXT("looks_like", looks_like(timestamp)),
                  LOG_TEXT("hint", "AMQP defines it as Unix time in s: have the publisher send "
                                   "that, and check the clocks of its machine and of this one"));
}

static void note_missing(struct lateness *lateness, struct queue *queue, bool by_timestamp)
{
    atomic_fetch_add(&queue->counters.timestamps_missing, 1);
    if (is_first(&lateness->said_missing))
        log_event(LOG_WARNING, "timestamp_missing",
                  "a message that may be late has no AMQP timestamp, so it is applied as it came",
                  LOG_TEXT("queue", queue->name),
                  LOG_TEXT("order", by_timestamp ? "timestamp" : "delivery"),
                  LOG_TEXT("hint", "have the publisher set the AMQP property timestamp"));
}

void lateness_note(struct lateness *lateness, struct queue *queue, struct message *message,
                   bool late, bool by_timestamp)
{
    const struct delivery *delivery = message->delivery;
    const char *mark = mark_of(lateness, delivery);
    struct change *change = message->change;

    late = late || mark != NULL;
    if (late)
        note_late(lateness, queue, mark);
    if (change == NULL)
        return;
    change->may_be_late = late || by_timestamp;
    change->has_time = delivery->has_timestamp && in_range(delivery->timestamp_s);
    if (change->has_time)
        change->source_time_pg_us = ((int64_t)delivery->timestamp_s - POSTGRES_EPOCH_S) * 1000000;
    else if (delivery->has_timestamp)
        note_out_of_range(lateness, queue, delivery->timestamp_s);
    else if (change->may_be_late)
        note_missing(lateness, queue, by_timestamp);
}
