#include "bridge/doorbell.h"

#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { DEADLINE_MS = 20000 };

static struct doorbell bell;

static int set_up(void **state)
{
    struct error err;

    (void)state;
    return doorbell_init(&bell, &err);
}

static int tear_down(void **state)
{
    (void)state;
    doorbell_release(&bell);
    return 0;
}

static void rings_add_up_to_one(void **state)
{
    (void)state;
    assert_false(doorbell_wait(&bell, 0));
    doorbell_ring(&bell);
    doorbell_ring(&bell);
    assert_true(doorbell_wait(&bell, 0));
    assert_false(doorbell_wait(&bell, 0));
}

static void a_ring_before_the_wait_is_not_lost(void **state)
{
    (void)state;
    doorbell_ring(&bell);
    assert_true(doorbell_wait(&bell, -1));
}

static void a_cleared_ring_is_gone(void **state)
{
    (void)state;
    doorbell_ring(&bell);
    doorbell_clear(&bell);
    assert_false(doorbell_wait(&bell, 0));
    doorbell_clear(&bell); /* without a ring it does not block */
}

static void *ring(void *argument)
{
    doorbell_ring(argument);
    return argument;
}

static void it_wakes_a_thread_that_waits(void **state)
{
    pthread_t thread;
    struct error err;

    (void)state;
    assert_int_equal(thread_start(&thread, "ringer", ring, &bell, &err), 0);
    assert_true(doorbell_wait(&bell, DEADLINE_MS));
    pthread_join(thread, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rings_add_up_to_one),
        TEST(a_ring_before_the_wait_is_not_lost),
        TEST(a_cleared_ring_is_gone),
        TEST(it_wakes_a_thread_that_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
