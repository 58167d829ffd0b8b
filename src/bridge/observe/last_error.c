#include "bridge/observe/last_error.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/*
 * A text cannot be stored in one atomic operation, and a half-written one would mislead, so there
 * is a lock. It costs nothing in normal operation: only a failure, its end and an observer take it.
 */

void last_error_init(struct last_error_slot *slot)
{
    *slot = (struct last_error_slot){ 0 };
    pthread_mutex_init(&slot->lock, NULL);
}

void last_error_release(struct last_error_slot *slot)
{
    pthread_mutex_destroy(&slot->lock);
}

/* With the lock held. The first SQLSTATE tells most: what follows is often only its consequence. */
static void keep_earlier(struct last_error *last, const char *sqlstate)
{
    if (!last->current)
        last->earlier[0] = '\0';
    else if (last->earlier[0] == '\0' && last->sqlstate[0] != '\0' &&
             strcmp(last->sqlstate, sqlstate) != 0)
        text_set(last->earlier, sizeof(last->earlier), "%s%s%s", last->error.why,
                 last->error.hint[0] != '\0' ? ": " : "", last->error.hint);
}

void last_error_set(struct last_error_slot *slot, const char *event, const struct error *err,
                    const char *sqlstate, size_t others)
{
    pthread_mutex_lock(&slot->lock);
    keep_earlier(&slot->last, sqlstate != NULL ? sqlstate : "");
    snprintf(slot->last.event, sizeof(slot->last.event), "%s", event);
    slot->last.error = *err;
    snprintf(slot->last.sqlstate, sizeof(slot->last.sqlstate), "%s",
             sqlstate != NULL ? sqlstate : "");
    slot->last.others = others;
    slot->last.at_us = clock_wall_us();
    slot->last.count++;
    slot->last.current = true;
    pthread_mutex_unlock(&slot->lock);
}

const char *last_error_earlier(struct last_error_slot *slot, char *out, size_t size)
{
    pthread_mutex_lock(&slot->lock);
    text_set(out, size, "%s", slot->last.earlier);
    pthread_mutex_unlock(&slot->lock);
    return out;
}

void last_error_end(struct last_error_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    slot->last.current = false;
    pthread_mutex_unlock(&slot->lock);
}

void last_error_read(struct last_error_slot *slot, struct last_error *out)
{
    pthread_mutex_lock(&slot->lock);
    *out = slot->last;
    pthread_mutex_unlock(&slot->lock);
}
