/*
 * One transaction until it is decided: repeated while it fails for a reason outside its messages,
 * held back while the breaker is open.
 */
#ifndef KOPRU_BRIDGE_WRITE_COMMIT_H
#define KOPRU_BRIDGE_WRITE_COMMIT_H

#include "bridge/write/session.h"

/* Only DONE says that the messages are committed. After any other result they are not, unless an
   attempt whose COMMIT was never answered did commit. To write them again is right in both cases:
   what is committed already changes no row. */
enum commit_result {
    COMMIT_DONE,    /* the probe: would have been */
    COMMIT_REFUSED, /* the database refuses a value in one of the messages, by a constraint for
                       example. The report has the SQLSTATE, table, constraint and column, and does
                       not tell which message */
    COMMIT_SUSPECT, /* it may be about a message: a statement that carries rows failed or lost its
                       connection, or the transaction takes too long or too much memory */
    COMMIT_JUDGE_AGAIN, /* what the database refused is to be judged again: its dead letters were
                           not written at once, or the breaker was open and has closed */
    COMMIT_ABANDONED,   /* the subscription is gone, or the lease is lost: give the batch up */
};

/* After DONE, unless it was a probe, the messages are marked as committed, refused ones as dead
   letters, and belong to the consumer thread. tries: after that many failures that may be about a
   message the result is SUSPECT, and at once where the transaction takes too much, which no waiting
   mends; 0: never. A verdict of the database that could not be written is never written later: the
   result is JUDGE_AGAIN. Fills *report with the last attempt; without one it is unchanged. */
enum commit_result commit_until_decided(struct write_session *session,
                                        const struct write_request *request, unsigned tries,
                                        struct write_report *report);

/* Logs why nothing is committed. pause: a person has to act, or nothing gets through. wait_ms:
   until the next attempt. */
void commit_log_failure(const struct write_session *session, bool pause,
                        const struct write_report *report, int64_t wait_ms);

#endif
