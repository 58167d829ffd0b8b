/*
 * The right to write for a queue, as its row in kopru.queues says.
 */
#ifndef KOPRU_MODEL_LEASE_H
#define KOPRU_MODEL_LEASE_H

#include <stdbool.h>
#include <stdint.h>

enum { LEASE_HOLDER_MAX_BYTES = 256 };

struct lease {
    int64_t epoch;
    char holder[LEASE_HOLDER_MAX_BYTES]; /* who holds it, or held it before us; "" if nobody */
    int evicted;       /* database sessions that were ended because they kept it from being taken */
    int64_t silent_ms; /* since the holder renewed it, by the server's clock; INT64_MAX for never */
};

/* How fresh a queue is: microseconds since 2000-01-01 UTC, 0 for never. */
struct lease_news {
    int64_t last_message_us;
    int64_t last_commit_us;
};

#endif
