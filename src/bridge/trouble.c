#include "bridge/trouble.h"

#include "base/clock.h"

#include <stdio.h>

void trouble_init(struct trouble_spot *spot)
{
    *spot = (struct trouble_spot){ 0 };
    pthread_mutex_init(&spot->lock, NULL);
}

void trouble_release(struct trouble_spot *spot)
{
    pthread_mutex_destroy(&spot->lock);
}

void trouble_note(struct trouble_spot *spot, const char *event, const struct error *err,
                  const char *sqlstate, size_t others)
{
    pthread_mutex_lock(&spot->lock);
    snprintf(spot->last.event, sizeof(spot->last.event), "%s", event);
    spot->last.error = *err;
    snprintf(spot->last.sqlstate, sizeof(spot->last.sqlstate), "%s",
             sqlstate != NULL ? sqlstate : "");
    spot->last.others = others;
    spot->last.at_us = clock_wall_us();
    spot->last.count++;
    spot->last.current = true;
    pthread_mutex_unlock(&spot->lock);
}

void trouble_end(struct trouble_spot *spot)
{
    pthread_mutex_lock(&spot->lock);
    spot->last.current = false;
    pthread_mutex_unlock(&spot->lock);
}

void trouble_read(struct trouble_spot *spot, struct trouble *out)
{
    pthread_mutex_lock(&spot->lock);
    *out = spot->last;
    pthread_mutex_unlock(&spot->lock);
}
