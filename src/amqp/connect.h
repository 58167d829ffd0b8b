/* Opens a connection to a target: TCP, TLS, login and channel 1. */
#ifndef KOPRU_AMQP_CONNECT_H
#define KOPRU_AMQP_CONNECT_H

#include "amqp/library.h"
#include "amqp/target.h"

enum {
    /* The only channel. rabbitmq-c loses deliveries when a connection has several. */
    AMQP_CHANNEL = 1,
    /* RabbitMQ's own default. 0 would mean no limit; RabbitMQ 4.1 and newer refuse less than
       8192. */
    AMQP_FRAME_MAX_BYTES = 131072,
};

struct ssl_st;

/* The library's connection and its TLS session; amqp_destroy_connection() ends both. */
struct amqp_link {
    amqp_connection_state_t connection;
    struct ssl_st *session; /* NULL without TLS */
};

/*
 * Tries each address of the host with its share of connect_timeout_ms. TCP, TLS and login together
 * take no longer than that; name resolution has its own limits, see resolv.conf(5). Returns 0 with
 * *out, or -1.
 */
int amqp_connect(struct amqp_link *out, const struct amqp_target *target, struct error *err);

#endif
