#include "bridge/write/quarantine.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "bridge/timing.h"

#include <stdio.h>
#include <string.h>

/*
 * Success is noted for each statement and not for each table or entity: where nobody gets through a
 * statement, the fault is more likely the database's than the message's. The time of the last
 * success is enough, because it is only compared with the time of the message's first failure. The
 * list is short and searched from its start, because a queue seldom has any quarantined entity. The
 * lock is there for observers; only the writer changes the list, and so it reads the list without
 * the lock.
 */

/* Short enough that a message at fault has had all its attempts when its time is over. */
static int interval_ms(unsigned attempts, int span_ms)
{
    int interval = attempts > 0 ? span_ms / (int)attempts : 0;

    if (interval > QUARANTINE_INTERVAL_MAX_MS)
        return QUARANTINE_INTERVAL_MAX_MS;
    return interval > QUARANTINE_INTERVAL_MIN_MS ? interval : QUARANTINE_INTERVAL_MIN_MS;
}

void quarantine_init(struct quarantine *quarantine, unsigned attempts, int span_ms)
{
    int cap_ms = interval_ms(attempts, span_ms);

    memset(quarantine, 0, sizeof(*quarantine));
    pthread_mutex_init(&quarantine->lock, NULL);
    quarantine->policy = (struct backoff_policy){
        .base_ms = cap_ms < QUARANTINE_INTERVAL_FIRST_MS ? cap_ms : QUARANTINE_INTERVAL_FIRST_MS,
        .cap_ms = cap_ms,
    };
}

void quarantine_release(struct quarantine *quarantine)
{
    pthread_mutex_destroy(&quarantine->lock);
}

static struct slice id_of(const struct quarantined_entity *entity)
{
    return (struct slice){ entity->id, entity->id_len };
}

static void append(struct quarantined_entity *entity, struct message *message)
{
    message->next = NULL;
    if (entity->last != NULL)
        entity->last->next = message;
    else
        entity->first = message;
    entity->last = message;
    entity->count++;
}

static void note_failure(struct quarantined_entity *entity, const char *sqlstate)
{
    entity->attempts++;
    entity->due_ms = clock_monotonic_ms() + backoff_next_ms(&entity->backoff);
    if (sqlstate != NULL)
        snprintf(entity->sqlstate, sizeof(entity->sqlstate), "%s", sqlstate);
}

static void count_entities(const struct quarantine *quarantine, size_t added, size_t removed)
{
    if (quarantine->all == NULL)
        return;
    atomic_fetch_add(quarantine->all, added);
    atomic_fetch_sub(quarantine->all, removed);
}

bool quarantine_add(struct quarantine *quarantine, struct message *const *messages, size_t count,
                    const char *sqlstate)
{
    struct quarantined_entity *entity = &quarantine->entities[quarantine->count];
    struct slice id = messages[0]->change->id;

    if (quarantine->count == QUARANTINE_MAX || id.len > sizeof(entity->id))
        return false;
    pthread_mutex_lock(&quarantine->lock);
    *entity = (struct quarantined_entity){ .id_len = id.len };
    memcpy(entity->id, id.data, id.len);
    for (size_t i = 0; i < count; i++)
        append(entity, messages[i]);
    backoff_init(&entity->backoff, quarantine->policy);
    note_failure(entity, sqlstate);
    quarantine->count++;
    count_entities(quarantine, 1, 0);
    pthread_mutex_unlock(&quarantine->lock);
    atomic_fetch_add(&quarantine->messages, count);
    return true;
}

static struct quarantined_entity *find(struct quarantine *quarantine, const struct message *message)
{
    for (size_t i = 0; i < quarantine->count && !message->refused; i++) {
        if (slice_equal(id_of(&quarantine->entities[i]), message->change->id))
            return &quarantine->entities[i];
    }
    return NULL;
}

size_t quarantine_divert(struct quarantine *quarantine, struct message **messages, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        struct quarantined_entity *entity = find(quarantine, messages[i]);

        if (entity == NULL) {
            messages[left++] = messages[i];
            continue;
        }
        pthread_mutex_lock(&quarantine->lock);
        append(entity, messages[i]);
        pthread_mutex_unlock(&quarantine->lock);
        atomic_fetch_add(&quarantine->messages, 1);
    }
    return left;
}

void quarantine_failed(struct quarantine *quarantine, struct quarantined_entity *entity,
                       const char *sqlstate)
{
    pthread_mutex_lock(&quarantine->lock);
    note_failure(entity, sqlstate);
    pthread_mutex_unlock(&quarantine->lock);
}

void quarantine_note_table(struct quarantine *quarantine, struct quarantined_entity *entity,
                           const char *table)
{
    pthread_mutex_lock(&quarantine->lock);
    snprintf(entity->table, sizeof(entity->table), "%s", table);
    pthread_mutex_unlock(&quarantine->lock);
}

void quarantine_remove(struct quarantine *quarantine, struct quarantined_entity *entity,
                       size_t count, struct message *rest)
{
    pthread_mutex_lock(&quarantine->lock);
    entity->first = rest;
    entity->count -= count;
    if (entity->count == 0) {
        size_t number = (size_t)(entity - quarantine->entities);

        count_entities(quarantine, 0, 1);
        memmove(entity, entity + 1, (--quarantine->count - number) * sizeof(*entity));
    }
    pthread_mutex_unlock(&quarantine->lock);
    atomic_fetch_sub(&quarantine->messages, count);
}

void quarantine_judged(struct quarantine *quarantine, const struct quarantined_entity *entity)
{
    memcpy(quarantine->judged_id, entity->id, entity->id_len);
    quarantine->judged_len = entity->id_len;
}

unsigned quarantine_fails_alone(struct quarantine *quarantine, struct slice id, uint64_t statements)
{
    const struct slice judged = { quarantine->judged_id, quarantine->judged_len };

    if (quarantine->failed_in_a_row == 1 && slice_equal(judged, id))
        quarantine->failed_in_a_row = 0;
    if (quarantine->failed_in_a_row == 0)
        quarantine->failed_statements = 0;
    quarantine->failed_statements |= statements;
    return quarantine->failed_in_a_row++;
}

static void forget_failures(struct quarantine *quarantine)
{
    quarantine->failed_in_a_row = 0;
    quarantine->failed_statements = 0;
}

void quarantine_recovered(struct quarantine *quarantine)
{
    if (quarantine->count == 0)
        forget_failures(quarantine);
}

void quarantine_clear(struct quarantine *quarantine)
{
    pthread_mutex_lock(&quarantine->lock);
    count_entities(quarantine, 0, quarantine->count);
    quarantine->count = 0;
    pthread_mutex_unlock(&quarantine->lock);
    atomic_store(&quarantine->messages, 0);
    forget_failures(quarantine);
}

int64_t quarantine_due_ms(const struct quarantine *quarantine)
{
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < quarantine->count; i++)
        due_ms = quarantine->entities[i].due_ms < due_ms ? quarantine->entities[i].due_ms : due_ms;
    return due_ms;
}

void quarantine_note_commit(struct quarantine *quarantine, uint64_t statements)
{
    int64_t now_ms = clock_monotonic_ms();

    quarantine->commits++;
    for (size_t i = 0; i < STATEMENTS_MAX; i++) {
        if ((statements >> i & 1) == 0)
            continue;
        quarantine->proven_ms[i] = now_ms;
        quarantine->proven_by[i] = quarantine->commits;
    }
    if ((statements & quarantine->failed_statements) != 0 ||
        (statements != 0 && quarantine->failed_statements == 0))
        quarantine->failed_in_a_row = 0;
}

bool quarantine_is_proven(const struct quarantine *quarantine, uint64_t statements,
                          int64_t since_ms)
{
    for (size_t i = 0; i < STATEMENTS_MAX; i++) {
        if ((statements >> i & 1) != 0 && quarantine->proven_ms[i] <= since_ms)
            return false;
    }
    return statements != 0;
}

bool quarantine_is_proven_since(const struct quarantine *quarantine, uint64_t statements,
                                uint64_t commit)
{
    for (size_t i = 0; i < STATEMENTS_MAX; i++) {
        if ((statements >> i & 1) != 0 && quarantine->proven_by[i] <= commit)
            return false;
    }
    return statements != 0;
}

bool quarantine_has_committed(const struct quarantine *quarantine, int64_t since_ms)
{
    for (size_t i = 0; i < STATEMENTS_MAX; i++) {
        if (quarantine->proven_ms[i] > since_ms)
            return true;
    }
    return false;
}

bool quarantine_has_the_only_one(const struct quarantine *quarantine)
{
    return quarantine->count == 1 && quarantine->failed_in_a_row <= 1 &&
           (quarantine->all == NULL || atomic_load(quarantine->all) == 1);
}

size_t quarantine_messages(const struct quarantine *quarantine)
{
    return atomic_load(&quarantine->messages);
}

size_t quarantine_stuck(const struct quarantine *quarantine)
{
    return atomic_load(&quarantine->tried_last) ? atomic_load(&quarantine->messages) : 0;
}

void quarantine_status(struct quarantine *quarantine, struct quarantine_status *status)
{
    pthread_mutex_lock(&quarantine->lock);
    status->entities += quarantine->count;
    status->messages += atomic_load(&quarantine->messages);
    for (size_t i = 0; i < quarantine->count && status->shown_count < QUARANTINE_SHOWN; i++) {
        const struct quarantined_entity *entity = &quarantine->entities[i];
        size_t n = status->shown_count++;

        snprintf(status->shown[n].id, sizeof(status->shown[n].id), "%.*s",
                 SLICE_ARG(utf8_cut(id_of(entity), QUARANTINE_ID_SHOWN_BYTES)));
        snprintf(status->shown[n].sqlstate, sizeof(status->shown[n].sqlstate), "%s",
                 entity->sqlstate);
        snprintf(status->shown[n].table, sizeof(status->shown[n].table), "%s", entity->table);
        status->shown[n].attempts = entity->attempts;
    }
    pthread_mutex_unlock(&quarantine->lock);
}
