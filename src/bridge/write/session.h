/*
 * What one writer writes with: its store (a connection to the database), its quarantine, its marks,
 * and what it shares with the other writers of the queue. The rooms below the writer's thread
 * (commit, breaker_gate, trial, isolate) know a writer only as this.
 */
#ifndef KOPRU_BRIDGE_WRITE_SESSION_H
#define KOPRU_BRIDGE_WRITE_SESSION_H

#include "base/backoff.h"
#include "bridge/queue.h"
#include "bridge/write/breaker.h"
#include "bridge/write/quarantine.h"

struct write_settings {
    int writers;
    size_t max_batch_messages;
    size_t max_batch_bytes;       /* of messages as they count against max_unacknowledged_bytes */
    unsigned quarantine_attempts; /* failures of one message after which it may be at fault */
    int quarantine_span_ms;       /* over this time at least */
    struct breaker_settings breaker;
};

/* Of all writers of a queue. */
struct write_shared {
    struct queue *queue;
    struct write_settings settings;
    struct breaker breaker;
    atomic_llong epoch;    /* of the lease under which the present subscription began */
    atomic_bool failed;    /* a writer dropped a batch, because the lease is lost or there was no
                           memory: nothing newer of its ids may be committed before it comes back,
                           so the writers drop whatever comes and the subscription has to end */
    atomic_bool abandoned; /* the subscription is gone: what is not committed yet comes back */
    atomic_size_t quarantined; /* entities, of all writers */
};

/* Of one writer. */
struct write_session {
    struct write_shared *shared;
    unsigned number;
    pthread_mutex_t lock; /* also guards the writer's queue; changed tells of both */
    pthread_cond_t changed;
    void *store; /* of the store port */
    struct quarantine quarantine;
    struct writer_marks marks;
    /* The waits while nothing is committed: they grow over whatever is tried meanwhile. */
    struct backoff retry;
    struct backoff pause;
    bool complained;       /* a wait was logged, and nothing was committed since */
    int64_t log_period_ms; /* monotonic: when the present period of dead-letter lines began */
    unsigned dead_letters_logged; /* in that period, those that were only counted included */
};

/* Returns 0, or -1 when there is no memory. Release in both cases. */
int session_init(struct write_session *session, struct write_shared *shared, unsigned number);
void session_release(struct write_session *session);

static inline struct queue *session_queue(const struct write_session *session)
{
    return session->shared->queue;
}

static inline bool session_is_abandoned(const struct write_session *session)
{
    return atomic_load(&session->shared->abandoned);
}

/* Sleeps, but no longer than the subscription lives. Returns false when it is gone. */
bool session_wait(struct write_session *session, int wait_ms);

/* Returns how long to wait after a failure, in milliseconds: longer with each since the last
   commit, and longer where a person must act first (pause). The caller logs the failure, and the
   next commit logs that it is over. */
int session_next_wait_ms(struct write_session *session, bool pause);

/* Something was committed: the waits are short again. Logs that, if a failure was logged. */
void session_note_commit(struct write_session *session);

/* Ends the sleep of the moment. Safe from any thread. */
void session_wake(struct write_session *session);

/* One transaction, under the epoch of the subscription; counted. On WRITE_LEASE_LOST it marks the
   queue's lease as lost, which wakes the consumer thread. */
enum write_outcome session_write(struct write_session *session, const struct write_request *request,
                                 struct write_report *report);

/* What becomes of stored rows that are written again. */
enum witness {
    WITNESS_TAKEN,   /* the database takes them through all of the statements */
    WITNESS_ABSENT,  /* nothing is stored that can tell about all of the statements */
    WITNESS_REFUSED, /* the database does not take one of them, or cannot be asked */
};

/* Asks the database whether it takes stored rows through these statements (as in struct
   write_report), which changes nothing. Blocks as long as a few calls of session_write(). Unless
   one is refused, the statements through which they were taken count as those of a commit
   (quarantine_note_commit()). */
enum witness session_ask_witness(struct write_session *session, uint64_t statements);

#endif
