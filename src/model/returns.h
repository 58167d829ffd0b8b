/*
 * How often a message may come back to a quorum queue before the broker drops it, or dead-letters
 * it: the delivery-limit of the queue. RabbitMQ 4 has one of RETURNS_LIMIT by default. AMQP shows
 * no limit, so this one is assumed, until a message proves that it came back more often.
 */
#ifndef KOPRU_MODEL_RETURNS_H
#define KOPRU_MODEL_RETURNS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RETURNS_LIMIT = 20,
    RETURNS_NEAR = RETURNS_LIMIT / 2,
    RETURNS_LAST = RETURNS_LIMIT - 3,
    RETURNS_JUDGED = RETURNS_LIMIT - 5, /* before RETURNS_LAST, when neighbours can still speak */
};

/* Whether a message that came back that often (x-delivery-count) may soon be dropped. */
static inline bool returns_are_near(uint32_t count)
{
    return count >= RETURNS_NEAR && count <= RETURNS_LIMIT;
}

/* Whether only three returns more are left to it, or fewer. */
static inline bool returns_are_last(uint32_t count)
{
    return count >= RETURNS_LAST && count <= RETURNS_LIMIT;
}

/* Whether a quarantined message must be judged, because the broker would drop it in the end. */
static inline bool returns_need_judgement(uint32_t count)
{
    return count >= RETURNS_JUDGED && count <= RETURNS_LIMIT;
}

#endif
