#include "bridge/isolate.h"

#include "base/log.h"
#include "bridge/settle.h"

#include <stdio.h>
#include <stdlib.h>

/* The messages of one entity: a range of isolation.messages. */
struct group {
    size_t first;
    size_t count;
};

struct isolation {
    struct writer *writer;
    struct message **messages;
    struct group *groups;
    size_t group_count;
    struct message **dead; /* refused and not committed yet: they go with the next transaction */
    size_t dead_count;
    struct message **scratch; /* what one transaction is asked to write */
    struct write_report report;
};

/* Fills the groups with the accepted messages and `dead` with the refused. */
static void split(struct isolation *isolation, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct message *message = isolation->messages[i];
        struct group *last = isolation->group_count > 0 ? &isolation->groups[isolation->group_count - 1] : NULL;

        if (message->refused)
            isolation->dead[isolation->dead_count++] = message;
        else if (last != NULL && slice_equal(isolation->messages[last->first]->change->id, message->change->id))
            last->count++;
        else
            isolation->groups[isolation->group_count++] = (struct group){ .first = i, .count = 1 };
    }
}

enum manner { WHOLE, DIVISIBLE, PROBE };

/* Writes the messages and the waiting dead letters in one transaction. */
static enum settled write_messages(struct isolation *isolation, struct message **messages, size_t count, enum manner manner)
{
    const bool probe = manner == PROBE;
    struct write_request request = { .messages = isolation->scratch, .count = 0, .probe = probe };
    enum settled settled;

    for (size_t i = 0; !probe && i < isolation->dead_count; i++)
        isolation->scratch[request.count++] = isolation->dead[i];
    for (size_t i = 0; i < count; i++)
        isolation->scratch[request.count++] = messages[i];
    if (request.count == 0)
        return SETTLED_COMMITTED;
    settled = settle(isolation->writer, &request, manner == DIVISIBLE, &isolation->report);
    if (settled == SETTLED_COMMITTED && !probe)
        isolation->dead_count = 0;
    return settled;
}

static void refuse(struct isolation *isolation, struct message *message)
{
    const struct write_report *report = &isolation->report;
    struct refusal *refusal = &message->refusal;

    *refusal = (struct refusal){ .reason = REFUSAL_REJECTED_BY_DATABASE };
    snprintf(refusal->sqlstate, sizeof(refusal->sqlstate), "%s", report->sqlstate);
    snprintf(refusal->detail, sizeof(refusal->detail), "the database refused the rows: SQLSTATE %s%s%s%s%s%s%s", report->sqlstate,
             report->table[0] != '\0' ? ", table " : "", report->table, report->column[0] != '\0' ? ", column " : "",
             report->column, report->constraint[0] != '\0' ? ", constraint " : "", report->constraint);
    message->refused = true;
    isolation->dead[isolation->dead_count++] = message;
}

/* The combined rows of one entity were refused: apply its messages singly, in order, and keep those that the database takes. Each is
   tried on top of the ones before it; what they come to is committed at once, so that nobody sees a state in between. */
static bool resolve_entity(struct isolation *isolation, const struct group *group)
{
    struct message **messages = isolation->messages + group->first;
    size_t kept = 0;
    enum settled settled;

    if (group->count == 1) {
        refuse(isolation, messages[0]);
        return true;
    }
    for (size_t i = 0; i < group->count; i++) {
        struct message *message = messages[i];

        messages[kept] = message;
        settled = write_messages(isolation, messages, kept + 1, PROBE);
        if (settled == SETTLED_ABANDONED)
            return false;
        if (settled == SETTLED_REFUSED)
            refuse(isolation, message);
        else
            kept++;
    }
    settled = write_messages(isolation, messages, kept, WHOLE);
    return settled == SETTLED_COMMITTED;
}

static size_t count_messages(const struct group *groups, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += groups[i].count;
    return sum;
}

/* Recursion is as deep as log2 of the batch. Returns false when abandoned. */
static bool isolate(struct isolation *isolation, const struct group *groups, size_t count)
{
    size_t half = count / 2;
    enum settled settled = write_messages(isolation, isolation->messages + groups[0].first, count_messages(groups, count),
                                          count > 1 ? DIVISIBLE : WHOLE);

    if (settled != SETTLED_REFUSED && settled != SETTLED_TOO_MUCH)
        return settled == SETTLED_COMMITTED;
    if (count == 1)
        return resolve_entity(isolation, &groups[0]);
    log_event(LOG_DEBUG, "isolating", "the database did not take a batch, it is halved",
              LOG_TEXT("queue", isolation->writer->stream->settings.queue), LOG_TEXT("sqlstate", isolation->report.sqlstate),
              LOG_NUMBER("entities", count));
    return isolate(isolation, groups, half) && isolate(isolation, groups + half, count - half);
}

bool isolate_write(struct writer *writer, struct message **messages, size_t count)
{
    struct isolation isolation = { .writer = writer, .messages = messages };
    bool done = false;

    isolation.groups = calloc(count, sizeof(*isolation.groups));
    isolation.dead = calloc(count, sizeof(struct message *));
    isolation.scratch = calloc(count, sizeof(struct message *));
    if (isolation.groups != NULL && isolation.dead != NULL && isolation.scratch != NULL) {
        split(&isolation, count);
        done = isolation.group_count == 0 || isolate(&isolation, isolation.groups, isolation.group_count);
        /* What is still waiting had no neighbour to go with. */
        done = done && write_messages(&isolation, NULL, 0, WHOLE) == SETTLED_COMMITTED;
    }
    free(isolation.groups);
    free(isolation.dead);
    free(isolation.scratch);
    return done;
}
