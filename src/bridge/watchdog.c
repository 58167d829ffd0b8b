#include "bridge/watchdog.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "bridge/timing.h"

/*
 * The calls are timed by a port around the broker's port, so the consumer thread knows nothing of
 * the watchdog, and a test can put a port that hangs inside. The time of a call is one atomic
 * number, because it is written twice for every delivery. A lock is taken only to open, to close
 * and to interrupt, because a connection must not be freed while the watchdog interrupts it.
 */

void watched_port_init(struct watched_port *watched, const struct broker_port *port,
                       const char *queue)
{
    *watched = (struct watched_port){ .port = *port, .queue = queue };
    pthread_mutex_init(&watched->lock, NULL);
}

void watched_port_release(struct watched_port *watched)
{
    pthread_mutex_destroy(&watched->lock);
}

static void set_open(struct watched_port *watched, bool open)
{
    pthread_mutex_lock(&watched->lock);
    watched->open = open;
    pthread_mutex_unlock(&watched->lock);
}

void watched_port_check(struct watched_port *watched)
{
    int64_t took_ms = 0;

    pthread_mutex_lock(&watched->lock);
    if (watched->open) {
        int64_t began_ms = atomic_load(&watched->call_began_ms);

        if (began_ms != 0 && clock_monotonic_ms() - began_ms > watched->limit_ms) {
            took_ms = clock_monotonic_ms() - began_ms;
            watched->open = false; /* once is enough: every later call fails */
            watched->port.interrupt(watched->broker);
        }
    }
    pthread_mutex_unlock(&watched->lock);
    if (took_ms == 0)
        return;
    atomic_fetch_add(&watched->interrupted, 1);
    log_event(LOG_ERROR, "broker_call_interrupted",
              "a call to the broker did not return, so its connection is cut",
              LOG_TEXT("queue", watched->queue), LOG_NUMBER("after_ms", took_ms));
}

/* The port's functions. */

static struct watched_port *begin_call(void *consumer)
{
    struct watched_port *watched = consumer;

    atomic_store(&watched->call_began_ms, clock_monotonic_ms());
    return watched;
}

static int end_call(struct watched_port *watched, int result)
{
    atomic_store(&watched->call_began_ms, 0);
    return result;
}

static int watched_open(void *context, void **consumer, struct error *err)
{
    struct watched_port *watched = context;

    if (watched->port.open(watched->port.context, &watched->broker, err) != 0)
        return -1;
    watched->limit_ms =
        watched->port.longest_call_ms(watched->broker) +
        (int64_t)STUCK_HEARTBEATS * 1000 * watched->port.heartbeat_s(watched->broker);
    set_open(watched, true);
    *consumer = watched;
    return 0;
}

static void watched_close(void *consumer)
{
    struct watched_port *watched = consumer;

    set_open(watched, false);
    watched->port.close(watched->broker);
    watched->broker = NULL;
}

static int watched_inspect(void *consumer, const char *queue, struct broker_queue_state *state,
                           struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched, watched->port.inspect(watched->broker, queue, state, err));
}

static int watched_subscribe(void *consumer, const char *queue, int prefetch, struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched, watched->port.subscribe(watched->broker, queue, prefetch, err));
}

static int watched_next(void *consumer, int wake_fd, int timeout_ms, struct delivery **delivery,
                        struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched,
                    watched->port.next(watched->broker, wake_fd, timeout_ms, delivery, err));
}

static int watched_idle(void *consumer, int wake_fd, int timeout_ms, struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched, watched->port.idle(watched->broker, wake_fd, timeout_ms, err));
}

static int watched_ack(void *consumer, uint64_t tag, struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched, watched->port.ack(watched->broker, tag, err));
}

static int watched_ack_one(void *consumer, uint64_t tag, struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched, watched->port.ack_one(watched->broker, tag, err));
}

static int watched_cancel(void *consumer, struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched, watched->port.cancel(watched->broker, err));
}

static int watched_ask(void *consumer, struct error *err)
{
    struct watched_port *watched = begin_call(consumer);

    return end_call(watched, watched->port.ask(watched->broker, err));
}

static bool watched_answered(void *consumer, struct broker_queue_state *state)
{
    struct watched_port *watched = consumer;

    return watched->port.answered(watched->broker, state);
}

static int watched_heartbeat_s(const void *consumer)
{
    const struct watched_port *watched = consumer;

    return watched->port.heartbeat_s(watched->broker);
}

static int watched_default_delivery_limit(const void *consumer)
{
    const struct watched_port *watched = consumer;

    return watched->port.default_delivery_limit(watched->broker);
}

struct broker_port watched_port(struct watched_port *watched)
{
    return (struct broker_port){
        .context = watched,
        .open = watched_open,
        .close = watched_close,
        .inspect = watched_inspect,
        .subscribe = watched_subscribe,
        .next = watched_next,
        .idle = watched_idle,
        .ack = watched_ack,
        .ack_one = watched_ack_one,
        .cancel = watched_cancel,
        .ask = watched_ask,
        .answered = watched_answered,
        .heartbeat_s = watched_heartbeat_s,
        .default_delivery_limit = watched_default_delivery_limit,
    };
}

/* The thread. */

static void *watchdog_main(void *argument)
{
    struct watchdog *watchdog = argument;

    while (!atomic_load(&watchdog->end)) {
        doorbell_wait(&watchdog->bell, STUCK_CHECK_MS);
        for (size_t i = 0; i < watchdog->port_count; i++)
            watched_port_check(watchdog->ports[i]);
    }
    return NULL;
}

int watchdog_init(struct watchdog *watchdog, struct watched_port *const *ports, size_t port_count,
                  struct error *err)
{
    *watchdog = (struct watchdog){ .ports = ports, .port_count = port_count };
    return doorbell_init(&watchdog->bell, err);
}

int watchdog_start(struct watchdog *watchdog, struct error *err)
{
    return thread_start(&watchdog->thread, "watchdog", watchdog_main, watchdog, err);
}

void watchdog_release(struct watchdog *watchdog)
{
    doorbell_release(&watchdog->bell);
}

void watchdog_end(struct watchdog *watchdog)
{
    atomic_store(&watchdog->end, true);
    doorbell_ring(&watchdog->bell);
    pthread_join(watchdog->thread, NULL);
}
