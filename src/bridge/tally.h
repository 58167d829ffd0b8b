/*
 * What the threads of one queue count and mark for those who look from outside. Nothing here steers
 * the bridge. The threads write with single atomic operations, a few a batch or a turn of a loop;
 * only trouble takes a lock.
 */
#ifndef KOPRU_BRIDGE_TALLY_H
#define KOPRU_BRIDGE_TALLY_H

#include "bridge/in_hand.h"
#include "bridge/pulse.h"
#include "bridge/trouble.h"

/* Where the consumer thread is. */
enum stream_stage {
    STAGE_WAITING,    /* for the right to write, and for the database */
    STAGE_CONNECTING, /* to the broker, or about to */
    STAGE_ALONE,      /* connected; waits until the broker has dropped the instance before */
    STAGE_CONSUMING,
    STAGE_STOPPED,
};

struct tally {
    atomic_int stage; /* enum stream_stage */
    atomic_llong
        stage_since_us; /* wall clock, since 1970-01-01 UTC: when consuming began or ended */
    atomic_ullong subscriptions; /* begun */
    atomic_ullong starved; /* subscriptions that ended because messages were ready and none came */
    atomic_int
        window; /* messages that the broker may deliver ahead; 0 before the first subscription */
    atomic_ullong in_hand_messages; /* delivered, not yet acknowledged */
    atomic_ullong in_hand_bytes;
    atomic_llong oldest_ms; /* monotonic: when the oldest in hand arrived; 0 when there is none */
    atomic_ullong dead_letters[REFUSAL_REASON_COUNT];
    atomic_ullong misfits; /* values that did not fit their column, of committed messages */
    atomic_ullong broken;  /* array elements that became no row, likewise */
    atomic_ullong roots_written;
    atomic_ullong transactions; /* committed */
    atomic_ullong unreplicated; /* of these, such as did not wait for the synchronous standby */
    atomic_ullong refusals;     /* transactions that the database refused for a value in them */
    atomic_ullong retries;      /* transactions that failed for a reason outside their messages */
    atomic_ullong
        suspects_rejected; /* dead letters after repeated failures, with no rule for the error */
    struct pulse consumer;
    struct trouble_spot broker;   /* why the queue is not being consumed */
    struct trouble_spot database; /* why a writer could not commit */
};

/* Of one writer. A zeroed one is at rest. */
struct writer_mark {
    struct pulse pulse;            /* rests while it has no batch */
    atomic_llong failing_since_ms; /* monotonic; 0 while its attempts succeed */
    atomic_bool paused;            /* a person has to act first */
};

void tally_init(struct tally *tally);
void tally_release(struct tally *tally);

/* By the consumer thread. */
void tally_stage(struct tally *tally, enum stream_stage stage);
void tally_in_hand(struct tally *tally, const struct in_hand *in_hand);

/* By a writer, when it has nothing to do, and after each attempt to write, whatever came of it. */
void tally_idle(struct writer_mark *mark);
void tally_outcome(struct tally *tally, struct writer_mark *mark, enum write_outcome outcome,
                   const struct write_report *report);

/* By a writer, when a transaction that was no probe is committed, while its messages are still the
   writer's. */
void tally_commit(struct tally *tally, const struct write_request *request,
                  const struct write_report *report);

#endif
