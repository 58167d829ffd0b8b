#include "bridge/bridge.h"

#include "base/log.h"
#include "bridge/keeper.h"
#include "bridge/status.h"
#include "bridge/watchdog.h"

#include <stdlib.h>

struct bridge {
    struct stream *streams;
    size_t stream_count;
    struct keeper keeper;
    struct watchdog watchdog;
    pthread_t ender; /* joins everything in order, so that nobody else has to wait */
    atomic_bool finished;
};

static void log_summary(struct stream *stream)
{
    log_event(LOG_INFO, "queue_stopped", "the queue is no longer consumed",
              LOG_TEXT("queue", stream->settings.queue),
              LOG_NUMBER("delivered", atomic_load(&stream->delivered)),
              LOG_NUMBER("committed", atomic_load(&stream->committed)),
              LOG_NUMBER("dead_letters", atomic_load(&stream->dead_letters)),
              LOG_NUMBER("stale", atomic_load(&stream->stale)),
              LOG_NUMBER("late", atomic_load(&stream->late)));
}

/* The consumers leave when they have acknowledged everything, then the writers have nothing to do,
   then the queues are given back. */
static void *end_all(void *argument)
{
    struct bridge *bridge = argument;

    for (size_t i = 0; i < bridge->stream_count; i++) {
        struct stream *stream = &bridge->streams[i];

        pthread_join(stream->consumer, NULL);
        stream_end_writers(stream);
        for (int w = 0; w < stream->settings.writers; w++)
            pthread_join(stream->writers[w].thread, NULL);
        log_summary(stream);
    }
    keeper_end(&bridge->keeper);
    pthread_join(bridge->keeper.thread, NULL);
    watchdog_end(&bridge->watchdog);
    pthread_join(bridge->watchdog.thread, NULL);
    atomic_store(&bridge->finished, true);
    return NULL;
}

static int start_threads(struct bridge *bridge, struct error *err)
{
    for (size_t i = 0; i < bridge->stream_count; i++) {
        if (stream_start(&bridge->streams[i], err) != 0)
            return -1;
    }
    if (stream_start_thread(&bridge->keeper.thread, "keeper", keeper_main, &bridge->keeper) != 0 ||
        pthread_create(&bridge->watchdog.thread, NULL, watchdog_main, &bridge->watchdog) != 0 ||
        stream_start_thread(&bridge->ender, "ender", end_all, bridge) != 0)
        return error_set(err, ERROR_INTERNAL, "cannot start a thread", NULL,
                         "the system refused it");
    return 0;
}

int bridge_start(struct bridge **out, const struct bridge_queue *queues, size_t count,
                 const struct lease_port *lease, struct error *err)
{
    struct bridge *bridge = calloc(1, sizeof(*bridge));

    *out = NULL;
    if (bridge == NULL)
        return error_no_memory(err);
    bridge->streams = calloc(count, sizeof(*bridge->streams));
    if (bridge->streams == NULL) {
        free(bridge);
        return error_no_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        bridge->stream_count = i + 1;
        if (stream_init(&bridge->streams[i], &queues[i].settings, &queues[i].ports, err) != 0)
            goto fail;
    }
    keeper_init(&bridge->keeper, lease, bridge->streams, count);
    watchdog_init(&bridge->watchdog, bridge->streams, count);
    /* A process that cannot even start its threads leaves: there is nothing in hand yet, and no
       thread to wait for safely. */
    if (start_threads(bridge, err) != 0)
        return -1;
    *out = bridge;
    return 0;
fail:
    for (size_t i = 0; i < bridge->stream_count; i++)
        stream_release(&bridge->streams[i]);
    free(bridge->streams);
    free(bridge);
    return -1;
}

void bridge_stop(struct bridge *bridge)
{
    for (size_t i = 0; i < bridge->stream_count; i++)
        stream_stop(&bridge->streams[i]);
}

bool bridge_finished(struct bridge *bridge)
{
    return atomic_load(&bridge->finished);
}

bool bridge_clean(const struct bridge *bridge)
{
    for (size_t i = 0; i < bridge->stream_count; i++) {
        if (atomic_load(&bridge->streams[i].gave_up))
            return false;
    }
    return true;
}

int bridge_status_take(struct bridge *bridge, struct bridge_status *status)
{
    uint64_t sessions = atomic_load(&bridge->keeper.sessions);

    *status = (struct bridge_status){
        .database_reconnects = sessions > 0 ? sessions - 1 : 0,
        .keeper_silent_ms = pulse_silent_ms(&bridge->keeper.pulse),
        .queues = calloc(bridge->stream_count, sizeof(*status->queues)),
    };
    if (status->queues == NULL)
        return -1;
    status->queue_count = bridge->stream_count;
    for (size_t i = 0; i < bridge->stream_count; i++) {
        struct stream *stream = &bridge->streams[i];

        stream_status(stream, &status->queues[i]);
        status->database_ok = stream_place(stream).database_ok; /* the same for all */
        status->stopping = atomic_load(&stream->stopping);
    }
    trouble_read(&bridge->keeper.trouble, &status->database);
    return 0;
}

void bridge_free(struct bridge *bridge)
{
    pthread_join(bridge->ender, NULL);
    keeper_release(&bridge->keeper);
    watchdog_release(&bridge->watchdog);
    for (size_t i = 0; i < bridge->stream_count; i++)
        stream_release(&bridge->streams[i]);
    free(bridge->streams);
    free(bridge);
}
