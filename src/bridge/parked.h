/*
 * The entities that a writer has set aside: each failed alone, again and again, with an error that
 * nobody knows, while the database takes others. Their messages wait here in order, and later
 * messages of the same ids join them, so that order holds per entity; all else goes on. See
 * bridge/suspects.h for what becomes of them.
 *
 * The list belongs to its writer while that is busy, and to stream_quiesce() otherwise;
 * parked_read() and parked_stuck() may be called by anyone.
 */
#ifndef KOPRU_BRIDGE_PARKED_H
#define KOPRU_BRIDGE_PARKED_H

#include "base/backoff.h"
#include "model/message.h"

#include <pthread.h>

enum {
    PARKED_MAX = 16, /* entities of one writer: more at a time are no suspects, but an outage */
    PARKED_SHOWN = 5,
    PARKED_ID_MAX_BYTES = 255, /* no key is longer */
    PARKED_ID_SHOWN_BYTES = 64,
};

/* One entity. */
struct parked_group {
    char id[PARKED_ID_MAX_BYTES]; /* a copy: what is committed is the consumer thread's, and may be
                                     gone */
    size_t id_len;
    struct message *first; /* in order of arrival, linked by `next` */
    struct message *last;
    size_t count;
    unsigned attempts;
    int64_t due_ms; /* monotonic: when it is tried again */
    struct backoff backoff;
    char sqlstate[6]; /* of the last failure, "" where there was none */
};

struct parked {
    pthread_mutex_t lock; /* guards groups and count for parked_read() */
    struct parked_group groups[PARKED_MAX];
    size_t count;
    struct backoff_policy policy;
    atomic_size_t messages;
    atomic_bool tried_last; /* the daemon stops, and they were tried for the last time */

    int64_t proven_ms[64]; /* monotonic, for each bit of write_report.statements: when a transaction
                              that used it committed last */
    unsigned in_a_row;     /* entities that failed alone since the last commit */
};

/* What it says of itself. */
struct parked_view {
    size_t entities;
    size_t messages;
    size_t shown_count;
    struct {
        char id[PARKED_ID_SHOWN_BYTES + 1]; /* its beginning, if it is longer */
        char sqlstate[6];
        unsigned attempts;
    } shown[PARKED_SHOWN];
};

/* interval_ms: between two attempts, in the end. */
void parked_init(struct parked *parked, int interval_ms);
void parked_release(struct parked *parked);

/* Sets an entity aside: accepted messages of one id, in order of arrival. False when the list is
   full. */
bool parked_add(struct parked *parked, struct message *const *messages, size_t count,
                const char *sqlstate);

/* Takes the messages of entities that are here out of a batch, and appends them. Returns how many
   are left; their order stays. */
size_t parked_claim(struct parked *parked, struct message **messages, size_t count);

/* A further attempt failed. sqlstate NULL: with the same as before. */
void parked_failed(struct parked *parked, struct parked_group *group, const char *sqlstate);

/* The first so many messages of the group are done; rest is the one after them. Without any, the
   group is gone, and groups behind it move up. */
void parked_drop(struct parked *parked, struct parked_group *group, size_t count,
                 struct message *rest);

/* All are out of hand. */
void parked_clear(struct parked *parked);

/* Monotonic: when the first is due; INT64_MAX when there is none. */
int64_t parked_due_ms(const struct parked *parked);

/* A transaction committed that went through these statements. */
void parked_note_commit(struct parked *parked, uint64_t statements);

/* Whether others committed through all of these statements since then. */
bool parked_is_proven(const struct parked *parked, uint64_t statements, int64_t since_ms);

/* Messages that the end of the daemon need not wait for: they were tried for the last time. */
size_t parked_stuck(const struct parked *parked);

/* Adds to the view. */
void parked_read(struct parked *parked, struct parked_view *view);

#endif
