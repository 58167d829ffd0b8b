/*
 * How it goes, as plain values: taken at one moment, of no use to the bridge itself.
 *
 *     struct bridge_status status;
 *     if (bridge_status_take(bridge, &status) == 0) ...
 *     bridge_status_release(&status)
 *
 * The figures of a queue are read one after the other while its threads go on: each is right, two
 * may differ by what happened in between.
 */
#ifndef KOPRU_BRIDGE_STATUS_H
#define KOPRU_BRIDGE_STATUS_H

#include "bridge/bridge.h"
#include "bridge/tally.h"

struct queue_status {
    const char *queue; /* as long as the bridge lives */
    const char *entity;
    int64_t stage_since_us; /* wall clock, since 1970-01-01 UTC: when consuming began or ended, or
                               the daemon began */
    enum stream_stage stage;
    bool place_held;                     /* this instance may write for the queue */
    int64_t epoch;                       /* of the place held now or last; 0 when there was none */
    char holder[LEASE_HOLDER_MAX_BYTES]; /* the other instance that holds it; "" if none is known */

    int writers;
    int writers_busy;
    int writers_failing; /* for longer than a conflict takes */
    int window;          /* messages that the broker may deliver ahead */
    bool paused;         /* a writer waits for a person to act */

    uint64_t delivered;
    uint64_t committed; /* dead letters included */
    uint64_t dead_letters[REFUSAL_REASON_COUNT];
    uint64_t stale;
    uint64_t late;    /* redelivered outside the leading run */
    uint64_t misfits; /* values, of committed messages */
    uint64_t broken;  /* array elements, of committed messages */
    uint64_t roots_written;
    uint64_t transactions; /* committed */
    uint64_t unreplicated; /* of these, such as did not wait for the synchronous standby */
    uint64_t refusals;     /* transactions refused for a value in them */
    uint64_t retries;      /* transactions that failed for a reason outside their messages */
    uint64_t reconnects;   /* subscriptions after the first */
    uint64_t starved;      /* subscriptions that ended because messages were ready and none came */
    uint64_t interrupted;  /* calls to the broker that did not return */

    struct breaker_state breaker;
    struct parked_view parked; /* of all writers */
    uint64_t
        suspects_rejected; /* dead letters after repeated failures, with no rule for the error */

    uint64_t in_hand_messages;
    uint64_t in_hand_bytes;
    int64_t oldest_age_ms;   /* of the messages in hand; 0 when there is none */
    int64_t last_message_us; /* wall clock, since 1970-01-01 UTC; 0 for never */
    int64_t last_commit_us;  /* likewise */

    struct trouble broker;   /* why it is not being consumed */
    struct trouble database; /* why a writer could not commit */

    int64_t consumer_silent_ms; /* see pulse.h */
    int64_t writer_silent_ms;   /* of the most silent */
};

struct bridge_status {
    bool stopping;
    bool database_ok; /* the keeper reached it, and it is as the mappings need it, at its last look
                       */
    struct trouble database;
    uint64_t database_reconnects; /* of the keeper */
    int64_t keeper_silent_ms;
    struct queue_status *queues; /* in the order of bridge_start() */
    size_t queue_count;
};

/* Safe from any thread until bridge_free(). Returns 0, or -1 when there is no memory; release in
   both cases. */
int bridge_status_take(struct bridge *bridge, struct bridge_status *status);
void bridge_status_release(struct bridge_status *status);

/* One queue's part of it. */
void stream_status(struct stream *stream, struct queue_status *status);

#endif
