/*
 * What the service manager is told (systemd's Type=notify): READY=1 once every queue is consumed,
 * or another instance consumes it; WATCHDOG=1 only while all threads of the daemon make progress;
 * STATUS= what /readyz would say; STOPPING=1.
 *
 *     supervision_open(&supervision, silence_limit_ms)
 *     loop: wait for a signal, supervision_wait_ms() at most; supervision_look(&supervision,
 * bridge) supervision_stopping(&supervision); go on looking until all is finished
 *     supervision_close(&supervision)
 *
 * Without a manager that listens, none of this happens.
 */
#ifndef KOPRU_CMD_SUPERVISION_H
#define KOPRU_CMD_SUPERVISION_H

#include "base/notify.h"
#include "bridge/bridge.h"

enum {
    /* Servers that are away must not hold up the boot or make it run into TimeoutStartSec (90 s by
       default): a daemon that waits for them longer than this counts as started, and STATUS= says
       what it waits for. */
    SUPERVISION_PATIENCE_MS = 30000,
    SUPERVISION_STATUS_MAX_BYTES = 512,
};

struct supervision {
    struct notifier notifier;
    int64_t silence_limit_ms; /* as for /livez */
    int64_t patience_ends_ms; /* monotonic, like next_look_ms */
    int64_t next_look_ms;
    bool ready;
    char status[SUPERVISION_STATUS_MAX_BYTES]; /* the text that was sent last */
};

/* If the manager cannot be reached, logs why and goes on as if there were none. */
void supervision_open(struct supervision *supervision, int64_t silence_limit_ms);

/* Returns the milliseconds until the next look is due; -1: never. */
int supervision_wait_ms(const struct supervision *supervision);

/* Looks at the daemon and tells the manager, if it is time. */
void supervision_look(struct supervision *supervision, struct bridge *bridge);

void supervision_stopping(struct supervision *supervision);
void supervision_close(struct supervision *supervision);

/* Appends what a look tells, as lines. This is the part of supervision_look() that needs no
   bridge. */
void supervision_tell(struct supervision *supervision, const struct bridge_status *status,
                      int64_t now_ms, struct buffer *out);

#endif
