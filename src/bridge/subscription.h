/*
 * One subscription, from a connection to its end: its state, how it begins, and why it must end.
 * What happens in between is in consumer.c. Used by the consumer thread alone.
 */
#ifndef KOPRU_BRIDGE_SUBSCRIPTION_H
#define KOPRU_BRIDGE_SUBSCRIPTION_H

#include "bridge/in_hand.h"
#include "bridge/run.h"

struct subscription {
    struct stream *stream;
    void *broker; /* the port's consumer */
    void *mapper;
    struct in_hand in_hand;
    int64_t epoch; /* of the place under which it began */
    struct leading_run run;
    bool expects_first; /* the queue held messages when it began, and none has come yet: silence
                           means nothing */
    int64_t last_delivery_ms; /* monotonic, like those that follow; also when a silence was ours */
    int64_t last_ack_ms;
    int64_t stop_began_ms; /* 0: not yet */
    int prefetch;          /* messages; as it was asked for */
    bool useful;           /* something was acknowledged */
    bool begun;            /* the broker may have delivered something */
    bool cancelled;
    bool drained; /* cancelled, and nothing more comes */
};

static inline const char *subscription_queue(const struct subscription *subscription)
{
    return subscription->stream->settings.queue;
}

/* Connects, waits until the broker holds nothing for whoever consumed before, and subscribes. Needs
   stream, mapper and an initialized in_hand; all else is zero. Returns 0, also when the daemon
   stops meanwhile (it is then drained and took nothing), or -1. In both cases the caller closes the
   broker, unless it is NULL, and releases in_hand. */
int subscription_begin(struct subscription *subscription, struct error *err);

/* Why a subscription that still works must end; NULL if it need not. */
const char *subscription_reason_to_leave(const struct subscription *subscription);

#endif
