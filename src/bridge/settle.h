/*
 * One transaction until it is decided: repeated while the reason lies outside its messages, held
 * back while the breaker is open.
 */
#ifndef KOPRU_BRIDGE_SETTLE_H
#define KOPRU_BRIDGE_SETTLE_H

#include "bridge/stream.h"

enum settled {
    SETTLED_COMMITTED,
    SETTLED_REFUSED, /* the database does not take a value of it; report says which. Nothing was
                        written */
    SETTLED_SUSPECT, /* it may be about a message: nobody knows the error, or it takes too long or
                        too much memory. Likewise */
    SETTLED_BREAKER_CLOSED, /* the breaker was open and has closed: what was refused is to be judged
                               again. Nothing was written */
    SETTLED_ABANDONED       /* the subscription is gone. Nothing was written, or it is not known */
};

/* After COMMITTED the messages (unless it was a probe) are done and must not be touched any more.
   tries: after so many failures that may be about a message it is SUSPECT; at once where it takes
   too much, which no waiting mends; 0: never. */
enum settled settle(struct writer *writer, const struct write_request *request, unsigned tries,
                    struct write_report *report);

/* Sleeps, but no longer than the subscription lives. Returns false when it is gone. */
bool settle_wait(struct writer *writer, int wait_ms);

#endif
