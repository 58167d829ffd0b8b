/* A broker that is only asked about its queue, and answers as the script says. */
#ifndef KOPRU_TESTS_UNIT_BRIDGE_CONSUME_ASKED_BROKER_H
#define KOPRU_TESTS_UNIT_BRIDGE_CONSUME_ASKED_BROKER_H

#include "model/ports.h"

enum { HEARTBEAT_S = 2, HEARTBEAT_MS = HEARTBEAT_S * 1000 };

struct scripted {
    int questions;
    bool answers; /* the last one */
    uint32_t messages;
    uint32_t consumers; /* ours included */
    bool broken;        /* the connection */
};

static int ask(void *consumer, struct error *err)
{
    struct scripted *scripted = consumer;

    scripted->questions++;
    return scripted->broken ? error_set(err, ERROR_UNAVAILABLE, "gone", NULL, "scripted") : 0;
}

static bool answered(void *consumer, struct broker_queue_state *state)
{
    struct scripted *scripted = consumer;

    *state = (struct broker_queue_state){ .messages = scripted->messages,
                                          .consumers = scripted->consumers };
    return scripted->answers;
}

static int heartbeat_s(const void *consumer)
{
    (void)consumer;
    return HEARTBEAT_S;
}

static const struct broker_port port = { .ask = ask,
                                         .answered = answered,
                                         .heartbeat_s = heartbeat_s };

#endif
