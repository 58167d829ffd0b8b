/*
 * The state of the bridge as plain values, taken at one moment. The bridge itself uses none of it.
 *
 *     struct bridge_status status;
 *     if (bridge_status_take(bridge, &status) == 0) ...      // bridge/bridge.h
 *     bridge_status_release(&status)
 *
 * The figures of a queue are read one after the other while its threads go on: each one is right,
 * but two of them may differ by what happened in between. Each owner fills in its part: the lease,
 * the counters, the writers, the watchdog.
 */
#ifndef KOPRU_BRIDGE_OBSERVE_STATUS_H
#define KOPRU_BRIDGE_OBSERVE_STATUS_H

#include "bridge/observe/last_error.h"
#include "bridge/observe/mapping_doubt.h"
#include "model/lease.h"
#include "model/refusal.h"

/* Where the consumer thread is. */
enum consumer_stage {
    STAGE_WAITING,     /* for the lease, and for the database */
    STAGE_CONNECTING,  /* to the broker, or about to */
    STAGE_RETURNS,     /* connected; waits because its messages came back too often */
    STAGE_PREDECESSOR, /* connected; waits until the broker has dropped the consumer before */
    STAGE_CONSUMING,
    STAGE_STOPPED,
};

/* The flood breaker of a queue (bridge/write/breaker.h). */
struct breaker_status {
    bool open;
    size_t refused; /* messages of the window; when it is open, at the moment it opened */
    size_t window;  /* messages */
    int probe_ms;
    uint64_t openings; /* so far */
    char sqlstate[6];  /* of the last refusal, as in struct write_report */
    char table[64];
    char constraint[64];
};

enum { QUARANTINE_SHOWN = 5, QUARANTINE_ID_SHOWN_BYTES = 64 };

/* One of the quarantined entities. */
struct quarantine_shown {
    char id[QUARANTINE_ID_SHOWN_BYTES + 1]; /* its beginning, if it is longer */
    char sqlstate[6];
    unsigned attempts;
    char table[64]; /* "" where the failure named none */
};

/* The quarantined entities of a queue (bridge/write/quarantine.h). */
struct quarantine_status {
    size_t entities;
    size_t messages;
    size_t shown_count;
    struct quarantine_shown shown[QUARANTINE_SHOWN];
};

struct queue_status {
    const char *queue; /* as long as the bridge lives */
    const char *entity;
    int64_t stage_since_us; /* wall clock, since 1970-01-01 UTC: when consuming last began or ended,
                               or the daemon began */
    enum consumer_stage stage;
    bool lease_held;
    bool paused;                         /* it waits until a person acts in the database */
    char holder[LEASE_HOLDER_MAX_BYTES]; /* the other instance that holds it; "" if none is known */
    int64_t epoch;                       /* of the lease held now or last; 0 when there was none */

    int writers;
    int writers_busy;
    int writers_failing; /* for longer than a conflict takes */
    int prefetch;        /* messages, as last asked for; 0 before the first subscription */
    int other_consumers; /* of the queue, as the broker last said; 0 while it is not consumed */

    uint64_t delivered;
    uint64_t committed; /* dead letters included */
    uint64_t dead_letters[REFUSAL_REASON_COUNT];
    uint64_t stale;
    uint64_t near_limit; /* messages that came back so often that the broker may soon drop them */
    uint32_t returns;    /* how often messages came back, the highest of the unacknowledged ones */
    uint64_t late;       /* messages that may have come behind newer ones */
    uint64_t timestamps_out_of_range; /* AMQP timestamps that count as absent */
    uint64_t timestamps_missing;      /* messages without one where it would be compared */
    uint64_t misfits;                 /* values, of committed messages */
    uint64_t broken;                  /* array elements, of committed messages */
    uint64_t roots_written;
    uint64_t transactions; /* committed */
    uint64_t unreplicated; /* of these, the ones that did not wait for the synchronous standby */
    uint64_t refusals;     /* transactions refused for a value in them */
    uint64_t retries;      /* transactions that failed for a reason outside their messages */
    uint64_t reconnects;   /* subscriptions after the first */
    uint64_t stalled;      /* subscriptions that ended because messages were ready and none came */
    uint64_t interrupted;  /* calls to the broker that did not return */

    struct breaker_status breaker;
    struct quarantine_status quarantine; /* of all writers */
    uint64_t quarantine_rejected; /* dead letters after repeated failures with an error that has no
                                     rule */

    uint64_t unacknowledged_messages;
    uint64_t unacknowledged_bytes;
    int64_t oldest_age_ms;   /* of the unacknowledged messages; 0 when there is none */
    int64_t last_message_us; /* wall clock, since 1970-01-01 UTC; 0 for never */
    int64_t last_commit_us;  /* the same */

    struct mapping_figures mapping;
    struct last_error tables_error;   /* why the queue's tables cannot be written */
    struct last_error broker_error;   /* why the queue is not being consumed */
    struct last_error database_error; /* why a writer could not commit */

    int64_t consumer_silent_ms; /* see liveness.h */
    int64_t writer_silent_ms;   /* of the most silent writer */
};

struct bridge_status {
    bool stopping;
    bool database_ok; /* at its last look the lease keeper reached it, and what all queues share was
                         there */
    struct last_error database_error;
    uint64_t database_reconnects; /* of the lease keeper */
    int64_t keeper_silent_ms;
    struct queue_status *queues; /* in the order of bridge_start() */
    size_t queue_count;
};

void bridge_status_release(struct bridge_status *status);

#endif
