/*
 * The lease on a queue: the right of one instance to write for it, as its row in kopru.queues says.
 */
#ifndef KOPRU_MODEL_LEASE_H
#define KOPRU_MODEL_LEASE_H

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_HOLDER_MAX_BYTES = 128, LEASE_INSTANCE_MAX_BYTES = 192 };

/* A process that holds leases. */
struct lease_holder {
    char name[LEASE_HOLDER_MAX_BYTES];       /* for people: host and process id */
    char instance[LEASE_INSTANCE_MAX_BYTES]; /* no other process has the same */
};

/* What the holder says of its subscription, for whoever acquires the lease after it;
   bridge/lease/handover.h explains why. */
enum lease_state {
    LEASE_STATE_HELD,         /* the lease is held: nothing more that a successor could rely on */
    LEASE_STATE_CONSUMING,    /* the broker counts it as a consumer of the queue */
    LEASE_STATE_DISCONNECTED, /* its connection ended, and the broker may not have noticed */
};

enum { LEASE_STATE_COUNT = LEASE_STATE_DISCONNECTED + 1 };

struct lease {
    int64_t epoch; /* higher after each acquisition; each writing transaction checks it */
    struct lease_holder holder; /* who holds it, or held it before us; "" if nobody does */
    enum lease_state state;     /* of that holder */
    uint32_t returns;           /* as in struct freshness, by whoever held it last */
    int64_t version;    /* of the row: another one, and never 0, whenever the row is written */
    int sessions_ended; /* database sessions that were ended because they kept the lease from
                           being acquired */
};

enum {
    FRESHNESS_NEVER = -1,
    FRESHNESS_DOUBT_MAX_BYTES = 512,
};

/* How fresh a queue's data is: how long ago its last message came and its last commit was, or
   FRESHNESS_NEVER. Ages, because wall clocks are set, and differ between machines. And whether its
   entity file fits its messages, and how often unacknowledged ones came back. */
struct freshness {
    int64_t message_age_ms;
    int64_t commit_age_ms;
    uint32_t returns; /* the highest x-delivery-count of what may be unacknowledged; 0 for none */
    char mapping_doubt[FRESHNESS_DOUBT_MAX_BYTES]; /* why it may not; "" for no reason */
};

/* As kopru.queues.state has it: "consuming". */
const char *lease_state_name(enum lease_state state);

/* LEASE_STATE_HELD for a name that is not known: it promises least. */
enum lease_state lease_state_of(const char *name);

#endif
