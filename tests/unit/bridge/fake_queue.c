#include "fake_queue.h"

#include "base/clock.h"
#include "bridge/write/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { DEADLINE_MS = 20000 };

void fake_queue_init(struct fake_queue *fake, const struct write_settings *settings)
{
    struct queue_ports ports;
    struct error err;

    memset(fake, 0, sizeof(*fake));
    fakes_init(&fake->fakes);
    ports = fakes_ports(&fake->fakes);
    assert_int_equal(doorbell_init(&fake->keeper, &err), 0);
    assert_int_equal(queue_init(&fake->queue, "q", "e", &ports, &fake->keeper, &err), 0);
    assert_int_equal(writers_init(&fake->writers, &fake->queue, settings, &err), 0);
    fake->session = &fake->writers.writers[0].session;
}

void fake_queue_release(struct fake_queue *fake)
{
    for (size_t i = 0; i < fake->message_count; i++)
        message_free(fake->messages[i]);
    writers_release(&fake->writers);
    queue_release(&fake->queue);
    doorbell_release(&fake->keeper);
    fakes_release(&fake->fakes);
}

struct message *fake_queue_message(struct fake_queue *fake, const char *body)
{
    struct message *message = fakes_message(body, fake->message_count);

    fake->messages[fake->message_count++] = message;
    return message;
}

void fake_queue_try_next(struct fake_queue *fake)
{
    int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;

    while (!trial_is_due(fake->session)) {
        assert_true(clock_left_ms(deadline_ms) > 0);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    assert_true(trial_run_due(fake->session));
}
