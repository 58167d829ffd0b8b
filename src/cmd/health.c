#include "cmd/health.h"

#include "base/text.h"
#include "model/returns.h"

#include <stdarg.h>
#include <stdio.h>

/*
 * A supervisor reads the status code and a person reads the lines, so each part is one sentence
 * that names the cause. /livez looks at threads alone, because it asks for a restart, and a restart
 * mends no server. A standby counts as ready: otherwise a second instance would never become ready,
 * and a rolling update would wait for it in vain. Where several things are wrong with a queue, the
 * line names the one that the others follow from: the database before the tables, these before the
 * lease, and the lease before the broker.
 */

enum { LINE_MAX_BYTES = 2048 };

struct health {
    struct buffer *out;
    bool failed;
};

/* Adds one line. A text of the servers may hold line breaks, which become spaces. */
static void add_part(struct health *health, bool ok, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_part(struct health *health, bool ok, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (char *at = line; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == '\x7f')
            *at = ' ';
    buffer_append_format(health->out, "[%c]%s\n", ok ? '+' : '-', line);
    health->failed = health->failed || !ok;
}

static bool conclude(struct health *health, const char *check, bool verbose)
{
    if (!health->failed && !verbose) {
        buffer_clear(health->out);
        buffer_append_text(health->out, "ok\n");
        return true;
    }
    buffer_append_format(health->out, "%s check %s\n", check, health->failed ? "failed" : "passed");
    return !health->failed;
}

static void add_thread(struct health *health, int64_t silent_ms, int64_t limit_ms,
                       const char *queue, const char *thread)
{
    const char *prefix = queue != NULL ? "queue " : "";
    const char *name = queue != NULL ? queue : "";
    const char *space = queue != NULL ? " " : "";

    if (silent_ms <= limit_ms)
        add_part(health, true, "%s%s%s%s ok", prefix, name, space, thread);
    else
        add_part(health, false, "%s%s%s%s stuck: no sign of life for %lld s", prefix, name, space,
                 thread, (long long)(silent_ms / 1000));
}

bool health_livez(const struct bridge_status *status, int64_t limit_ms, bool verbose,
                  struct buffer *out)
{
    struct health health = { .out = out };

    add_thread(&health, status->keeper_silent_ms, limit_ms, NULL, "lease keeper");
    for (size_t i = 0; i < status->queue_count; i++) {
        const struct queue_status *queue = &status->queues[i];

        add_thread(&health, queue->consumer_silent_ms, limit_ms, queue->queue, "consumer");
        add_thread(&health, queue->writer_silent_ms, limit_ms, queue->queue, "writers");
    }
    return conclude(&health, "livez", verbose);
}

/* Returns the error in one sentence; otherwise is returned when nothing has gone wrong yet. */
static const char *last_error_text(const struct last_error *last, const char *otherwise, char *out,
                                   size_t size)
{
    size_t used;

    if (!last->current)
        return otherwise;
    error_text(&last->error, out, size);
    used = strlen(out);
    if (last->sqlstate[0] != '\0' && strstr(out, last->sqlstate) == NULL)
        used += (size_t)snprintf(out + used, size - used, ", SQLSTATE %s", last->sqlstate);
    if (last->others > 0 && used < size)
        used += (size_t)snprintf(out + used, size - used, ", and %zu more, see kopru check",
                                 last->others);
    if (last->earlier[0] != '\0' && used < size)
        snprintf(out + used, size - used, "; it began with: %s", last->earlier);
    return out;
}

/* Writes "812 of the last 1000 messages were refused by the database: SQLSTATE 23514, table t,
   constraint c; ..." */
static const char *breaker_text(const struct breaker_status *breaker, char *out, size_t size)
{
    snprintf(out, size,
             "%zu of the last %zu messages were refused by the database: SQLSTATE %s%s%s%s%s; "
             "nothing is written until it takes "
             "one, which is tried every %d s",
             breaker->refused, breaker->window, breaker->sqlstate,
             breaker->table[0] != '\0' ? ", table " : "", breaker->table,
             breaker->constraint[0] != '\0' ? ", constraint " : "", breaker->constraint,
             breaker->probe_ms / 1000);
    return out;
}

static void append_timestamps(const struct queue_status *queue, char *out, size_t size)
{
    unsigned long long out_of_range = queue->timestamps_out_of_range;
    unsigned long long missing = queue->timestamps_missing;

    if (out_of_range > 0 || missing > 0)
        text_append(out, size,
                    "; AMQP timestamps that do not count: %llu out of range, %llu missing where "
                    "they would be compared",
                    out_of_range, missing);
}

static void append_others(const struct queue_status *queue, char *out, size_t size)
{
    if (queue->other_consumers > 0)
        text_append(out, size, "; %d other consumer%s a part of the messages",
                    queue->other_consumers, queue->other_consumers == 1 ? " takes" : "s take");
}

static void append_returns(const struct queue_status *queue, char *out, size_t size)
{
    if (returns_are_near(queue->returns))
        text_append(out, size,
                    "; messages came back %u times, and RabbitMQ 4 drops them after %d by "
                    "default",
                    queue->returns, RETURNS_LIMIT);
}

static const char *what_failed(const struct quarantine_shown *shown)
{
    if (shown->sqlstate[0] != '\0')
        return "SQLSTATE ";
    return shown->table[0] != '\0' ? "rows not written" : "no answer";
}

/* Appends "; 2 entities fail alone and wait: 4711 (SQLSTATE ZZ001, table t, attempt 3), ..." */
static void append_quarantine(const struct quarantine_status *quarantine, char *out, size_t size)
{
    if (quarantine->entities == 0)
        return;
    text_append(out, size, "; %zu %s alone and wait%s: ", quarantine->entities,
                quarantine->entities == 1 ? "entity fails" : "entities fail",
                quarantine->entities == 1 ? "s" : "");
    for (size_t i = 0; i < quarantine->shown_count; i++)
        text_append(out, size, "%s%s (%s%s%s%s, attempt %u)", i > 0 ? ", " : "",
                    quarantine->shown[i].id, what_failed(&quarantine->shown[i]),
                    quarantine->shown[i].sqlstate,
                    quarantine->shown[i].table[0] != '\0' ? ", table " : "",
                    quarantine->shown[i].table, quarantine->shown[i].attempts);
    if (quarantine->entities > quarantine->shown_count)
        text_append(out, size, ", and %zu more", quarantine->entities - quarantine->shown_count);
}

/* Writes what does not make a queue unready and is worth a look: nothing, or "; ...; ...". */
static const char *notes_text(const struct queue_status *queue, char *out, size_t size)
{
    out[0] = '\0';
    append_timestamps(queue, out, size);
    append_others(queue, out, size);
    append_returns(queue, out, size);
    append_quarantine(&queue->quarantine, out, size);
    return out;
}

static void add_queue(struct health *health, const struct bridge_status *status,
                      const struct queue_status *queue)
{
    const char *name = queue->queue;
    char text[LINE_MAX_BYTES];

    if (queue->stage == STAGE_CONSUMING && queue->breaker.open)
        add_part(health, false, "queue %s paused: %s", name,
                 breaker_text(&queue->breaker, text, sizeof(text)));
    else if (queue->stage == STAGE_CONSUMING && queue->tables_error.current)
        add_part(health, false, "queue %s paused: %s", name,
                 last_error_text(&queue->tables_error, "", text, sizeof(text)));
    else if (queue->stage == STAGE_CONSUMING && queue->writers_failing == 0)
        add_part(health, true, "queue %s consuming%s", name, notes_text(queue, text, sizeof(text)));
    else if (queue->stage == STAGE_CONSUMING)
        add_part(health, false, "queue %s %s: %s", name, queue->paused ? "paused" : "not written",
                 last_error_text(&queue->database_error, "a transaction is being repeated", text,
                                 sizeof(text)));
    else if (!status->database_ok)
        add_part(health, false, "queue %s not consuming: waiting for the database", name);
    else if (queue->tables_error.current)
        add_part(health, false, "queue %s not consuming: %s", name,
                 last_error_text(&queue->tables_error, "", text, sizeof(text)));
    else if (!queue->lease_held && queue->holder[0] != '\0')
        add_part(health, true, "queue %s standby: another instance holds the lease (%.*s)", name,
                 (int)strcspn(queue->holder, " "), queue->holder);
    else if (!queue->lease_held)
        add_part(health, false, "queue %s not consuming: the lease is not acquired yet", name);
    else if (queue->stage == STAGE_RETURNS)
        add_part(
            health, false,
            "queue %s not consuming: its messages came back %u times, and RabbitMQ 4 drops them "
            "after %d by default, so they are taken later",
            name, queue->returns, RETURNS_LIMIT);
    else if (queue->stage == STAGE_PREDECESSOR)
        add_part(
            health, false,
            "queue %s not consuming: waiting until the broker has dropped the previous consumer",
            name);
    else
        add_part(
            health, false, "queue %s not consuming: %s", name,
            last_error_text(&queue->broker_error, "connecting to the broker", text, sizeof(text)));
}

/* Messages that the entity file does not fit are written all the same, so the queue works. */
static void add_queue_and_mapping(struct health *health, const struct bridge_status *status,
                                  const struct queue_status *queue)
{
    char text[FRESHNESS_DOUBT_MAX_BYTES];

    add_queue(health, status, queue);
    if (mapping_doubt_text(&queue->mapping, text, sizeof(text))[0] != '\0')
        add_part(health, true, "queue %s mapping doubtful: %s", queue->queue, text);
}

bool health_readyz(const struct bridge_status *status, bool verbose, struct buffer *out)
{
    struct health health = { .out = out };
    char text[LINE_MAX_BYTES];

    if (status->stopping || status->queue_count == 0)
        add_part(&health, false, "daemon %s", status->stopping ? "stopping" : "starting");
    else
        add_part(&health, true, "daemon ok");
    if (status->database_ok)
        add_part(&health, true, "database ok");
    else
        add_part(&health, false, "database not usable: %s",
                 last_error_text(&status->database_error, "connecting", text, sizeof(text)));
    for (size_t i = 0; i < status->queue_count; i++)
        add_queue_and_mapping(&health, status, &status->queues[i]);
    return conclude(&health, "readyz", verbose);
}
