#include "bridge/doorbell.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * The bell is an eventfd and not a condition variable, because the consumer thread waits for its
 * socket at the same time, in one poll(). It never blocks the thread that rings, and rings before
 * the wait are not lost.
 */

int doorbell_init(struct doorbell *bell, struct error *err)
{
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd < 0)
        return error_set(err, ERROR_INTERNAL, "cannot start", NULL,
                         "no descriptor for an eventfd: %s", strerror(errno));
    return 0;
}

void doorbell_release(struct doorbell *bell)
{
    if (bell->fd >= 0)
        close(bell->fd);
    bell->fd = -1;
}

void doorbell_ring(const struct doorbell *bell)
{
    uint64_t one = 1;

    /* It can only fail when the counter is full, and then the thread wakes up anyway. */
    if (write(bell->fd, &one, sizeof(one)) < 0)
        return;
}

/* Returns whether it had been rung. */
static bool take_rings(const struct doorbell *bell)
{
    uint64_t rings;

    return read(bell->fd, &rings, sizeof(rings)) > 0;
}

void doorbell_clear(const struct doorbell *bell)
{
    take_rings(bell);
}

bool doorbell_wait(const struct doorbell *bell, int timeout_ms)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    struct pollfd watched = { .fd = bell->fd, .events = POLLIN };

    for (;;) {
        int left_ms = timeout_ms < 0 ? -1 : clock_left_ms(deadline_ms);

        if (poll(&watched, 1, left_ms) > 0 && take_rings(bell))
            return true;
        if (left_ms == 0)
            return false;
    }
}
