/* What the bridge does when memory or descriptors run out at any point. */
#include "bridge/bridge.h"
#include "bridge/write/isolate.h"
#include "bridge/write/trial.h"

#include "fake_queue.h"
#include "scarce_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { QUEUES = 2, WRITERS = 2 };

static struct fakes fakes;
static int stores_open;
static int stores_asked; /* for, in one start */

/* The last store is never to be had, so a start always fails, and as late as it can without
   threads. */
static void *store_open(void *context)
{
    if (++stores_asked == QUEUES * WRITERS)
        return NULL;
    stores_open++;
    return context;
}

static void store_close(void *store)
{
    (void)store;
    stores_open--;
}

/* Whether it fails as it should: with nothing to be freed by the caller. */
static bool fails_to_start(struct error *err)
{
    const struct lease_port lease = fakes_lease(&fakes);
    struct bridge_queue queues[QUEUES];
    struct bridge *bridge = NULL;

    for (size_t i = 0; i < QUEUES; i++) {
        queues[i] = (struct bridge_queue){
            .name = "q",
            .entity = "e",
            .consume = { .prefetch = 10, .max_unacknowledged_bytes = 1000 },
            .write = { .writers = WRITERS,
                       .max_batch_messages = 1,
                       .max_batch_bytes = 1000,
                       .breaker = { .window = 10, .share_ppm = 500000, .probe_ms = 1000 } },
            .ports = fakes_ports(&fakes),
        };
        queues[i].ports.store.open = store_open;
        queues[i].ports.store.close = store_close;
    }
    stores_asked = 0;
    return bridge_start(&bridge, queues, QUEUES, &lease, err) == -1 && bridge == NULL;
}

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void a_start_without_memory_leaves_nothing_behind(void **state)
{
    struct scarce scarce = { 0 };

    (void)state;
    fakes_init(&fakes);
    while (scarce_next(&scarce)) {
        const size_t descriptors = count_descriptors();
        struct error err;
        bool failed_well = fails_to_start(&err);

        scarce_end(&scarce);
        assert_true(failed_well);
        assert_int_equal(err.kind, ERROR_INTERNAL);
        assert_int_equal(stores_open, 0);
        assert_int_equal(count_descriptors(), descriptors);
    }
    assert_int_equal(stores_asked, QUEUES * WRITERS); /* the last round had all it asked for */
    fakes_release(&fakes);
}

/* A descriptor that was not opened yet must not be taken for number 0. */
static void a_start_without_descriptors_leaves_nothing_behind(void **state)
{
    size_t descriptors = count_descriptors();
    struct rlimit usual;
    int lowest;

    (void)state;
    fakes_init(&fakes);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    if (fcntl(0, F_GETFD) < 0) /* a runner may have closed it */
        descriptors += open("/dev/null", O_RDONLY) == 0;
    lowest = open("/dev/null", O_RDONLY);
    assert_true(lowest > 0);
    assert_int_equal(close(lowest), 0);
    stores_asked = 0;
    for (rlim_t more = 0; stores_asked < QUEUES * WRITERS; more++) {
        const struct rlimit scarce = { .rlim_cur = (rlim_t)lowest + more,
                                       .rlim_max = usual.rlim_max };
        struct error err;
        bool failed_well;

        assert_true(more <= 2 + QUEUES);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &scarce), 0);
        failed_well = fails_to_start(&err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        assert_true(failed_well);
        assert_int_equal(err.kind, ERROR_INTERNAL);
        assert_int_equal(stores_open, 0);
        assert_int_equal(count_descriptors(), descriptors);
        assert_true(fcntl(0, F_GETFD) >= 0);
    }
    fakes_release(&fakes);
}

/* Nothing is lost when there is no memory to write a batch or to try a quarantined entity. */
static void a_batch_or_a_trial_waits_for_memory(void **state)
{
    const struct write_settings settings = { .writers = 1,
                                             .max_batch_messages = 10,
                                             .max_batch_bytes = 1000,
                                             .quarantine_attempts = 1,
                                             .quarantine_span_ms = 1 };
    const struct write_report report = { .unclassified = true, .statements = 1 };
    struct fake_queue fake;
    struct message **messages = fake.messages;
    struct scarce scarce = { 0 };

    (void)state;
    fake_queue_init(&fake, &settings);
    fake_queue_message(&fake, "a");
    fake_queue_message(&fake, "b");
    assert_true(trial_quarantine(fake.session, &messages[1], 1, &report));
    while (scarce_next(&scarce)) {
        bool written = isolate_write(fake.session, messages, 1);
        bool failed = scarce_end(&scarce);

        assert_int_equal(written, !failed);
        assert_int_equal(atomic_load(&messages[0]->committed), written);
    }
    atomic_store(&fake.queue.stopping, true); /* so that a trial is due */
    scarce = (struct scarce){ 0 };
    while (scarce_next(&scarce)) {
        bool alive = trial_run_due(fake.session);
        bool failed = scarce_end(&scarce);

        assert_true(alive);
        assert_int_equal(quarantine_messages(&fake.session->quarantine), failed);
        assert_int_equal(atomic_load(&messages[1]->committed), !failed);
        atomic_store(&fake.session->quarantine.tried_last, false);
    }
    fake_queue_release(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_without_memory_leaves_nothing_behind),
        cmocka_unit_test(a_start_without_descriptors_leaves_nothing_behind),
        cmocka_unit_test(a_batch_or_a_trial_waits_for_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
