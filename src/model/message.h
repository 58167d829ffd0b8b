/*
 * An unacknowledged message, from its delivery until its acknowledgement: what was delivered, and
 * what the mapping made of it. It is accepted, and has a change, or refused, and becomes a dead
 * letter (refusal.h).
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
    struct change *change;     /* NULL when the message was refused before it became one */
    bool refused;              /* it becomes a dead letter, and refusal says why; there may be a
                                  change all the same */
    struct refusal refusal;
    bool in_redelivered_batch; /* one of the redelivered messages with which a subscription begins:
                                  they make one batch (bridge/consume/redelivered.h) */
    uint64_t position;         /* order of arrival within the subscription */
    int64_t arrived_at_ms;     /* monotonic */
    size_t bytes;              /* counted against max_unacknowledged_bytes */
    unsigned failures;         /* how often it failed alone with an error that may be about it; kept
                                  by its writer */
    int64_t failed_since_ms;   /* monotonic: the first of these failures */
    int64_t failed_alone_ms;   /* monotonic: the first time that it failed alone, with whatever
                                  error; 0 if it has not */
    atomic_bool committed;     /* its rows or its dead letter are, so it may be acknowledged; set by
                                  the writer, read by the consumer thread */
    struct message *next;      /* in one list: what is held back, waits or is quarantined */
    struct message *younger;   /* among all unacknowledged messages: the one that arrived next */
};

/* Takes over the delivery. Returns NULL when there is no memory; the delivery then still belongs to
   the caller. */
struct message *message_new(struct delivery *delivery, size_t max_arena_bytes);

/* Frees the delivery, too. NULL is allowed. */
void message_free(struct message *message);

/* What a transaction is asked to write: messages of one queue. The accepted ones are sorted by
   entity id (slice_compare), those of one entity in order of arrival. Refused ones may stand
   anywhere but between those of one entity. */
struct write_request {
    struct message **messages;
    size_t count;
    bool probe; /* try it and roll back: nothing is kept */
};

/* How the transaction ended. After any other outcome than COMMITTED it was rolled back, with one
   exception: after RETRY it may be committed, if the answer to its COMMIT was lost. To write the
   same messages again is right in either case. */
enum write_outcome {
    WRITE_COMMITTED, /* a probe would have been committed */
    WRITE_REFUSED,   /* the database refuses a value in one of the messages: isolate that message */
    WRITE_RETRY,     /* an outage or a conflict: nothing is known to be wrong with the messages */
    WRITE_PAUSE,     /* a person must change something first, such as a missing column or privilege:
                         retry slowly */
    WRITE_LEASE_LOST, /* another instance has acquired the lease: give up what is not committed, it
                         is redelivered to that instance */
};

/*
 * The report of one transaction.
 *
 * A message that would make the `extra` of its root too large is refused while it is applied, as
 * too_large: it is marked as refused and becomes a dead letter of the same transaction, and the
 * others are applied without it. Unless the outcome is COMMITTED, and for a probe, the mark is
 * taken off again, because it depends on the rows that were stored at that moment.
 */
struct write_report {
    char sqlstate[6]; /* "" where the server said none */
    char table[64];   /* of a refusal; "" if unknown, as in the two that follow */
    char constraint[64];
    char column[64];
    struct error error; /* of every outcome but WRITE_COMMITTED; without values */
    unsigned roots_written;
    unsigned stale;    /* late messages that changed nothing */
    bool unreplicated; /* of WRITE_COMMITTED: somebody ended its wait for the synchronous standby */
    bool too_much;     /* of WRITE_RETRY: it took too long or too much memory, so fewer messages may
                          succeed */
    bool gave_up;      /* of WRITE_RETRY: this process stopped, since the rows took too much memory;
                          nothing is wrong with the database */
    bool divisible;    /* of gave_up: there are several entities, so fewer at once will do */
    unsigned refused;  /* messages that kopru refused while it applied them, see above */
    bool suspect;      /* of WRITE_RETRY and WRITE_PAUSE: a statement that carries rows failed, or
                          the connection was lost in one, so it may be about one of them */
    bool session_ended; /* suspect, and it cost the connection: perhaps a crash of the server */
    bool unclassified; /* suspect, and a message that goes on failing with it while others do not is
                          at fault */
    bool unproven;     /* of WRITE_REFUSED: a whole table can raise it, so others must get through
                          before a message is at fault */
    bool not_written;  /* of WRITE_RETRY and WRITE_PAUSE: every statement succeeded, and still rows
                          of the table are missing. It may be about an entity, but no message can be
                          at fault: statements is 0 */
    /* One bit for each statement that it went through; of a failure, those that may have
       failed. */
    uint64_t statements;
};

#endif
