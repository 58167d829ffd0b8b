#include "bridge/parked.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_INTERVAL_MS = 1000 };

void parked_init(struct parked *parked, int interval_ms)
{
    memset(parked, 0, sizeof(*parked));
    pthread_mutex_init(&parked->lock, NULL);
    parked->policy = (struct backoff_policy){
        .base_ms = interval_ms < FIRST_INTERVAL_MS ? interval_ms : FIRST_INTERVAL_MS,
        .cap_ms = interval_ms,
    };
}

void parked_release(struct parked *parked)
{
    pthread_mutex_destroy(&parked->lock);
}

static struct slice id_of(const struct parked_group *group)
{
    return (struct slice){ group->id, group->id_len };
}

static void append(struct parked_group *group, struct message *message)
{
    message->next = NULL;
    if (group->last != NULL)
        group->last->next = message;
    else
        group->first = message;
    group->last = message;
    group->count++;
}

static void note_failure(struct parked_group *group, const char *sqlstate)
{
    group->attempts++;
    group->due_ms = clock_monotonic_ms() + backoff_next_ms(&group->backoff);
    if (sqlstate != NULL)
        snprintf(group->sqlstate, sizeof(group->sqlstate), "%s", sqlstate);
}

bool parked_add(struct parked *parked, struct message *const *messages, size_t count,
                const char *sqlstate)
{
    struct parked_group *group = &parked->groups[parked->count];
    struct slice id = messages[0]->change->id;

    if (parked->count == PARKED_MAX || id.len > sizeof(group->id))
        return false;
    pthread_mutex_lock(&parked->lock);
    *group = (struct parked_group){ .id_len = id.len };
    memcpy(group->id, id.data, id.len);
    for (size_t i = 0; i < count; i++)
        append(group, messages[i]);
    backoff_init(&group->backoff, parked->policy);
    note_failure(group, sqlstate);
    parked->count++;
    pthread_mutex_unlock(&parked->lock);
    atomic_fetch_add(&parked->messages, count);
    return true;
}

static struct parked_group *find(struct parked *parked, const struct message *message)
{
    for (size_t i = 0; i < parked->count && !message->refused; i++) {
        if (slice_equal(id_of(&parked->groups[i]), message->change->id))
            return &parked->groups[i];
    }
    return NULL;
}

size_t parked_claim(struct parked *parked, struct message **messages, size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        struct parked_group *group = find(parked, messages[i]);

        if (group == NULL) {
            messages[left++] = messages[i];
            continue;
        }
        pthread_mutex_lock(&parked->lock);
        append(group, messages[i]);
        pthread_mutex_unlock(&parked->lock);
        atomic_fetch_add(&parked->messages, 1);
    }
    return left;
}

void parked_failed(struct parked *parked, struct parked_group *group, const char *sqlstate)
{
    pthread_mutex_lock(&parked->lock);
    note_failure(group, sqlstate);
    pthread_mutex_unlock(&parked->lock);
}

void parked_drop(struct parked *parked, struct parked_group *group, size_t count,
                 struct message *rest)
{
    pthread_mutex_lock(&parked->lock);
    group->first = rest;
    group->count -= count;
    if (group->count == 0) {
        size_t number = (size_t)(group - parked->groups);

        memmove(group, group + 1, (--parked->count - number) * sizeof(*group));
    }
    pthread_mutex_unlock(&parked->lock);
    atomic_fetch_sub(&parked->messages, count);
}

void parked_clear(struct parked *parked)
{
    pthread_mutex_lock(&parked->lock);
    parked->count = 0;
    pthread_mutex_unlock(&parked->lock);
    atomic_store(&parked->messages, 0);
    parked->in_a_row = 0;
}

int64_t parked_due_ms(const struct parked *parked)
{
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < parked->count; i++)
        due_ms = parked->groups[i].due_ms < due_ms ? parked->groups[i].due_ms : due_ms;
    return due_ms;
}

void parked_note_commit(struct parked *parked, uint64_t statements)
{
    int64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < 64; i++) {
        if ((statements >> i & 1) != 0)
            parked->proven_ms[i] = now_ms;
    }
    if (statements != 0)
        parked->in_a_row = 0;
}

bool parked_is_proven(const struct parked *parked, uint64_t statements, int64_t since_ms)
{
    for (size_t i = 0; i < 64; i++) {
        if ((statements >> i & 1) != 0 && parked->proven_ms[i] <= since_ms)
            return false;
    }
    return statements != 0;
}

size_t parked_stuck(const struct parked *parked)
{
    return atomic_load(&parked->tried_last) ? atomic_load(&parked->messages) : 0;
}

void parked_read(struct parked *parked, struct parked_view *view)
{
    pthread_mutex_lock(&parked->lock);
    view->entities += parked->count;
    view->messages += atomic_load(&parked->messages);
    for (size_t i = 0; i < parked->count && view->shown_count < PARKED_SHOWN; i++) {
        const struct parked_group *group = &parked->groups[i];
        size_t n = view->shown_count++;

        snprintf(view->shown[n].id, sizeof(view->shown[n].id), "%.*s",
                 SLICE_ARG(utf8_cut(id_of(group), PARKED_ID_SHOWN_BYTES)));
        snprintf(view->shown[n].sqlstate, sizeof(view->shown[n].sqlstate), "%s", group->sqlstate);
        view->shown[n].attempts = group->attempts;
    }
    pthread_mutex_unlock(&parked->lock);
}
