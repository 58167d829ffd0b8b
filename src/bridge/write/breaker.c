#include "bridge/write/breaker.h"

#include "base/clock.h"
#include "base/condition.h"
#include "bridge/timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The breaker counts the refusals among the last messages and not those of the last minutes: three
 * bad messages at night are no flood, and a share means the same at every rate. The lock is taken
 * once for each transaction, however many messages it has, and every transaction asks `open`, which
 * is therefore an atomic. Only one writer at a time tries a message, so that a database in trouble
 * is not asked by all of them. Every wait is short, so that a waiting writer shows that it lives
 * and notices the end of its subscription.
 */

int breaker_init(struct breaker *breaker, const struct breaker_settings *settings)
{
    *breaker = (struct breaker){ .settings = *settings };
    breaker->status.window = settings->window;
    breaker->status.probe_ms = settings->probe_ms;
    pthread_mutex_init(&breaker->lock, NULL);
    condition_init(&breaker->changed);
    if (settings->window == 0)
        return 0;
    breaker->refusals = calloc(settings->window, sizeof(*breaker->refusals));
    return breaker->refusals != NULL ? 0 : -1;
}

void breaker_release(struct breaker *breaker)
{
    free(breaker->refusals);
    pthread_cond_destroy(&breaker->changed);
    pthread_mutex_destroy(&breaker->lock);
}

/* Needs the lock. While the breaker is open the window does not move, because messages that are on
   their way must not push out what opened it. */
static void note(struct breaker *breaker, bool refused)
{
    if (breaker->settings.window == 0 || breaker->status.open)
        return;
    if (breaker->filled == breaker->settings.window)
        breaker->status.refused -= breaker->refusals[breaker->next];
    else
        breaker->filled++;
    breaker->refusals[breaker->next] = refused;
    breaker->status.refused += refused;
    breaker->next = (breaker->next + 1) % breaker->settings.window;
}

void breaker_note_commits(struct breaker *breaker, size_t messages)
{
    pthread_mutex_lock(&breaker->lock);
    for (size_t i = 0; i < messages; i++)
        note(breaker, false);
    pthread_mutex_unlock(&breaker->lock);
}

static bool is_flood(const struct breaker *breaker)
{
    uint64_t window = breaker->settings.window;

    return window > 0 && breaker->filled == window &&
           breaker->status.refused * (uint64_t)BREAKER_WHOLE_PPM >
               window * (uint64_t)breaker->settings.share_ppm;
}

bool breaker_note_refusal(struct breaker *breaker, const struct write_report *report)
{
    struct breaker_status *status = &breaker->status;
    bool opened;

    pthread_mutex_lock(&breaker->lock);
    note(breaker, true);
    opened = !status->open && is_flood(breaker);
    if (!status->open) {
        snprintf(status->sqlstate, sizeof(status->sqlstate), "%s", report->sqlstate);
        snprintf(status->table, sizeof(status->table), "%s", report->table);
        snprintf(status->constraint, sizeof(status->constraint), "%s", report->constraint);
    }
    if (opened) {
        status->open = true;
        status->openings++;
        breaker->next_probe_ms = clock_monotonic_ms() + breaker->settings.probe_ms;
        atomic_store(&breaker->open, true);
    }
    pthread_mutex_unlock(&breaker->lock);
    return opened;
}

void breaker_status(struct breaker *breaker, struct breaker_status *status)
{
    pthread_mutex_lock(&breaker->lock);
    *status = breaker->status;
    pthread_mutex_unlock(&breaker->lock);
}

void breaker_enter(struct breaker *breaker, bool has_refused)
{
    pthread_mutex_lock(&breaker->lock);
    breaker->refused_waiting += has_refused;
    pthread_mutex_unlock(&breaker->lock);
}

void breaker_leave(struct breaker *breaker, bool has_refused)
{
    pthread_mutex_lock(&breaker->lock);
    breaker->refused_waiting -= has_refused;
    pthread_cond_broadcast(&breaker->changed);
    pthread_mutex_unlock(&breaker->lock);
}

enum breaker_turn breaker_turn(struct breaker *breaker, bool has_refused)
{
    enum breaker_turn turn = BREAKER_WAIT;
    bool mine;

    pthread_mutex_lock(&breaker->lock);
    mine = !breaker->probing && (has_refused || breaker->refused_waiting == 0);
    if (breaker->status.open && !(mine && clock_monotonic_ms() >= breaker->next_probe_ms)) {
        int64_t until_ms = clock_monotonic_ms() + IDLE_WAIT_MS;

        if (mine && breaker->next_probe_ms < until_ms)
            until_ms = breaker->next_probe_ms;
        condition_wait_until(&breaker->changed, &breaker->lock, until_ms);
    } else if (breaker->status.open) {
        breaker->probing = true;
        turn = BREAKER_PROBE;
    }
    if (!breaker->status.open)
        turn = BREAKER_CLOSED;
    pthread_mutex_unlock(&breaker->lock);
    return turn;
}

void breaker_probed(struct breaker *breaker, bool taken)
{
    pthread_mutex_lock(&breaker->lock);
    breaker->probing = false;
    breaker->next_probe_ms = clock_monotonic_ms() + breaker->settings.probe_ms;
    if (taken) {
        breaker->status.open = false;
        breaker->status.refused = 0;
        breaker->filled = 0;
        breaker->next = 0;
        atomic_store(&breaker->open, false);
    }
    pthread_cond_broadcast(&breaker->changed);
    pthread_mutex_unlock(&breaker->lock);
}

void breaker_wake(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->lock);
    pthread_cond_broadcast(&breaker->changed);
    pthread_mutex_unlock(&breaker->lock);
}
