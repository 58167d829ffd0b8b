/* Every wait and time limit of the bridge that is not a setting, with its unit and its reason. */
#ifndef KOPRU_BRIDGE_TIMING_H
#define KOPRU_BRIDGE_TIMING_H

#include "base/backoff.h"

/* Outages end by themselves: try again soon, then seldom. */
static const struct backoff_policy RETRY_POLICY = { .base_ms = 100, .cap_ms = 5000 };

/* A person has to act first: asking every few seconds is enough. */
static const struct backoff_policy PAUSE_POLICY = { .base_ms = 1000, .cap_ms = 10000 };

enum {
    IDLE_WAIT_MS =
        500, /* the longest a thread sleeps before it looks around; nothing waits for it */

    /* Leases. */
    LEASE_RENEW_MS = 1000,
    LEASE_EXPIRES_MS = 6000,      /* a holder that was silent for longer may be replaced; a database
                                     session of one that stands still for longer is ended */
    LEASE_ACQUIRE_WAIT_MS = 1000, /* for the transactions of the holder before: other queues are to
                                     be kept meanwhile */
    FENCE_MARGIN_MS = 3000, /* a holder leaves the broker so long before a successor subscribes:
                                     time for a look around and a polite close */

    /* What the broker may still hold for the consumer before. */
    PREDECESSOR_CHECK_MS = 500,   /* between two looks at who else consumes */
    PREDECESSOR_CLOSED_MS = 2000, /* by then the broker has read the end of a connection that was
                                     closed on this machine */
    PREDECESSOR_HEARTBEATS = 3,   /* after as many the broker has dropped a silent consumer */

    /* The consumer. */
    REDELIVERED_SILENCE_MS = 500, /* ends the redelivered messages of a subscription */
    REDELIVERED_RESERVE = 4,      /* one part in four of max_unacknowledged_bytes is for them
                                            alone */
    UNDER_WAY_MS = 200,           /* after as long without a delivery none is under way */
    UNDER_WAY_LIMIT_MS = 2000,    /* a daemon that stops waits no longer for that */
    UNACKNOWLEDGED_LIMIT_MS = 15 * 60000, /* half of RabbitMQ's consumer timeout: give messages back
                                             before the broker takes them back */
    STALLED_HEARTBEATS = 3,               /* after as long without a delivery and with nothing
                                            unacknowledged the broker is asked what is ready */
    STALLED_DOUBLINGS = 5,         /* of that time, one for each subscription that was renewed in
                                            vain */
    PREFETCH_FULL_MS = 5000,       /* a connection that is lost after max_unacknowledged_bytes was
                                            reached for this long was cut because nobody read it */
    PREFETCH_GROW_MS = 10 * 60000, /* after as long below max_unacknowledged_bytes the prefetch may
                                            grow again */
    FUTURE_TIMESTAMP_S = 3600,     /* a timestamp further in the future counts as absent */

    /* The writers. */
    CONFLICT_TAKES_MS =
        2000, /* a writer that fails for longer is reported as failing: a deadlock or
                                 a restart is over by then */
    QUARANTINE_INTERVAL_MIN_MS = 10,
    QUARANTINE_INTERVAL_FIRST_MS = 1000, /* or the maximum below, if a setting makes that shorter */
    QUARANTINE_INTERVAL_MAX_MS = 10000,  /* between two trials of a quarantined entity */
    DEAD_LETTER_LOG_PERIOD_MS = 10000,

    /* The watchdog. */
    STUCK_CHECK_MS = 1000, /* between two looks */
    STUCK_HEARTBEATS = 3,  /* a call to the broker that takes so much longer than it may is cut */
};

#endif
