#include "cmd/supervision.h"

#include "base/clock.h"
#include "base/log.h"
#include "cmd/health.h"

#include <stdio.h>
#include <string.h>

/*
 * WATCHDOG=1 comes from the main thread and depends on the signs of life of all the others. A
 * thread that only sent it would keep a daemon alive whose other threads hang. STATUS= uses the
 * functions of the probes, so that systemctl and /readyz never contradict each other, and is sent
 * only when it changes.
 */

enum {
    LOOK_MS = 500, /* also how late READY=1 may be */
    LOOKS_PER_WATCHDOG = 3,
    TEXT_MAX_BYTES = 64 * 1024,
};

void supervision_open(struct supervision *supervision, int64_t silence_limit_ms)
{
    struct error err;
    int64_t now_ms = clock_monotonic_ms();

    *supervision = (struct supervision){ .silence_limit_ms = silence_limit_ms,
                                         .patience_ends_ms = now_ms + SUPERVISION_PATIENCE_MS,
                                         .next_look_ms = now_ms };
    if (notify_open(&supervision->notifier, &err) != 0)
        log_error(LOG_WARNING, "configuration", &err, (const struct log_field[]){ { 0 } });
}

int supervision_wait_ms(const struct supervision *supervision)
{
    return notify_is_open(&supervision->notifier) ? clock_left_ms(supervision->next_look_ms) : -1;
}

/* Returns the first part that is not well, without its mark, or "ok" if there is none. */
static void summarize(const char *health, char *out, size_t size)
{
    const char *line = strncmp(health, "[-]", 3) == 0 ? health : strstr(health, "\n[-]");

    if (line == NULL) {
        snprintf(out, size, "ok");
        return;
    }
    line = strstr(line, "[-]") + 3;
    snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
}

void supervision_tell(struct supervision *supervision, const struct bridge_status *status,
                      int64_t now_ms, struct buffer *out)
{
    char summary[SUPERVISION_STATUS_MAX_BYTES];
    struct buffer health;
    bool lives;
    bool works;

    buffer_init(&health, TEXT_MAX_BYTES);
    lives = health_livez(status, supervision->silence_limit_ms, false, &health);
    buffer_clear(&health);
    works = health_readyz(status, false, &health);
    summarize(buffer_failed(&health) ? "[-]memory exhausted" : health.data, summary,
              sizeof(summary));
    buffer_release(&health);

    if (lives)
        buffer_append_text(out, "WATCHDOG=1\n");
    if (!supervision->ready && !status->stopping &&
        (works || now_ms >= supervision->patience_ends_ms)) {
        supervision->ready = true;
        buffer_append_text(out, "READY=1\n");
    }
    if (strcmp(summary, supervision->status) != 0) {
        memcpy(supervision->status, summary, sizeof(summary));
        buffer_append_format(out, "STATUS=%s\n", summary);
    }
}

void supervision_look(struct supervision *supervision, struct bridge *bridge)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t watchdog_ms = supervision->notifier.watchdog_ms;
    struct bridge_status status;
    struct buffer text;

    if (!notify_is_open(&supervision->notifier) || now_ms < supervision->next_look_ms)
        return;
    supervision->next_look_ms = now_ms + LOOK_MS;
    if (watchdog_ms > 0 && watchdog_ms / LOOKS_PER_WATCHDOG < LOOK_MS)
        supervision->next_look_ms = now_ms + watchdog_ms / LOOKS_PER_WATCHDOG + 1;
    buffer_init(&text, TEXT_MAX_BYTES);
    if (bridge_status_take(bridge, &status) == 0)
        supervision_tell(supervision, &status, now_ms, &text);
    if (text.len > 0 && !buffer_failed(&text))
        notify_send(&supervision->notifier, text.data);
    buffer_release(&text);
    bridge_status_release(&status);
}

void supervision_stopping(struct supervision *supervision)
{
    notify_send(&supervision->notifier, "STOPPING=1\n");
}

void supervision_close(struct supervision *supervision)
{
    notify_close(&supervision->notifier);
}
