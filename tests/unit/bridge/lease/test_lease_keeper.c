/* The lease keeper's thread, with a scripted database and no consumer. */
#include "bridge/lease/lease_keeper.h"

#include "base/thread.h"
#include "bridge/lease/process.h"
#include "bridge/timing.h"
#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct fakes fakes;
static struct doorbell consumer;
static struct doorbell bell;
static struct counters counters;
static struct queue_lease lease;
static struct queue_lease *const leases[] = { &lease };
static struct lease_keeper keeper;
static pthread_t thread;

static int set_up(void **state)
{
    struct lease_port port;
    struct error err;

    (void)state;
    fakes_init(&fakes);
    port = fakes_lease(&fakes);
    assert_int_equal(doorbell_init(&consumer, &err), 0);
    assert_int_equal(doorbell_init(&bell, &err), 0);
    counters_init(&counters);
    queue_lease_init(&lease, "q", "e", &counters, &consumer, &bell);
    lease_keeper_init(&keeper, &port, leases, 1, &bell);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lease_keeper_release(&keeper);
    queue_lease_release(&lease);
    counters_release(&counters);
    doorbell_release(&bell);
    doorbell_release(&consumer);
    fakes_release(&fakes);
    return 0;
}

static void start(void)
{
    struct error err;

    assert_int_equal(thread_start(&thread, "lease keeper", lease_keeper_main, &keeper, &err), 0);
}

static void end(void)
{
    lease_keeper_end(&keeper);
    pthread_join(thread, NULL);
}

static void wait_for(bool (*condition)(const struct fakes *), const char *what)
{
    pthread_mutex_lock(&fakes.lock);
    fakes_wait(&fakes, condition, what);
    pthread_mutex_unlock(&fakes.lock);
}

/* Changes the script under its lock. */
#define SCRIPT(change)                                                                             \
    do {                                                                                           \
        pthread_mutex_lock(&fakes.lock);                                                           \
        change;                                                                                    \
        pthread_mutex_unlock(&fakes.lock);                                                         \
    } while (0)

static bool is_renewed(const struct fakes *now)
{
    return now->renewals >= 1;
}

static void a_free_lease_is_acquired_renewed_and_released(void **state)
{
    (void)state;
    start();
    wait_for(is_renewed, "a renewal");
    assert_true(queue_lease_view(&lease).held);
    assert_int_equal(queue_lease_view(&lease).epoch, 1);
    end();
    assert_int_equal(fakes.released, 1);
    assert_int_equal(fakes.epoch, 1);
}

/* Otherwise a row whose holder was deleted by hand would look free to every other instance. */
static void a_renewal_says_who_holds_the_lease(void **state)
{
    struct lease_holder self;

    (void)state;
    process_identify(&self);
    start();
    wait_for(is_renewed, "a renewal");
    end();
    assert_string_equal(fakes.holder.name, self.name);
    assert_string_equal(fakes.holder.instance, self.instance);
}

/* A process that was restored from a checkpoint has another start time than the one it read before,
   and would be taken for dead by it. */
static void each_connection_identifies_the_process_anew(void **state)
{
    struct lease_holder self;

    (void)state;
    process_identify(&self);
    snprintf(keeper.self.instance, sizeof(keeper.self.instance), "as it was before");
    start();
    wait_for(is_renewed, "a renewal");
    end();
    assert_string_equal(fakes.holder.instance, self.instance);
}

static bool looked_twice(const struct fakes *now)
{
    return now->looks >= 2;
}

static void a_lease_whose_holder_lives_is_left_alone(void **state)
{
    (void)state;
    fakes.fresh_holder = true;
    start();
    wait_for(looked_twice, "two looks at the lease");
    assert_false(queue_lease_view(&lease).held);
    assert_true(queue_lease_view(&lease).database_ok);
    end();
    assert_int_equal(fakes.epoch, 0);
    assert_int_equal(fakes.released, 0);
}

static bool checked_twice(const struct fakes *now)
{
    return now->table_checks >= 2;
}

static bool checked_thrice(const struct fakes *now)
{
    return now->table_checks >= 3;
}

/* One queue that waits for a person keeps nothing from the others, so the database counts as
   usable. */
static void a_queue_that_carries_another_entity_is_left_alone(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    fakes.other_entity = true;
    start();
    wait_for(checked_thrice, "three looks at the tables");
    assert_false(queue_lease_view(&lease).held);
    assert_true(queue_lease_view(&lease).database_ok);
    queue_lease_status(&lease, &status);
    assert_true(status.paused);
    assert_true(status.tables_error.current);
    assert_string_equal(status.tables_error.event, "paused");
    SCRIPT(fakes.other_entity = false);
    wait_for(is_renewed, "a renewal");
    status.paused = false;
    queue_lease_status(&lease, &status);
    assert_false(status.paused);
    end();
    assert_int_equal(fakes.released, 1);
}

static void what_the_holder_before_left_behind_is_in_the_row(void **state)
{
    (void)state;
    fakes.expired_holder = true;
    fakes.uncounted_holder = true;
    start();
    wait_for(is_renewed, "a renewal");
    assert_int_equal(queue_lease_view(&lease).handover, HANDOVER_UNCOUNTED);
    end();
    /* Nobody consumed here, but what was left behind is left behind still. */
    assert_int_equal(fakes.released, 0);
}

static bool claims(const struct fakes *now)
{
    return now->claimed;
}

static bool claims_nothing(const struct fakes *now)
{
    return !now->claimed;
}

static void the_row_is_written_when_the_bell_rings(void **state)
{
    (void)state;
    start();
    wait_for(is_renewed, "a renewal");
    queue_lease_subscribed(&lease, 1);
    wait_for(claims, "the claim in the row");
    assert_false(queue_lease_retract(&lease));
    wait_for(claims_nothing, "the row without the claim");
    while (!queue_lease_retract(&lease)) /* the answer is on its way */
        assert_true(doorbell_wait(&consumer, 20000));
    end();
}

/* A successor must know that it can trust the count of consumers, or that it cannot. */
static void a_lease_with_deliveries_left_stays_in_its_row(void **state)
{
    (void)state;
    start();
    wait_for(is_renewed, "a renewal");
    queue_lease_subscribed(&lease, 1); /* and the connection is lost */
    end();
    assert_int_equal(fakes.released, 0);
    assert_true(fakes.claimed);
}

static void a_lease_with_uncounted_deliveries_says_so(void **state)
{
    (void)state;
    start();
    wait_for(is_renewed, "a renewal");
    queue_lease_leave_behind(&lease, HANDOVER_UNCOUNTED);
    end();
    assert_int_equal(fakes.released, 0);
    assert_false(fakes.claimed);
}

static bool looked_again(const struct fakes *now)
{
    return now->looks >= 2;
}

static void a_lease_that_another_instance_acquired_is_lost(void **state)
{
    (void)state;
    start();
    wait_for(is_renewed, "a renewal");
    SCRIPT((fakes.epoch = 5, fakes.fresh_holder = true));
    doorbell_ring(&bell);
    wait_for(looked_again, "a look at the other holder");
    assert_false(queue_lease_view(&lease).held);
    end();
    assert_int_equal(fakes.released, 0);
}

static bool is_away(const struct fakes *now)
{
    return now->looks >= 3;
}

/* The lease is not lost by that: another instance has to take it over first. */
static void a_database_that_is_away_is_told_and_waited_for(void **state)
{
    struct bridge_status status = { 0 };

    (void)state;
    start();
    wait_for(is_renewed, "a renewal");
    SCRIPT(fakes.database_away = true);
    doorbell_ring(&bell);
    wait_for(is_away, "attempts to connect in vain");
    assert_true(queue_lease_view(&lease).held);
    assert_false(queue_lease_view(&lease).database_ok);
    lease_keeper_status(&keeper, &status);
    assert_true(status.database_error.current);
    assert_string_equal(status.database_error.event, "database_unavailable");
    SCRIPT((fakes.database_away = false, fakes.renewals = 0));
    wait_for(is_renewed, "a renewal over the second connection");
    end();
    lease_keeper_status(&keeper, &status);
    assert_false(status.database_error.current);
    assert_int_equal(status.database_reconnects, 1);
    assert_int_equal(fakes.epoch, 1);
}

/* After an outage of the database a standby that connects first must not be done with waiting
   before the holder has connected and renewed. */
static void a_holder_connects_again_before_its_lease_expires(void **state)
{
    (void)state;
    assert_true(LEASE_KEEPER_POLICY.cap_ms + LEASE_RENEW_MS < LEASE_EXPIRES_MS);
}

static void a_lease_waits_for_its_tables(void **state)
{
    struct queue_status status = { 0 };

    (void)state;
    fakes.tables_wrong = true;
    start();
    wait_for(checked_twice, "two looks at the tables");
    assert_false(queue_lease_view(&lease).held);
    queue_lease_status(&lease, &status);
    assert_true(status.paused && status.tables_error.current);
    assert_string_equal(status.tables_error.error.subject, "e");
    SCRIPT(fakes.tables_wrong = false);
    wait_for(is_renewed, "a renewal");
    assert_true(queue_lease_view(&lease).held && queue_lease_view(&lease).tables_ok);
    status.paused = false;
    queue_lease_status(&lease, &status);
    assert_false(status.paused || status.tables_error.current);
    end();
}

static bool checked_again(const struct fakes *now)
{
    return now->table_checks >= 3 && now->renewals >= 1;
}

/* Over the next connection the tables are looked at again; the lease is renewed all the same. */
static void a_held_lease_does_not_wait_for_its_tables(void **state)
{
    (void)state;
    start();
    wait_for(is_renewed, "a renewal");
    SCRIPT((fakes.database_away = true, fakes.tables_wrong = true));
    doorbell_ring(&bell);
    wait_for(is_away, "attempts to connect in vain");
    SCRIPT((fakes.database_away = false, fakes.renewals = 0));
    wait_for(checked_again, "looks at the tables, and a renewal");
    assert_true(queue_lease_view(&lease).held);
    assert_false(queue_lease_view(&lease).tables_ok);
    end();
    assert_int_equal(fakes.epoch, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_free_lease_is_acquired_renewed_and_released),
        TEST(a_renewal_says_who_holds_the_lease),
        TEST(each_connection_identifies_the_process_anew),
        TEST(a_lease_whose_holder_lives_is_left_alone),
        TEST(a_queue_that_carries_another_entity_is_left_alone),
        TEST(what_the_holder_before_left_behind_is_in_the_row),
        TEST(the_row_is_written_when_the_bell_rings),
        TEST(a_lease_with_deliveries_left_stays_in_its_row),
        TEST(a_lease_with_uncounted_deliveries_says_so),
        TEST(a_lease_that_another_instance_acquired_is_lost),
        TEST(a_database_that_is_away_is_told_and_waited_for),
        TEST(a_holder_connects_again_before_its_lease_expires),
        TEST(a_lease_waits_for_its_tables),
        TEST(a_held_lease_does_not_wait_for_its_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
