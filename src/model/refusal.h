/*
 * Why a message became a dead letter: the reasons of the contract, in the order in which the first
 * that applies is taken.
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
    REFUSAL_REJECTED_BY_DATABASE,
};

enum { REFUSAL_REASON_COUNT = REFUSAL_REJECTED_BY_DATABASE + 1, REFUSAL_DETAIL_MAX_BYTES = 1000 };

struct refusal {
    enum refusal_reason reason;
    char path[256];   /* JSON path, "" where there is none; never a value */
    char detail[512]; /* the rule that was broken, in words; never a value */
    char sqlstate[6]; /* of rejected_by_database, else "" */
    struct slice
        entity_id; /* data is NULL where none could be read; owned by the message's arena */
};

/* What mapping a payload comes to. NO_MEMORY says nothing about the message: try again later. */
enum map_outcome { MAP_ACCEPTED, MAP_REFUSED, MAP_NO_MEMORY };

/* As it stands in dead_letters.reason: "not_json". */
const char *refusal_reason_name(enum refusal_reason reason);

#endif
