#include "bridge/observe/last_error.h"

#include "base/clock.h"

#include <stdio.h>

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

void last_error_set(struct last_error_slot *slot, const char *event, const struct error *err,
                    const char *sqlstate, size_t others)
{
    pthread_mutex_lock(&slot->lock);
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
