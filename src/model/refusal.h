/*
 * Why a message becomes a dead letter: a row of kopru.dead_letters with its body and the reason.
 * (RabbitMQ's dead-letter exchanges have no part in this: the broker gets an acknowledgement.) The
 * reasons are listed in the order in which they are checked: the first one that applies counts.
 */
#ifndef KOPRU_MODEL_REFUSAL_H
#define KOPRU_MODEL_REFUSAL_H

#include "base/slice.h"

enum refusal_reason {
    REFUSAL_TOO_LARGE,
    REFUSAL_INVALID_UNICODE,
    REFUSAL_NOT_JSON,
    REFUSAL_TOO_DEEP,
    REFUSAL_CONTAINS_NUL,
    REFUSAL_NOT_OBJECT,
    REFUSAL_MISSING_ID,
    REFUSAL_INVALID_ID,
    REFUSAL_INVALID_STRUCTURE,
    REFUSAL_REJECTED_BY_DATABASE, /* mapped, and refused by a constraint or the like */
};

enum { REFUSAL_REASON_COUNT = REFUSAL_REJECTED_BY_DATABASE + 1, REFUSAL_DETAIL_MAX_BYTES = 1000 };

struct refusal {
    enum refusal_reason reason;
    char path[256];   /* a JSON path, "" where there is none; never a value */
    char detail[512]; /* the rule that the message violates, in words; never a value */
    char sqlstate[6]; /* for rejected_by_database, else "" */

    /* In the message's arena. data is NULL where no id could be read, and for rejected_by_database,
       where the message's change has the id. */
    struct slice entity_id;
};

/* The result of mapping a payload. MAP_NO_MEMORY says nothing about it: try again later. */
enum map_outcome { MAP_ACCEPTED, MAP_REFUSED, MAP_NO_MEMORY };

/* Returns the reason as it is written to dead_letters.reason: "not_json". */
const char *refusal_reason_name(enum refusal_reason reason);

#endif
