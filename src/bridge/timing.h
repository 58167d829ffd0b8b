/* Every wait and time limit of the bridge that is not a setting, with its unit and its reason. */
#ifndef KOPRU_BRIDGE_TIMING_H
#define KOPRU_BRIDGE_TIMING_H

#include "base/backoff.h"

/* Outages end by themselves: try again soon, then seldom. */
static const struct backoff_policy RETRY_POLICY = { .base_ms = 100, .cap_ms = 5000 };

/* A person has to act first: asking every few seconds is enough. */
static const struct backoff_policy PAUSE_POLICY = { .base_ms = 1000, .cap_ms = 10000 };

/* The lease keeper, between two attempts to connect. The wait is shorter than LEASE_EXPIRES_MS:
   after an outage of the database, a holder is back before a standby, which looks at its row again,
   may take it for silent. */
static const struct backoff_policy LEASE_KEEPER_POLICY = { .base_ms = 1000, .cap_ms = 4000 };

enum {
    /* The longest time that a thread sleeps before it looks around. No event waits for that: each
       one wakes the thread. */
    IDLE_WAIT_MS = 500,

    /* Leases. */

    LEASE_RENEW_MS = 1000,
    /* An instance that has seen no renewal for this long may acquire the lease. A database session
       whose client stands still in a transaction for this long is ended. */
    LEASE_EXPIRES_MS = 6000,
    /* How long an acquisition waits for the transactions of the previous holder. Meanwhile no other
       lease is renewed. */
    LEASE_ACQUIRE_WAIT_MS = 1000,
    /* A holder that cannot renew its lease leaves the broker this long before a successor may
       subscribe: time to notice, and to close the connection as the protocol asks. */
    FENCE_MARGIN_MS = 3000,

    /* What the broker may still hold for the previous consumer (lease/handover.h). */

    PREDECESSOR_CHECK_MS = 500, /* between two looks at how many consumers the queue has */
    /* By then the broker has read the end of a connection that was closed on this machine. */
    PREDECESSOR_CLOSED_MS = 2000,
    /* After this many heartbeats without a sign of life the broker has closed a connection. */
    PREDECESSOR_HEARTBEATS = 3,

    /* The consumer. */

    /* After this long without a delivery the broker is asked whether it has more redelivered
       messages. It is also the time from an answer to the next question. */
    REDELIVERED_SILENCE_MS = 500,
    /* A broker that has answered this often in a row, and delivered nothing meanwhile, does not
       deliver what it says is ready. */
    REDELIVERED_ANSWERS = 20,
    /* One part in four of max_unacknowledged_bytes is for redelivered messages alone. */
    REDELIVERED_RESERVE = 4,
    /* When the daemon stops: after this long without a delivery none is on its way, and it does not
       wait for that any longer than the limit. */
    UNDER_WAY_MS = 200,
    UNDER_WAY_LIMIT_MS = 2000,
    /* Half of RabbitMQ's consumer_timeout: messages are given back before the broker takes them. */
    UNACKNOWLEDGED_LIMIT_MS = 15 * 60000,
    /* After this many heartbeats without a delivery, and with nothing unacknowledged, the broker is
       asked how many messages are ready. The time doubles with each subscription that was renewed
       in vain, this often at most. */
    STALLED_HEARTBEATS = 3,
    STALLED_DOUBLINGS = 5,
    /* A connection that is lost after there was no room in max_unacknowledged_bytes for this long
       was closed by the broker because nobody read it. */
    PREFETCH_FULL_MS = 5000,
    /* After this long with room in max_unacknowledged_bytes the prefetch may grow again. */
    PREFETCH_GROW_MS = 10 * 60000,
    /* The longest wait before a subscription whose messages came back too often. */
    RETURNS_WAIT_MAX_MS = 60000,
    RETURNS_NOTED_MS = 20,     /* between two looks whether the row says how often they came back */
    FUTURE_TIMESTAMP_S = 3600, /* a timestamp further in the future counts as absent */

    /* The writers. */

    /* A writer that fails for longer is reported as failing: by then a deadlock or a restart is
       over. */
    CONFLICT_TAKES_MS = 2000,
    /* Between two trials of a quarantined entity: the bounds, and the first wait, which is shorter
       where the settings make the longest one shorter. */
    QUARANTINE_INTERVAL_MIN_MS = 10,
    QUARANTINE_INTERVAL_FIRST_MS = 1000,
    QUARANTINE_INTERVAL_MAX_MS = 10000,
    DEAD_LETTER_LOG_PERIOD_MS = 10000, /* in which a writer names only some dead letters */

    /* The watchdog. */

    STUCK_CHECK_MS = 1000, /* between two looks */
    /* A call to the broker that takes this many heartbeats longer than it may is cut. */
    STUCK_HEARTBEATS = 3,
};

#endif
