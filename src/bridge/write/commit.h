/*
 * One transaction until it is decided: repeated while the reason lies outside its messages, held
 * back while the breaker is open.
 */
#ifndef KOPRU_BRIDGE_WRITE_COMMIT_H
#define KOPRU_BRIDGE_WRITE_COMMIT_H

#include "bridge/write/session.h"

/* Only after COMMITTED anything was written; after ABANDONED it is not known. */
enum commit_result {
    COMMIT_DONE,
    COMMIT_REFUSED, /* the database does not take a value of a message; the report says which */
    COMMIT_SUSPECT, /* it may be about a message: the error has no rule, or the transaction takes
                       too long or too much memory */
    COMMIT_BREAKER_CLOSED, /* the breaker was open and has closed: what was refused is to be judged
                              again */
    COMMIT_ABANDONED,      /* the subscription is gone */
};

/* After DONE the messages, unless it was a probe, are committed and belong to the consumer thread.
   tries: after that many failures that may be about a message the result is SUSPECT, and at once
   where the transaction takes too much, which no waiting mends; 0: never. */
enum commit_result commit(struct write_session *session, const struct write_request *request,
                          unsigned tries, struct write_report *report);

#endif
