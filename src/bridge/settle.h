/*
 * One transaction until it is decided: repeated while the reason lies outside its messages.
 */
#ifndef KOPRU_BRIDGE_SETTLE_H
#define KOPRU_BRIDGE_SETTLE_H

#include "bridge/stream.h"

enum settled {
    SETTLED_COMMITTED,
    SETTLED_REFUSED,  /* the database does not take a value of it; report says which. Nothing was written */
    SETTLED_TOO_MUCH, /* of a divisible request only: it takes too long or too much memory. Nothing is known to be written */
    SETTLED_ABANDONED /* the subscription is gone. Nothing was written, or it is not known */
};

/* After COMMITTED the messages (unless it was a probe) are done and must not be touched any more. divisible: the caller can go on with
   parts of it. */
enum settled settle(struct writer *writer, const struct write_request *request, bool divisible, struct write_report *report);

#endif
