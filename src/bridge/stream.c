#include "bridge/stream.h"

#include "base/clock.h"
#include "base/condition.h"
#include "bridge/consumer.h"
#include "bridge/keeper.h"
#include "bridge/policy.h"
#include "bridge/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Often enough that a message at fault has its attempts when its time is over. */
static int park_interval_ms(const struct stream_settings *settings)
{
    int interval_ms =
        settings->isolate_attempts > 0 ? settings->isolate_ms / (int)settings->isolate_attempts : 0;

    if (interval_ms > PARK_INTERVAL_MAX_MS)
        return PARK_INTERVAL_MAX_MS;
    return interval_ms > PARK_INTERVAL_MIN_MS ? interval_ms : PARK_INTERVAL_MIN_MS;
}

int stream_init(struct stream *stream, const struct stream_settings *settings,
                const struct stream_ports *ports, struct error *err)
{
    *stream = (struct stream){ .settings = *settings, .ports = *ports };
    pthread_mutex_init(&stream->lock, NULL);
    condition_init(&stream->changed);
    tally_init(&stream->tally);
    watched_init(&stream->watched, &ports->broker, settings->queue);
    stream->ports.broker = watched_port(&stream->watched);
    stream->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    stream->writers = calloc((size_t)settings->writers, sizeof(*stream->writers));
    if (breaker_init(&stream->breaker, &settings->breaker) != 0 || stream->writers == NULL)
        return error_no_memory(err);
    if (stream->wake_fd < 0)
        return error_set(err, ERROR_INTERNAL, "cannot start", settings->queue,
                         "no descriptor for an eventfd: %s", strerror(errno));
    for (int i = 0; i < settings->writers; i++) {
        struct writer *writer = &stream->writers[i];

        writer->stream = stream;
        writer->number = (unsigned)i;
        pthread_mutex_init(&writer->lock, NULL);
        condition_init(&writer->changed);
        parked_init(&writer->parked, park_interval_ms(settings));
        writer->store = ports->store.open(ports->store.context);
        if (writer->store == NULL)
            return error_no_memory(err);
    }
    return 0;
}

void stream_release(struct stream *stream)
{
    for (int i = 0; stream->writers != NULL && i < stream->settings.writers; i++) {
        struct writer *writer = &stream->writers[i];

        if (writer->store != NULL)
            stream->ports.store.close(writer->store);
        if (writer->stream != NULL) {
            parked_release(&writer->parked);
            pthread_cond_destroy(&writer->changed);
            pthread_mutex_destroy(&writer->lock);
        }
    }
    free(stream->writers);
    if (stream->wake_fd >= 0)
        close(stream->wake_fd);
    watched_release(&stream->watched);
    tally_release(&stream->tally);
    breaker_release(&stream->breaker);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->lock);
}

int stream_start_thread(pthread_t *thread, const char *name, void *(*run)(void *), void *argument)
{
    int failed = pthread_create(thread, NULL, run, argument);

    if (failed == 0)
        pthread_setname_np(*thread, name);
    return failed;
}

int stream_start(struct stream *stream, struct error *err)
{
    int failed = 0;

    for (int i = 0; failed == 0 && i < stream->settings.writers; i++)
        failed = stream_start_thread(&stream->writers[i].thread, "writer", writer_main,
                                     &stream->writers[i]);
    if (failed == 0)
        failed = stream_start_thread(&stream->consumer, "consumer", consumer_main, stream);
    if (failed != 0)
        return error_set(err, ERROR_INTERNAL, "cannot start a thread", stream->settings.queue, "%s",
                         strerror(failed));
    return 0;
}

void stream_wake(struct stream *stream)
{
    uint64_t one = 1;

    /* It can only fail when the counter is full, and then the thread wakes up anyway. */
    if (write(stream->wake_fd, &one, sizeof(one)) < 0)
        return;
}

void stream_clear_wake(const struct stream *stream)
{
    uint64_t count;

    if (read(stream->wake_fd, &count, sizeof(count)) < 0)
        return; /* nothing to clear */
}

void stream_sleep(struct stream *stream, int wait_ms)
{
    int64_t deadline = clock_monotonic_ms() + wait_ms;

    pthread_mutex_lock(&stream->lock);
    while (!atomic_load(&stream->stopping) && clock_monotonic_ms() < deadline)
        condition_wait_until(&stream->changed, &stream->lock, deadline);
    pthread_mutex_unlock(&stream->lock);
}

int stream_window(const struct stream *stream)
{
    return stream->settings.window > 0 ? stream->settings.window : stream->settings.prefetch;
}

static void wake_writer(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

void stream_stop(struct stream *stream)
{
    atomic_store(&stream->stopping, true);
    pthread_mutex_lock(&stream->lock);
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    for (int i = 0; i < stream->settings.writers; i++)
        wake_writer(&stream->writers[i]); /* what is parked is tried for the last time */
    stream_wake(stream);
}

void stream_end_writers(struct stream *stream)
{
    for (int i = 0; i < stream->settings.writers; i++) {
        struct writer *writer = &stream->writers[i];

        pthread_mutex_lock(&writer->lock);
        writer->end = true;
        pthread_cond_broadcast(&writer->changed);
        pthread_mutex_unlock(&writer->lock);
    }
}

struct stream_place stream_place(struct stream *stream)
{
    struct stream_place place;

    pthread_mutex_lock(&stream->lock);
    place = stream->place;
    pthread_mutex_unlock(&stream->lock);
    return place;
}

/* Called with the lock held. */
static void raise_outstanding(struct stream *stream, enum outstanding left)
{
    if ((int)left > atomic_load(&stream->outstanding))
        atomic_store(&stream->outstanding, (int)left);
}

void stream_set_place(struct stream *stream, const struct stream_place *place)
{
    pthread_mutex_lock(&stream->lock);
    stream->place = *place;
    stream->counted = false;
    raise_outstanding(stream, place->left);
    stream->holder[0] = '\0';
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    stream_wake(stream);
}

void stream_set_holder(struct stream *stream, const char *holder)
{
    pthread_mutex_lock(&stream->lock);
    snprintf(stream->holder, sizeof(stream->holder), "%s", holder);
    pthread_mutex_unlock(&stream->lock);
}

bool stream_show(struct stream *stream)
{
    bool shown;

    pthread_mutex_lock(&stream->lock);
    shown = stream->counted;
    stream->place.shown =
        stream->place.shown || shown; /* it may be written although nobody tells us so */
    pthread_mutex_unlock(&stream->lock);
    return shown;
}

void stream_renewed(struct stream *stream, int64_t began_ms, bool shown)
{
    pthread_mutex_lock(&stream->lock);
    stream->place.renewed_at_ms = began_ms;
    if (stream->place.shown && !shown) {
        stream->place.shown = false;
        pthread_cond_broadcast(&stream->changed);
        stream_wake(stream);
    }
    pthread_mutex_unlock(&stream->lock);
}

void stream_leave_behind(struct stream *stream, enum outstanding left)
{
    pthread_mutex_lock(&stream->lock);
    raise_outstanding(stream, left);
    pthread_mutex_unlock(&stream->lock);
}

void stream_counted(struct stream *stream, int64_t epoch)
{
    bool ours;

    pthread_mutex_lock(&stream->lock);
    ours = stream->place.held && stream->place.epoch == epoch;
    if (ours) {
        stream->counted = true;
        atomic_store(&stream->outstanding, OUTSTANDING_COUNTED);
    }
    pthread_mutex_unlock(&stream->lock);
    if (ours)
        keeper_ask(stream->keeper); /* a successor of a process that dies soon need not wait */
}

bool stream_hide(struct stream *stream)
{
    bool hidden;

    pthread_mutex_lock(&stream->lock);
    stream->counted = false;
    hidden = !stream->place.shown;
    pthread_mutex_unlock(&stream->lock);
    if (!hidden)
        keeper_ask(stream->keeper);
    return hidden;
}

void stream_settled(struct stream *stream, int64_t epoch)
{
    pthread_mutex_lock(&stream->lock);
    if (stream->place.epoch == epoch)
        atomic_store(&stream->outstanding, OUTSTANDING_NONE);
    pthread_mutex_unlock(&stream->lock);
}

void stream_set_database_ok(struct stream *stream, bool ok)
{
    pthread_mutex_lock(&stream->lock);
    stream->place.database_ok = ok;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
}

void stream_lose_place(struct stream *stream, int64_t epoch)
{
    pthread_mutex_lock(&stream->lock);
    if (stream->place.epoch == epoch)
        stream->place.held = false;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    stream_wake(stream);
}

size_t stream_parked(const struct stream *stream)
{
    size_t count = 0;

    for (int i = 0; i < stream->settings.writers; i++)
        count += atomic_load(&stream->writers[i].parked.messages);
    return count;
}

void stream_quiesce(struct stream *stream)
{
    atomic_store(&stream->abandoned, true);
    breaker_wake(&stream->breaker);
    for (int i = 0; i < stream->settings.writers; i++) {
        struct writer *writer = &stream->writers[i];

        pthread_mutex_lock(&writer->lock);
        writer->first = NULL;
        writer->last = NULL;
        pthread_cond_broadcast(&writer->changed);
        while (writer->busy)
            pthread_cond_wait(&writer->changed, &writer->lock);
        parked_clear(&writer->parked);
        pthread_mutex_unlock(&writer->lock);
    }
    atomic_store(&stream->abandoned, false);
}

int64_t stream_now_us(void)
{
    return clock_wall_us() - POSTGRES_EPOCH_S * 1000000;
}
