/*
 * A consumer of one queue on a RabbitMQ broker: one connection with one channel, owned by one
 * thread. It never acknowledges by itself, and no call blocks for longer than it is told to.
 *
 *     struct broker_port broker = amqp_broker_port(&endpoint);
 *     void *consumer;
 *
 *     broker.open(broker.context, &consumer, &err)
 *     broker.inspect(consumer, "queue", &state, &err)   // passive declare: it never creates
 *     broker.subscribe(consumer, "queue", 500, &err)
 *     loop:
 *         broker.next(consumer, wake_fd, 250, &delivery, &err)
 *         broker.ack(consumer, tag, &err)
 *     broker.cancel(consumer, &err)                     // what was delivered may still be acked
 *     broker.close(consumer)
 *
 * After any call has returned -1 the connection is of no more use: close the consumer, forget every
 * unacknowledged delivery tag, and open a new one.
 *
 * The port (model/ports.h) says what each call does. This implementation adds the following:
 *
 * - open(): reads the password file each time. It takes at most connect_timeout_ms, and the time
 *   that resolving the host's name takes.
 * - subscribe(): a stream refuses it: the subscription would begin at its end.
 * - next(): wake_fd may be -1, and is not read. -1 means that the connection, the channel or the
 *   subscription is gone.
 * - idle(): sends heartbeats.
 * - ack(), ack_one(): 0 means that the acknowledgement was handed to the kernel, not that the
 *   broker has received it.
 * - cancel(): sends basic.cancel. next() then still returns what the broker had sent before, until
 *   it returns 0. Until then it looks neither at its timeout nor at wake_fd, but waits for the
 *   broker's answer, for at most rpc_timeout_ms in each call.
 * - close(): takes NULL. Closes the connection as the protocol asks where that can neither hang nor
 *   crash, and else drops the socket.
 * - interrupt(): shuts the socket down, so that a call that is stuck returns -1, and so does every
 *   later one. The caller makes sure that the consumer is not closed meanwhile.
 * - heartbeat_s(): the negotiated heartbeat.
 */
#ifndef KOPRU_AMQP_CONSUMER_H
#define KOPRU_AMQP_CONSUMER_H

#include "amqp/broker.h"
#include "base/error.h"
#include "model/ports.h"

/* Where and how to connect. What the URI says wins over the other fields. */
struct amqp_endpoint {
    const char *uri;           /* amqp:// or amqps://, with RabbitMQ's query parameters */
    const char *password_file; /* NULL: the password of the URI */
    const char *ca_file;       /* NULL: the system's store */
    const char *cert_file;     /* NULL: no client certificate */
    const char *key_file;
    bool verify_peer;       /* the certificate's chain and host name */
    int heartbeat_s;        /* at least 1 */
    int connect_timeout_ms; /* for all addresses of the host together: TCP, TLS and login, but not
                               resolving the name */
    int rpc_timeout_ms; /* for each answer of the broker, and for a socket that accepts nothing */
};

/* Reads what can be read without the broker: the URI, the password file, and whether the
   certificate files are there. Returns 0, or -1 with an error of kind ERROR_CONFIG. */
int amqp_endpoint_check(const struct amqp_endpoint *endpoint, struct error *err);

/* The port whose consumers connect to the endpoint. The endpoint and its strings must be there
   whenever open() is called. */
struct broker_port amqp_broker_port(const struct amqp_endpoint *endpoint);

/*
 * Whether the user may consume the queue, and whether the queue is no stream. It sends a
 * basic.consume that no broker can grant (one argument has the wrong type), and the broker checks
 * the permission first. No message is touched. handle is a consumer that the port has opened;
 * afterwards it can only be closed.
 */
int amqp_consumer_check_access(void *handle, const char *queue, struct error *err);

/* What the broker said of itself when that consumer was opened. */
struct amqp_broker amqp_consumer_broker(const void *handle);

/*
 * Whether the queue, which is no stream, is a quorum queue. AMQP has no question for that, but the
 * refusal of a basic.consume with an argument of streams names the type. handle is a consumer that
 * the port has opened; afterwards it can only be closed. Returns 0, or -1 when it cannot be told.
 */
int amqp_consumer_is_quorum(void *handle, const char *queue, bool *is_quorum, struct error *err);

#endif
