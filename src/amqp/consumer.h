/*
 * A consumer of one queue: one connection, one channel, owned by one thread. It never acknowledges
 * by itself and never blocks longer than it is told to.
 *
 *     amqp_consumer_open(&consumer, &endpoint, &err)
 *     amqp_consumer_inspect(consumer, "queue", &state, &err)        // passive declare: never
 * creates amqp_consumer_subscribe(consumer, "queue", 500, &err) loop: amqp_consumer_next(consumer,
 * wake_fd, 250, &delivery, &err); amqp_consumer_ack(consumer, tag, &err)
 *     amqp_consumer_cancel(consumer, &err)                          // no new deliveries; what was
 * delivered may still be acked amqp_consumer_free(consumer)
 *
 * After any call returned -1 the connection is of no more use: free it, forget every unacknowledged
 * tag, open a new one.
 */
#ifndef KOPRU_AMQP_CONSUMER_H
#define KOPRU_AMQP_CONSUMER_H

#include "base/error.h"
#include "model/delivery.h"

#include <stdint.h>

/* Where and how to connect. What the URI says wins over the other fields. Strings belong to the
   caller and are needed only during amqp_consumer_open(). */
struct amqp_endpoint {
    const char *uri;           /* amqp:// or amqps://, with RabbitMQ's query parameters */
    const char *password_file; /* NULL: the password of the URI; read at each open */
    const char *ca_file;       /* NULL: the system's store */
    const char *cert_file;     /* NULL: no client certificate */
    const char *key_file;
    bool verify_peer;       /* the certificate's chain and host name */
    int heartbeat_s;        /* at least 1 */
    int connect_timeout_ms; /* for all addresses of the host together, TCP, TLS and login; not for
                               resolving its name */
    int rpc_timeout_ms;     /* for each answer of the broker, and for a socket that takes nothing */
};

struct amqp_queue_state {
    uint32_t messages; /* ready */
    uint32_t consumers;
};

struct amqp_consumer;

/* Reads what can be read without the broker: the URI, the password file, and whether the
   certificate files are there. Returns 0, or -1 with an error of kind ERROR_CONFIG. */
int amqp_endpoint_check(const struct amqp_endpoint *endpoint, struct error *err);

int amqp_consumer_open(struct amqp_consumer **out, const struct amqp_endpoint *endpoint,
                       struct error *err);

/* From any other thread, while this consumer's own thread is inside a call or between calls: shuts
   the socket down, so that a call that is stuck returns -1, and so does every later one. The caller
   sees to it that the consumer is not freed meanwhile. */
void amqp_consumer_interrupt(struct amqp_consumer *consumer);

/* NULL is allowed. Closes politely where that cannot hang or crash, else drops the socket. */
void amqp_consumer_free(struct amqp_consumer *consumer);

int amqp_consumer_inspect(struct amqp_consumer *consumer, const char *queue,
                          struct amqp_queue_state *state, struct error *err);

/* As amqp_consumer_inspect(), of the queue that is being consumed, without waiting: the broker's
   answer comes with the deliveries. */
int amqp_consumer_ask(struct amqp_consumer *consumer, struct error *err);

/* Whether the answer has come since this was last called; then *state is set. */
bool amqp_consumer_answered(struct amqp_consumer *consumer, struct amqp_queue_state *state);

/*
 * Whether the user may consume the queue: a subscription that no broker can grant is asked for (an
 * argument of the wrong type), and the broker looks at the permission first. No message is touched.
 * The consumer is of no more use afterwards, but to be freed.
 */
int amqp_consumer_check_access(struct amqp_consumer *consumer, const char *queue,
                               struct error *err);

int amqp_consumer_subscribe(struct amqp_consumer *consumer, const char *queue, int prefetch,
                            struct error *err);

/* Waits up to timeout_ms for a delivery. Returns 1 with *delivery (the caller's, delivery_free), 0
   when the time is over or wake_fd became readable (it is not read), -1 when the connection, the
   channel or the subscription is gone. wake_fd may be -1. */
int amqp_consumer_next(struct amqp_consumer *consumer, int wake_fd, int timeout_ms,
                       struct delivery **delivery, struct error *err);

/* Waits like amqp_consumer_next() but takes nothing from the socket: backpressure. Heartbeats are
   sent. Returns 0 or -1. */
int amqp_consumer_idle(struct amqp_consumer *consumer, int wake_fd, int timeout_ms,
                       struct error *err);

/* Acknowledges all deliveries up to and including tag. 0 means handed to the kernel, not received
   by the broker. */
int amqp_consumer_ack(struct amqp_consumer *consumer, uint64_t tag, struct error *err);

/* The same of that delivery alone. */
int amqp_consumer_ack_one(struct amqp_consumer *consumer, uint64_t tag, struct error *err);

/* basic.cancel; then amqp_consumer_next() still returns what had been sent before, until it returns
   0. Until then it looks neither at its timeout nor at wake_fd, but waits for the broker's answer,
   at most rpc_timeout_ms in each call. */
int amqp_consumer_cancel(struct amqp_consumer *consumer, struct error *err);

/* The negotiated heartbeat, seconds. */
int amqp_consumer_heartbeat_s(const struct amqp_consumer *consumer);

/* No call but open and free takes longer, beyond the timeout that it is given. */
int amqp_consumer_longest_call_ms(const struct amqp_consumer *consumer);

#endif
