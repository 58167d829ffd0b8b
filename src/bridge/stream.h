/*
 * One queue on its way into its entity's tables: the state that its consumer thread, its writers
 * and the keeper share.
 *
 * The consumer thread owns the AMQP connection, maps deliveries and hands them to the writers; the
 * writers commit and mark messages done; the consumer thread acknowledges and frees them. All
 * messages in hand belong to one subscription: before a new one begins, the old one's are out of
 * every writer's hands (stream_quiesce).
 */
#ifndef KOPRU_BRIDGE_STREAM_H
#define KOPRU_BRIDGE_STREAM_H

#include "bridge/breaker.h"
#include "bridge/outstanding.h"
#include "bridge/parked.h"
#include "bridge/ports.h"
#include "bridge/starved.h"
#include "bridge/tally.h"
#include "bridge/watched.h"
#include "bridge/window.h"

#include <pthread.h>

struct stream_settings {
    const char *queue;
    const char *entity;
    int writers;
    int prefetch; /* messages: what a predecessor may have had, so a leading run is no longer */
    int window;   /* of them the broker may deliver so many ahead; 0 for all */
    bool order_by_timestamp;         /* every message may be late */
    size_t max_unacknowledged_bytes; /* the socket is not read beyond it */
    size_t max_batch_messages;
    size_t max_batch_bytes;    /* of messages as they count against max_unacknowledged_bytes */
    unsigned isolate_attempts; /* failures of one message after which it may be at fault */
    int isolate_ms;            /* over so long at least */
    struct breaker_settings breaker;
};

struct stream_ports {
    struct broker_port broker;
    struct mapper_port mapper;
    struct store_port store;
};

/* The place of this instance: what it knows of its lease on the queue (model/lease.h, the row in
   kopru.queues). Written by the keeper, read by all: guarded by stream.lock. */
struct stream_place {
    bool held; /* this instance may write for the queue */
    int64_t epoch;
    enum outstanding left; /* what the broker may hold for whoever had the place before */
    bool shown; /* the row may tell a successor that the broker counts this instance's subscription
                 */
    bool database_ok; /* the keeper reached it at its last look */
    int64_t
        renewed_at_ms; /* monotonic: when the keeper last began to ask for the place and got it */
};

struct writer {
    struct stream *stream;
    pthread_t thread;
    unsigned number;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct message *first; /* waiting, in order of arrival */
    struct message *last;
    bool busy; /* a batch is being written */
    bool end;  /* leave when there is nothing to do */
    void *store;
    int64_t log_window_ms; /* monotonic: when the present window of dead-letter lines began */
    unsigned logged;       /* dead letters in it, also those not named */
    struct parked parked;
    struct writer_mark mark;
};

struct stream {
    struct stream_settings settings;
    struct stream_ports ports; /* broker is that of watched */
    struct watched watched;
    pthread_t consumer;
    struct starved starved; /* the consumer thread's own */
    struct window window;   /* likewise */
    struct writer *writers;
    int wake_fd; /* eventfd: messages are done, the place changed, or the daemon stops */

    pthread_mutex_t lock; /* guards place; changed tells of it */
    pthread_cond_t changed;
    struct stream_place place;
    bool counted; /* guarded by lock: the broker counts the present subscription, the row may say so
                   */
    char holder[LEASE_HOLDER_MAX_BYTES]; /* guarded by lock: the other instance that was seen to
                                            hold the queue, "" if none */
    struct keeper *keeper;
    enum outstanding
        taking; /* the keeper's own: what the last attempt to take the place was to find */

    atomic_llong
        epoch; /* the place under which the present subscription began: what writers write under */
    atomic_bool stopping;
    atomic_bool broken; /* a writer could not go on: begin a new subscription */
    atomic_bool
        abandoned; /* the subscription is gone: what is not committed yet comes back by itself */
    atomic_bool gave_up;    /* something in hand was not committed when it stopped */
    atomic_int outstanding; /* enum outstanding: of the present subscription, a lost one or a
                               predecessor's; the last to go */

    /* counters and freshness, for the log and the row in kopru.queues */
    atomic_llong last_message_us; /* microseconds since 2000-01-01 UTC */
    atomic_llong last_commit_us;
    atomic_ullong delivered;
    atomic_ullong committed;
    atomic_ullong dead_letters;
    atomic_ullong stale;
    atomic_ullong late; /* redelivered outside the leading run */
    struct tally tally;
    struct breaker breaker;
};

int stream_init(struct stream *stream, const struct stream_settings *settings,
                const struct stream_ports *ports, struct error *err);
void stream_release(struct stream *stream);

/* As pthread_create(); the name is what top -H and debuggers show. */
int stream_start_thread(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

/* Starts the threads. */
int stream_start(struct stream *stream, struct error *err);

/* Asks the consumer thread to finish what it has and leave. */
void stream_stop(struct stream *stream);

/* After the consumer thread has left: ends the writers. */
void stream_end_writers(struct stream *stream);

/* Makes the consumer thread look at what changed. Safe from any thread. */
void stream_wake(struct stream *stream);

/* By the consumer thread: what woke it is being looked at. */
void stream_clear_wake(const struct stream *stream);

/* By the consumer thread: sleeps until the daemon stops or the time is over. */
void stream_sleep(struct stream *stream, int wait_ms);

/* How many messages the broker may deliver ahead, as it is set. */
int stream_window(const struct stream *stream);

struct stream_place stream_place(struct stream *stream);

/* The keeper took the queue: sets the place and tells everybody. */
void stream_set_place(struct stream *stream, const struct stream_place *place);

/* The keeper saw that another instance holds the queue. */
void stream_set_holder(struct stream *stream, const char *holder);

/* The keeper is about to write the row: whether to say there that the broker counts this instance.
 */
bool stream_show(struct stream *stream);

/* The keeper renewed the place as stream_show() said; it began to at began_ms. */
void stream_renewed(struct stream *stream, int64_t began_ms, bool shown);

/* The broker may hold such deliveries from now on, besides what it held before. */
void stream_leave_behind(struct stream *stream, enum outstanding left);

/* The subscription that began under that epoch is established: the broker counts it as a consumer.
 */
void stream_counted(struct stream *stream, int64_t epoch);

/* From now on it may not be counted. True when the row does not say so any more; else the keeper is
   asked to write it, and tells. */
bool stream_hide(struct stream *stream);

/* All of the subscription of that epoch is settled: the broker holds nothing. */
void stream_settled(struct stream *stream, int64_t epoch);

/* The keeper reached the database, or did not. */
void stream_set_database_ok(struct stream *stream, bool ok);

/* A writer found that the queue is another instance's now. */
void stream_lose_place(struct stream *stream, int64_t epoch);

/* How many messages are parked now, of all writers. */
size_t stream_parked(const struct stream *stream);

/* Takes every message out of the writers' hands: what waits or is parked is dropped, what is being
   written is waited for. */
void stream_quiesce(struct stream *stream);

/* The wall clock in the unit of the tables. */
int64_t stream_now_us(void);

#endif
