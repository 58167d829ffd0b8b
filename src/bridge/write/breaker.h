/*
 * The breaker of a queue, a circuit breaker against a flood of dead letters: when the database
 * refused too many of the last messages, the database is at fault and not the messages. Then
 * nothing more is written, so nothing becomes a dead letter, until the database takes one message
 * that is tried in a rolled-back transaction. Shared by the queue's writers; safe from any thread.
 *
 *     breaker_note_commits(), breaker_note_refusal()     // as the database decides; a refusal may
 *                                                        // open it
 *     while it is open:
 *         breaker_enter()
 *         while breaker_turn() is not BREAKER_CLOSED:
 *             on BREAKER_PROBE try one message, then breaker_probed()
 *         breaker_leave()
 *
 * The window holds the last messages that the database decided on, and counts only when it is full;
 * messages that kopru itself refuses are not in it. It is emptied when the breaker closes. A new
 * subscription changes nothing: that the messages come back does not make them better.
 */
#ifndef KOPRU_BRIDGE_WRITE_BREAKER_H
#define KOPRU_BRIDGE_WRITE_BREAKER_H

#include "bridge/observe/status.h"
#include "model/message.h"

#include <pthread.h>

enum { BREAKER_WHOLE_PPM = 1000000 };

struct breaker_settings {
    size_t window; /* messages; 0: there is no breaker */
    int share_ppm; /* parts per million of the window: more than that opens it */
    int probe_ms;  /* between two tries while it is open */
};

struct breaker {
    struct breaker_settings settings;
    atomic_bool open;
    pthread_mutex_t lock; /* guards what follows; changed tells of it */
    pthread_cond_t changed;
    bool *refusals; /* a ring: whether each of the last messages was refused */
    size_t next;
    size_t filled;
    struct breaker_status status;
    size_t refused_waiting; /* writers at the breaker that have a refused message to try */
    bool probing;
    int64_t next_probe_ms; /* monotonic */
};

/* Returns -1 when there is no memory. Release in both cases. */
int breaker_init(struct breaker *breaker, const struct breaker_settings *settings);
void breaker_release(struct breaker *breaker);

void breaker_note_commits(struct breaker *breaker, size_t messages);

/* Returns true when this refusal opened it. */
bool breaker_note_refusal(struct breaker *breaker, const struct write_report *report);

static inline bool breaker_is_open(const struct breaker *breaker)
{
    return atomic_load(&breaker->open);
}

void breaker_status(struct breaker *breaker, struct breaker_status *status);

enum breaker_turn {
    BREAKER_CLOSED,
    BREAKER_PROBE, /* it is the caller's turn to try a message: breaker_probed() must follow */
    BREAKER_WAIT,  /* nothing changed for a while, or breaker_wake() was called */
};

/* Around the wait. has_refused: the caller can try a message that was refused, which tells more
   than any other; as long as there is such a caller the others only wait. */
void breaker_enter(struct breaker *breaker, bool has_refused);
void breaker_leave(struct breaker *breaker, bool has_refused);

/* Sleeps for IDLE_WAIT_MS at most. */
enum breaker_turn breaker_turn(struct breaker *breaker, bool has_refused);

/* taken: the database takes the message, which closes the breaker. */
void breaker_probed(struct breaker *breaker, bool taken);

/* Ends all waits of the moment. */
void breaker_wake(struct breaker *breaker);

#endif
