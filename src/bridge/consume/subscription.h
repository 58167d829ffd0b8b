/*
 * One subscription (basic.consume), from its connection to its end: its state, how it begins, and
 * why it must end. What happens in between is in consumer.c and acceptance.c. Used by the
 * consumer thread alone.
 *
 * It ends in one of two ways. It fails, in any state, because a call to the broker fails or there
 * is a reason to leave: then the connection is closed without basic.cancel, the broker takes back
 * what is unacknowledged, and the next subscription begins with that. Or the daemon stops, and it
 * walks from CONSUMING to FINISHED.
 *
 * The states, and which event leads where, stand as a table on top of subscription.c:
 *
 *     CONNECTING   no connection yet; the broker holds nothing for it
 *     JOINING      connected; waits until the broker holds nothing for the previous consumer
 *                  (lease/handover.h), and until the row claims no subscription
 *     SUBSCRIBING  basic.consume is on its way: the broker may deliver from now on
 *     CONSUMING    the broker has confirmed it, and delivers
 *     STOPPING     the daemon stops: what is on its way is taken, and the row's claim retracted
 *     CANCELLED    basic.cancel was sent; what the broker delivered before still comes
 *     DRAINED      nothing more comes; what is unacknowledged is being committed
 *     FINISHED     nothing is left to do
 */
#ifndef KOPRU_BRIDGE_CONSUME_SUBSCRIPTION_H
#define KOPRU_BRIDGE_CONSUME_SUBSCRIPTION_H

#include "bridge/consume/history.h"
#include "bridge/consume/redelivered.h"
#include "bridge/consume/unacked.h"

struct consume_settings {
    int prefetch;            /* messages: the queue's setting, which a predecessor may have used */
    int prefetch_limit;      /* messages: as many of them as fit (prefetch.h); 0 for all */
    bool order_by_timestamp; /* every message counts as one that may be late (model/change.h) */
    size_t max_unacknowledged_bytes; /* the socket is not read beyond it */
};

enum subscription_state {
    SUBSCRIPTION_CONNECTING,
    SUBSCRIPTION_JOINING,
    SUBSCRIPTION_SUBSCRIBING,
    SUBSCRIPTION_CONSUMING,
    SUBSCRIPTION_STOPPING,
    SUBSCRIPTION_CANCELLED,
    SUBSCRIPTION_DRAINED,
    SUBSCRIPTION_FINISHED,
};

enum subscription_event {
    SUBSCRIPTION_ON_CONNECTED,
    SUBSCRIPTION_ON_ALONE,     /* the broker holds nothing for the previous consumer */
    SUBSCRIPTION_ON_CONFIRMED, /* basic.consume-ok */
    SUBSCRIPTION_ON_STOP,      /* the daemon stops */
    SUBSCRIPTION_ON_CANCEL,    /* basic.cancel is about to be sent */
    SUBSCRIPTION_ON_EXHAUSTED, /* the cancelled subscription delivers no more */
    SUBSCRIPTION_ON_ALL_ACKED, /* nothing is unacknowledged, and the broker knows */
    SUBSCRIPTION_ON_LEAVE,     /* nothing is unacknowledged, and nobody can be told: the database is
                               away */
};

enum {
    SUBSCRIPTION_STATE_COUNT = SUBSCRIPTION_FINISHED + 1,
    SUBSCRIPTION_EVENT_COUNT = SUBSCRIPTION_ON_LEAVE + 1,
};

/* Where an event leads; the same state where it means nothing. */
enum subscription_state subscription_state_after(enum subscription_state state,
                                                 enum subscription_event event);

struct subscription {
    struct queue *queue;
    struct writers *writers;
    const struct consume_settings *settings;
    struct consume_history *history; /* the consumer's */

    enum subscription_state state;
    void *broker;   /* the port's consumer; NULL while there is no connection */
    int64_t epoch;  /* of the lease under which it began */
    int prefetch;   /* messages, as asked for */
    bool takes_one; /* messages came back so often that only one at a time is put at risk */
    struct unacked unacked;
    struct redelivered redelivered;
    int64_t last_delivery_ms; /* monotonic, like those that follow: the last delivery, or the last
                                 moment at which we kept the broker from delivering. Silence is
                                 counted from here */
    int64_t last_ack_ms;
    int64_t stop_began_ms;
    bool useful; /* something was acknowledged: the next subscription need not wait long */
};

void subscription_init(struct subscription *subscription, struct queue *queue,
                       struct writers *writers, const struct consume_settings *settings,
                       struct consume_history *history);

/* Closes the connection, takes the messages from the writers, and frees them. The connection is
   closed first: the broker takes everything back while the writers finish the transaction that they
   are in, whose messages are redelivered even if it commits. */
void subscription_release(struct subscription *subscription);

void subscription_apply(struct subscription *subscription, enum subscription_event event);

/* Whether it has come that far. */
static inline bool subscription_has_reached(const struct subscription *subscription,
                                            enum subscription_state state)
{
    return subscription->state >= state;
}

/* Connects, waits if messages came back too often (returns.h), then until the broker holds nothing
   for the previous consumer, and subscribes. Call it while the lease is held. Returns 0, or -1 when
   a call to the broker failed or there is a reason to leave; it is FINISHED when the daemon stopped
   meanwhile. */
int subscription_begin(struct subscription *subscription, struct error *err);

/* How many bytes may be unacknowledged before the socket is read no further. */
size_t subscription_room(const struct subscription *subscription);

/* Why a subscription that still works must end, in words; NULL if it need not:
   - The lease was lost, or was acquired again since it began.
   - The lease was not renewed for LEASE_EXPIRES_MS and PREDECESSOR_HEARTBEATS heartbeats, less
     FENCE_MARGIN_MS: a successor may subscribe soon.
   - A writer could not go on (writers_have_failed()).
   - A message has been unacknowledged for UNACKNOWLEDGED_LIMIT_MS.
   - The daemon stops, and what is left cannot be committed: the breaker is open, or all of it is
     quarantined and had its last trial. */
const char *subscription_reason_to_leave(const struct subscription *subscription);

#endif
