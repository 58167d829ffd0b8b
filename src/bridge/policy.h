/* Every waiting time of the bridge that is not a setting, and the limits that go with them: unit
   and reason of each. */
#ifndef KOPRU_BRIDGE_POLICY_H
#define KOPRU_BRIDGE_POLICY_H

#include "base/backoff.h"

/* Outages end by themselves: try soon, then seldom. */
static const struct backoff_policy RETRY_POLICY = { .base_ms = 100, .cap_ms = 5000 };

/* A person has to act first: asking every few seconds is enough. */
static const struct backoff_policy PAUSE_POLICY = { .base_ms = 1000, .cap_ms = 10000 };

enum {
    LEADING_RUN_SILENCE_MS = 500, /* ends the run of redelivered messages */
    LEADING_RUN_RESERVE = 4,  /* one part in so many of max_unacknowledged_bytes is for it alone */
    CONFLICT_TAKES_MS = 2000, /* a writer that fails for longer is reported as failing: a deadlock
                                 or a restart is over by then */
    SUSPECT_TRIES = 3, /* of a whole batch with an error that nobody knows, before it is divided: it
                          may be an outage */
    PARK_INTERVAL_MIN_MS = 10,
    PARK_INTERVAL_MAX_MS = 10000, /* between two attempts to write an entity that was set aside */
    IDLE_WAIT_MS =
        500, /* how long a thread sleeps at most before it looks around; nothing waits for it */
    LEASE_RENEW_MS = 1000,
    LEASE_EXPIRES_MS = 6000, /* a holder that was silent for so long may be replaced */
    ALONE_CHECK_MS = 500,    /* between two looks at who else consumes */
    ALONE_CLOSED_MS = 2000,  /* the broker has read the end of a connection that was closed here */
    ALONE_HEARTBEATS = 3,    /* after so many the broker has dropped a silent consumer */
    FENCE_MARGIN_MS =
        3000, /* to leave the broker before a successor begins: a look around and a polite close */
    UNDER_WAY_MS = 200,         /* without a delivery, after which none is under way */
    UNDER_WAY_LIMIT_MS = 2000,  /* a daemon that stops waits no longer for that */
    HOLD_LIMIT_MS = 15 * 60000, /* half of RabbitMQ's consumer timeout: give unacknowledged messages
                                   back before it does */
    DEAD_LETTER_LOG_WINDOW_MS = 10000,
    DEAD_LETTER_LOG_LINES = 50, /* of each writer in a window; the table has them all */
    STUCK_CHECK_MS = 1000,      /* between two looks of the watchdog */
    STUCK_HEARTBEATS =
        3, /* a call to the broker that takes so much longer than it may is interrupted */
    STARVED_HEARTBEATS = 3, /* with nothing in hand and nothing delivered for so long, the broker is
                               asked what is ready */
    WINDOW_FULL_MS = 5000,  /* a connection lost when the hand was full for so long was cut because
                               nobody read it */
    WINDOW_GROW_MS =
        10 * 60000, /* without a full hand, after which more messages may be delivered ahead */
    FUTURE_TIMESTAMP_S = 3600, /* a timestamp further ahead counts as absent */
};

#endif
