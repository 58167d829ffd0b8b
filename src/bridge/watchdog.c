#include "bridge/watchdog.h"

#include "base/clock.h"
#include "base/condition.h"
#include "bridge/policy.h"

void watchdog_init(struct watchdog *watchdog, struct stream *streams, size_t stream_count)
{
    *watchdog = (struct watchdog){ .streams = streams, .stream_count = stream_count };
    pthread_mutex_init(&watchdog->lock, NULL);
    condition_init(&watchdog->changed);
}

void watchdog_release(struct watchdog *watchdog)
{
    pthread_cond_destroy(&watchdog->changed);
    pthread_mutex_destroy(&watchdog->lock);
}

void *watchdog_main(void *argument)
{
    struct watchdog *watchdog = argument;

    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->end) {
        condition_wait_until(&watchdog->changed, &watchdog->lock,
                             clock_monotonic_ms() + STUCK_CHECK_MS);
        for (size_t i = 0; i < watchdog->stream_count; i++)
            watched_look(&watchdog->streams[i].watched);
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

void watchdog_end(struct watchdog *watchdog)
{
    pthread_mutex_lock(&watchdog->lock);
    watchdog->end = true;
    pthread_cond_broadcast(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
}
