/*
 * What the threads of one queue count and mark for people who look from outside. Nothing here
 * steers the bridge. The threads write with single atomic operations, a few for each batch or turn
 * of a loop; only an error takes a lock.
 */
#ifndef KOPRU_BRIDGE_OBSERVE_COUNTERS_H
#define KOPRU_BRIDGE_OBSERVE_COUNTERS_H

#include "bridge/observe/liveness.h"
#include "bridge/observe/mapping_doubt.h"
#include "bridge/observe/status.h"
#include "model/message.h"

struct counters {
    /* By the consumer thread. */
    atomic_int stage; /* enum consumer_stage */
    atomic_llong
        stage_since_us; /* wall clock, since 1970-01-01 UTC: when consuming began or ended */
    atomic_llong last_message_us; /* the same clock; 0 for never */
    atomic_llong last_message_ms; /* the same moment by the monotonic clock */
    atomic_ullong delivered;
    atomic_ullong near_limit; /* they came back so often that the broker may soon drop them */
    atomic_ullong late;       /* they may be late (bridge/consume/lateness.h) */
    atomic_ullong timestamps_out_of_range;
    atomic_ullong timestamps_missing; /* of messages that may be late */
    atomic_ullong subscriptions;      /* established */
    atomic_ullong stalled; /* subscriptions that ended because messages were ready and none came */
    atomic_int prefetch;   /* messages, as last asked for */
    atomic_uint other_consumers; /* of the queue, while it is consumed */
    atomic_ullong unacknowledged_messages;
    atomic_ullong unacknowledged_bytes;
    atomic_llong oldest_ms; /* monotonic: when the oldest of them arrived; 0 when there is none */
    struct liveness consumer;
    struct last_error_slot broker_error; /* why the queue is not being consumed */
    struct mapping_doubt mapping;

    /* By the writers. */
    atomic_llong last_commit_us; /* wall clock, since 1970-01-01 UTC; 0 for never */
    atomic_llong last_commit_ms; /* the same moment by the monotonic clock */
    atomic_ullong committed;     /* messages, dead letters included */
    atomic_ullong dead_letters[REFUSAL_REASON_COUNT];
    atomic_ullong stale;
    atomic_ullong misfits; /* values that did not fit their column, of committed messages */
    atomic_ullong broken;  /* array elements that became no row, of committed messages */
    atomic_ullong roots_written;
    atomic_ullong transactions; /* committed */
    atomic_ullong
        unreplicated;       /* of these, the ones that did not wait for the synchronous standby */
    atomic_ullong refusals; /* transactions that the database refused for a value in them */
    atomic_ullong retries;  /* transactions that failed for a reason outside their messages */
    atomic_ullong quarantine_rejected; /* dead letters after repeated failures, with no rule for the
                                          error */
    struct last_error_slot database_error; /* why a writer could not commit */
};

/* What one writer marks. A zeroed one is at rest. */
struct writer_marks {
    struct liveness liveness;      /* rests while there is no batch */
    atomic_llong failing_since_ms; /* monotonic; 0 while its attempts succeed */
    atomic_bool paused;            /* a person has to act first */
    atomic_bool barred;            /* an entity failed alone, and nothing was committed since */
};

/* The name that the log has for a transaction that failed, or NULL for an outcome that is no
   failure. */
const char *counters_failure(enum write_outcome outcome, const struct write_report *report);

void counters_init(struct counters *counters);
void counters_release(struct counters *counters);

/* By the consumer thread. */
void counters_stage(struct counters *counters, enum consumer_stage stage);
void counters_subscribed(struct counters *counters, int prefetch);
void counters_delivery(struct counters *counters);
void counters_other_consumers(struct counters *counters, uint32_t others);

/* Each turn of its loop. oldest_ms: monotonic, when the oldest unacknowledged message arrived; 0
   when there is none. */
void counters_unacknowledged(struct counters *counters, size_t messages, size_t bytes,
                             int64_t oldest_ms);

/* By a writer, when it has nothing to do, and after each attempt to write, whatever came of it. */
void counters_idle(struct writer_marks *marks);
void counters_outcome(struct counters *counters, struct writer_marks *marks,
                      enum write_outcome outcome, const struct write_report *report);

/* By a writer: whether an entity failed alone, and nothing was committed since. */
void counters_barred(struct writer_marks *marks, bool barred);

/* By a writer that waits for a person after a failure, whatever the outcome was. */
void counters_pause(struct counters *counters, const struct write_report *report);

/* By a writer, when a transaction that was no probe is committed and its messages still belong to
   the writer. */
void counters_commit(struct counters *counters, const struct write_request *request,
                     const struct write_report *report);

struct freshness counters_freshness(struct counters *counters);

/* Fills in all that is counted here. */
void counters_status(struct counters *counters, struct queue_status *status);

/* Adds one writer to the figures of its queue. */
void counters_writer_status(const struct writer_marks *marks, struct queue_status *status);

#endif
