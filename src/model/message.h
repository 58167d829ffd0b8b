/*
 * A delivery in hand, from its arrival until it is acknowledged: what was delivered, and what it
 * means.
 */
#ifndef KOPRU_MODEL_MESSAGE_H
#define KOPRU_MODEL_MESSAGE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/change.h"
#include "model/delivery.h"
#include "model/refusal.h"

#include <stdatomic.h>

struct message {
    struct delivery *delivery; /* owned */
    struct arena arena;        /* holds change and refusal.entity_id */
    struct change *change;     /* NULL when refused before it became one */
    bool refused; /* becomes a dead letter; refusal says why. change may be there still */
    struct refusal refusal;
    bool in_leading_run;   /* of the redelivered messages that follow a (re)subscription */
    uint64_t position;     /* order of arrival within the subscription */
    int64_t arrived_at_ms; /* monotonic */
    size_t bytes;          /* counted against max_unacknowledged_bytes */
    unsigned
        failures; /* how often it failed alone, with an error that may be about it; by its writer */
    int64_t failed_since_ms; /* monotonic: the first of them */
    atomic_bool done; /* its effect is committed; set by the writer, read by the consumer thread */
    struct message *next;    /* in a writer's queue */
    struct message *younger; /* among all that are in hand: the one that arrived next */
};

/* Takes over the delivery. NULL when there is no memory; the delivery is then still the caller's.
 */
struct message *message_new(struct delivery *delivery, size_t max_arena_bytes);

/* NULL is allowed. Frees the delivery, too. */
void message_free(struct message *message);

/* What a transaction is asked to write: messages of one queue, sorted by entity id (slice_compare),
   those of one entity in order of arrival and with no refused one between them. */
struct write_request {
    struct message **messages;
    size_t count;
    bool probe; /* try it and roll back: nothing is kept */
};

/* What it came to. */
enum write_outcome {
    WRITE_COMMITTED, /* or, of a probe, would have been */
    WRITE_REFUSED,   /* the database does not take a value of it: isolate. Nothing was written */
    WRITE_RETRY,     /* an outage or a conflict: nothing is known to be wrong with the messages */
    WRITE_PAUSE,     /* a person must change something first (a missing column, a privilege); retry
                        slowly */
    WRITE_LOST_PLACE /* another instance holds the queue: drop everything, nothing was written */
};

struct write_report {
    char sqlstate[6];    /* "" where the server said none */
    char table[64];      /* of a refusal, "" if unknown */
    char constraint[64]; /* likewise */
    char column[64];     /* likewise */
    struct error error;  /* of every outcome but WRITE_COMMITTED; without values */
    unsigned roots_written;
    unsigned stale;    /* late messages that changed nothing */
    bool unreplicated; /* of WRITE_COMMITTED: somebody ended its wait for the synchronous standby */
    bool too_much; /* of WRITE_RETRY: it took too long or too much memory, fewer messages may do */
    bool unclassified;   /* of WRITE_RETRY: nobody knows the SQLSTATE, it may be about a message */
    uint64_t statements; /* a bit each: those that it went through; of an unclassified failure those
                            that may have failed */
};

#endif
