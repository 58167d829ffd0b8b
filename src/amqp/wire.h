/*
 * A connection with one channel, and the rules of rabbitmq-c around it: nothing is sent on a socket
 * that would not take it at once, it only decodes what was read by frame_receiver.h, heartbeats are sent
 * whatever is unread, and after an error nothing is sent at all.
 *
 * Functions that return int return -1 with err filled when the connection or the channel is gone;
 * what is the text of err->what.
 */
#ifndef KOPRU_AMQP_WIRE_H
#define KOPRU_AMQP_WIRE_H

#include "amqp/frame_receiver.h"
#include "amqp/library.h"
#include "amqp/target.h"

#include <stdatomic.h>

enum wire_state {
    WIRE_OPEN,
    WIRE_CHANNEL_GONE, /* the connection can still be closed politely */
    WIRE_DEAD,
};

enum {
    WIRE_INPUT = 1, /* the socket has something to read, or is at its end */
    WIRE_WAKE = 2,
};

struct wire {
    amqp_connection_state_t connection;
    /* A duplicate of the library's descriptor: the library closes its own inside many calls, and
       another thread that meets the number again must not hit a stranger's file. Shutting down the
       duplicate shuts down the connection. */
    int socket;
    struct frame_receiver receiver;
    atomic_bool is_interrupted;
    enum wire_state state;
    int heartbeat_s;
    int rpc_timeout_ms;
    int64_t sent_at_ms; /* when something was last sent: the broker drops a client that is silent
                           for two heartbeats */
    char name[AMQP_TARGET_NAME_BYTES];
};

int wire_open(struct wire *wire, const struct amqp_target *target, struct error *err);

/* Closes politely where that cannot hang or crash, else drops the socket. */
void wire_release(struct wire *wire);

/* From any thread: makes a call that is stuck fail, and all later ones. */
void wire_interrupt(struct wire *wire);

int wire_require_open(const struct wire *wire, const char *what, struct error *err);

/* Before each send: waits up to rpc_timeout_ms until the socket takes a small frame at once.
   rabbitmq-c 0.11 to 0.13 can hang for ever in a send that has to wait. */
int wire_prepare_send(struct wire *wire, const char *what, struct error *err);

/* Sends a method and waits up to rpc_timeout_ms for its answer, whose fields live until the
   library's buffers are released. Not while deliveries can come: none is expected. */
int wire_call(struct wire *wire, amqp_method_number_t id, void *request,
              amqp_method_number_t answer_id, amqp_method_t *answer, const char *what,
              const char *subject, struct error *err);

/* Sends a heartbeat if one is due. To be called before each wire_take_frame(): rabbitmq-c sends
   none by itself, since it is not asked to read. */
int wire_keep_alive(struct wire *wire, int64_t now_ms, struct error *err);

/* Until the deadline, but not longer than until wire_keep_alive() wants to be called again. */
int wire_patience_ms(const struct wire *wire, int64_t deadline_ms);

/* Waits until events (as for poll(2)) are there on the socket or wake_fd, unless it is -1, is
   readable; gives WIRE_INPUT, WIRE_WAKE, both or 0. For POLLIN all frames that came must have been
   taken before. */
int wire_wait(struct wire *wire, short events, int wake_fd, int timeout_ms);

/* The next frame of any channel. Gives a status of the library: AMQP_STATUS_TIMEOUT when none came
   in time, AMQP_STATUS_HEARTBEAT_TIMEOUT when nothing came for two heartbeats. */
int wire_take_frame(struct wire *wire, int timeout_ms, amqp_frame_t *frame);

/* A call of the library ended with that status: fills err, if it can with the reason that the
   broker gave, and ends the connection. Returns -1. */
int wire_fail(struct wire *wire, const char *what, int status, struct error *err);

/* The broker sent channel.close or connection.close. Returns -1. */
int wire_closed_by_broker(struct wire *wire, const amqp_method_t *method, const char *what,
                          const char *subject, struct error *err);

#endif
