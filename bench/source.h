/* A subscription to one queue through kopru's AMQP layer, for the programs that take the place of
   the rest of kopru. */
#ifndef KOPRU_BENCH_SOURCE_H
#define KOPRU_BENCH_SOURCE_H

#include "amqp/consumer.h"

#include <stdio.h>

/* Prints on stderr what failed. Returns -1. */
static inline int source_fail(const char *program, const struct error *err)
{
    char text[1536];

    (void)fprintf(stderr, "%s: %s\n", program, error_text(err, text, sizeof(text)));
    return -1;
}

struct source {
    struct amqp_endpoint endpoint;
    struct broker_port broker;
    void *consumer;
};

/* Connects and subscribes. Returns 0, or -1. */
static inline int source_open(struct source *source, const char *uri, const char *queue,
                              int prefetch, struct error *err)
{
    source->endpoint = (struct amqp_endpoint){
        .uri = uri,
        .verify_peer = true,
        .heartbeat_s = 20,
        .connect_timeout_ms = 10000,
        .rpc_timeout_ms = 10000,
    };
    source->broker = amqp_broker_port(&source->endpoint);
    if (source->broker.open(source->broker.context, &source->consumer, err) != 0)
        return -1;
    return source->broker.subscribe(source->consumer, queue, prefetch, err);
}

#endif
