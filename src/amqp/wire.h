/*
 * A connection with one channel, used in the only way in which rabbitmq-c neither hangs nor
 * crashes: a frame is sent only when the socket accepts it at once, the library decodes only what
 * frame_receiver.h has read, heartbeats are sent no matter what is still unread, and after an error
 * nothing is sent any more.
 *
 *     wire_open(&wire, &target, &err)
 *     wire_call(&wire, METHOD, &request, ANSWER, &answer, what, subject, &err)
 *     loop:
 *         wire_keep_alive(&wire, now_ms, &err)
 *         while (wire_take_frame(&wire, 0, &frame) == AMQP_STATUS_OK) ...
 *         wire_wait(&wire, POLLIN, wake_fd, wire_patience_ms(&wire, deadline_ms))
 *     wire_release(&wire)
 *
 * Unless it says otherwise, a function returns 0, or -1 with err filled when the connection or the
 * channel is gone. The parameter what becomes err->what.
 */
#ifndef KOPRU_AMQP_WIRE_H
#define KOPRU_AMQP_WIRE_H

#include "amqp/broker.h"
#include "amqp/frame_receiver.h"
#include "amqp/library.h"
#include "amqp/target.h"

#include <stdatomic.h>

enum wire_state {
    WIRE_OPEN,
    WIRE_CHANNEL_GONE, /* the connection can still be closed as the protocol asks */
    WIRE_DEAD,
};

enum {
    WIRE_INPUT = 1, /* the socket has something to read, or was closed by the broker */
    WIRE_WAKE = 2,  /* wake_fd is readable */
};

struct wire {
    amqp_connection_state_t connection;
    /* A duplicate of the library's descriptor. The library closes its own inside many calls, and
       the number may then belong to another file, which another thread must not shut down. Shutting
       down the duplicate shuts down the connection. */
    int socket;
    struct frame_receiver receiver;
    atomic_bool is_interrupted;
    enum wire_state state;
    struct amqp_broker broker;
    int heartbeat_s;
    int rpc_timeout_ms;
    int64_t sent_at_ms; /* monotonic: when something was last sent. The broker drops a client that
                           is silent for two heartbeats */
    char name[AMQP_TARGET_NAME_BYTES];
};

int wire_open(struct wire *wire, const struct amqp_target *target, struct error *err);

/* Closes the connection as the protocol asks where that can neither hang nor crash, and else drops
   the socket. */
void wire_release(struct wire *wire);

/* May be called by any thread: makes the call in progress fail, and every later one. */
void wire_interrupt(struct wire *wire);

/* Fails unless the channel is open. */
int wire_require_open(const struct wire *wire, const char *what, struct error *err);

/* To be called before each send: waits up to rpc_timeout_ms until the socket accepts a small frame
   at once. rabbitmq-c 0.11 to 0.13 can hang for ever in a send that has to wait. */
int wire_prepare_send(struct wire *wire, const char *what, struct error *err);

/* Sends a method and waits up to rpc_timeout_ms for its answer, whose fields live until the
   library's buffers are released. Not to be called while deliveries can arrive: one would count as
   a wrong answer. */
int wire_call(struct wire *wire, amqp_method_number_t id, void *request,
              amqp_method_number_t answer_id, amqp_method_t *answer, const char *what,
              const char *subject, struct error *err);

/* Sends a heartbeat if one is due. To be called before each wire_take_frame(): rabbitmq-c sends
   heartbeats only from its own reads, which are not used. */
int wire_keep_alive(struct wire *wire, int64_t now_ms, struct error *err);

/* The milliseconds until the deadline, or until wire_keep_alive() must be called again if that is
   sooner. */
int wire_patience_ms(const struct wire *wire, int64_t deadline_ms);

/* Waits for events (as for poll(2)) on the socket, or until wake_fd is readable, unless that is -1.
   Returns WIRE_INPUT, WIRE_WAKE, both, or 0 when the time is over. Before waiting for POLLIN, take
   all frames that have arrived: what TLS has decrypted does not wake poll(2) again. */
int wire_wait(struct wire *wire, short events, int wake_fd, int timeout_ms);

/* Takes the next frame of either channel. Returns a status of the library: AMQP_STATUS_TIMEOUT when
   none arrived in time, AMQP_STATUS_HEARTBEAT_TIMEOUT when nothing arrived for two heartbeats. */
int wire_take_frame(struct wire *wire, int timeout_ms, amqp_frame_t *frame);

/* Ends the connection after a call of the library ended with that status. Fills err, with the
   reason that the broker gave if there is one to be read. Returns -1. */
int wire_fail(struct wire *wire, const char *what, int status, struct error *err);

/* Fills err after the broker sent channel.close or connection.close. Returns -1. */
int wire_closed_by_broker(struct wire *wire, const amqp_method_t *method, const char *what,
                          const char *subject, struct error *err);

#endif
