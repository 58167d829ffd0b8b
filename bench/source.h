/* A subscription to one queue through kopru's own AMQP layer, for the programs that stand in for
   the rest of it. */
#ifndef KOPRU_BENCH_SOURCE_H
#define KOPRU_BENCH_SOURCE_H

#include "amqp/consumer.h"

#include <stdio.h>

/* Says on stderr what failed. Returns -1. */
static inline int source_fail(const char *program, const struct error *err)
{
    char text[1536];

    (void)fprintf(stderr, "%s: %s\n", program, error_text(err, text, sizeof(text)));
    return -1;
}

static inline int source_open(struct amqp_consumer **out, const char *uri, const char *queue,
                              int prefetch, struct error *err)
{
    struct amqp_endpoint endpoint = {
        .uri = uri,
        .verify_peer = true,
        .heartbeat_s = 20,
        .connect_timeout_ms = 10000,
        .rpc_timeout_ms = 10000,
    };

    if (amqp_consumer_open(out, &endpoint, err) != 0)
        return -1;
    return amqp_consumer_subscribe(*out, queue, prefetch, err);
}

#endif
