/*
 * The quarantined entities of one writer: each failed alone, with an error that is no verdict or
 * for too much time or memory, while the database takes others. Their messages wait here in order,
 * and later messages of the same ids join them, so that order holds per entity; everything else
 * goes on. trial.h says what becomes of them.
 *
 * The list belongs to its writer while the writer is busy, and to writers_abandon() otherwise;
 * quarantine_status(), quarantine_messages() and quarantine_stuck() may be called by any thread.
 */
#ifndef KOPRU_BRIDGE_WRITE_QUARANTINE_H
#define KOPRU_BRIDGE_WRITE_QUARANTINE_H

#include "base/backoff.h"
#include "bridge/observe/status.h"
#include "model/message.h"

#include <pthread.h>

enum {
    QUARANTINE_MAX = 16, /* entities of one writer: more at a time are an outage */
    STATEMENTS_MAX = 64, /* the bits of write_report.statements */
};

struct quarantined_entity {
    char id[ENTITY_KEY_MAX_BYTES]; /* a copy: a committed message belongs to the consumer thread,
                                      and may be gone */
    size_t id_len;
    struct message *first; /* in order of arrival, linked by `next` */
    struct message *last;
    size_t count;
    unsigned attempts;
    int64_t due_ms; /* monotonic: when the next trial is due */
    struct backoff backoff;
    char sqlstate[6]; /* of the last failure, "" where there was none */
    char table[64];   /* that it named, "" where it named none */
};

struct quarantine {
    pthread_mutex_t lock; /* guards entities and count for quarantine_status() */
    struct quarantined_entity entities[QUARANTINE_MAX];
    size_t count;
    struct backoff_policy policy;
    atomic_size_t messages;
    atomic_bool tried_last; /* the daemon stops, and all had their last trial */
    atomic_size_t *all;     /* entities of all quarantines of the queue; NULL if none are counted */

    int64_t proven_ms[STATEMENTS_MAX];  /* monotonic, for each statement: when a transaction that
                                          went through it committed last */
    uint64_t proven_by[STATEMENTS_MAX]; /* the number of that commit */
    uint64_t commits;                   /* so far */
    unsigned failed_in_a_row;   /* entities that failed alone since the last commit that went
                                   through one of failed_statements */
    uint64_t failed_statements; /* in which they failed; 0: any commit counts */
    char judged_id[ENTITY_KEY_MAX_BYTES]; /* of the last entity of which only dead letters were
                                             committed */
    size_t judged_len;                    /* 0 if there was none */
};

/* A message may be at fault after so many attempts over span_ms, so trials are as frequent as that
   takes, within the limits of bridge/timing.h. */
void quarantine_init(struct quarantine *quarantine, unsigned attempts, int span_ms);
void quarantine_release(struct quarantine *quarantine);

/* Quarantines an entity: accepted messages of one id, in order of arrival. Returns false when the
   list is full. */
bool quarantine_add(struct quarantine *quarantine, struct message *const *messages, size_t count,
                    const char *sqlstate);

/* Takes the messages of quarantined entities out of a batch and appends them here. Returns how many
   are left in the batch; their order stays. */
size_t quarantine_divert(struct quarantine *quarantine, struct message **messages, size_t count);

/* A further trial failed. sqlstate NULL: with the same one as before. */
void quarantine_failed(struct quarantine *quarantine, struct quarantined_entity *entity,
                       const char *sqlstate);

/* The last failure of the entity named that table; "" for none. */
void quarantine_note_table(struct quarantine *quarantine, struct quarantined_entity *entity,
                           const char *table);

/* The first `count` messages of the entity are committed; rest is the one after them. When none is
   left, the entity is gone, and the entities behind it move up. */
void quarantine_remove(struct quarantine *quarantine, struct quarantined_entity *entity,
                       size_t count, struct message *rest);

/* The entity is about to leave, and only dead letters of it are committed. */
void quarantine_judged(struct quarantine *quarantine, const struct quarantined_entity *entity);

/* An entity failed alone, in one of these statements (0: nobody knows in which). Returns how many
   entities failed alone before it since the last commit through them. The entity that left last
   with dead letters alone does not count as another one when it fails again. */
unsigned quarantine_fails_alone(struct quarantine *quarantine, struct slice id,
                                uint64_t statements);

/* What failed is committed. If nothing is quarantined any more, nothing fails: the failures are
   forgotten, although a commit need not have gone through the statements in which they were. */
void quarantine_recovered(struct quarantine *quarantine);

/* Forgets all: their messages go back to the broker. */
void quarantine_clear(struct quarantine *quarantine);

/* Monotonic: when the first trial is due; INT64_MAX when there is none. */
int64_t quarantine_due_ms(const struct quarantine *quarantine);

/* A transaction committed that went through these statements, or a witness was taken
   (session_ask_witness()). */
void quarantine_note_commit(struct quarantine *quarantine, uint64_t statements);

/* Whether other transactions committed through all of these statements since then. */
bool quarantine_is_proven(const struct quarantine *quarantine, uint64_t statements,
                          int64_t since_ms);

/* The same, since the commit of that number; 0: ever. */
bool quarantine_is_proven_since(const struct quarantine *quarantine, uint64_t statements,
                                uint64_t commit);

/* Whether any transaction committed since then. */
bool quarantine_has_committed(const struct quarantine *quarantine, int64_t since_ms);

/* Whether the only quarantined entity of the queue is here, and none failed after it. */
bool quarantine_has_the_only_one(const struct quarantine *quarantine);

size_t quarantine_messages(const struct quarantine *quarantine);

/* Messages that the end of the daemon need not wait for: they had their last trial. */
size_t quarantine_stuck(const struct quarantine *quarantine);

/* Adds to the status. */
void quarantine_status(struct quarantine *quarantine, struct quarantine_status *status);

#endif
