#include "bridge/lease/lease_keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/lease/process.h"
#include "bridge/timing.h"

#include <string.h>

/*
 * Renewing has a thread and a connection of its own, so that a lease lives through a writer's long
 * transaction, and one for all queues, so that an instance costs the database one session more and
 * not one for each queue. Renewing is a plain UPDATE, which the writers' FOR KEY SHARE on the same
 * row does not block; acquiring takes FOR UPDATE, which waits for their transactions: after that no
 * transaction under the old epoch can commit.
 */

void lease_keeper_init(struct lease_keeper *keeper, const struct lease_port *port,
                       struct queue_lease *const *leases, size_t lease_count,
                       const struct doorbell *bell)
{
    *keeper = (struct lease_keeper){
        .port = *port, .leases = leases, .lease_count = lease_count, .bell = bell
    };
    last_error_init(&keeper->error);
}

void lease_keeper_release(struct lease_keeper *keeper)
{
    last_error_release(&keeper->error);
}

void lease_keeper_end(struct lease_keeper *keeper)
{
    atomic_store(&keeper->end, true);
    doorbell_ring(keeper->bell);
}

void lease_keeper_status(struct lease_keeper *keeper, struct bridge_status *status)
{
    uint64_t sessions = atomic_load(&keeper->sessions);

    status->database_reconnects = sessions > 0 ? sessions - 1 : 0;
    status->keeper_silent_ms = liveness_silent_ms(&keeper->liveness);
    last_error_read(&keeper->error, &status->database_error);
}

/* Returns false when the thread is to end. It answers the bell only while it has a connection;
   otherwise a ring would cut its backoff short. */
static bool wait_for(struct lease_keeper *keeper, int wait_ms, bool answers_bell)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    bool rung = false;

    while (!atomic_load(&keeper->end) && !(answers_bell && rung) && clock_left_ms(deadline_ms) > 0)
        rung = doorbell_wait(keeper->bell, clock_left_ms(deadline_ms));
    return !atomic_load(&keeper->end);
}

static void set_database_ok(struct lease_keeper *keeper, bool ok)
{
    for (size_t i = 0; i < keeper->lease_count; i++)
        queue_lease_set_database_ok(keeper->leases[i], ok);
}

static bool is_own(const struct lease_keeper *keeper, const struct lease *lease)
{
    return strcmp(lease->holder.name, keeper->self.name) == 0 &&
           strcmp(lease->holder.instance, keeper->self.instance) == 0;
}

/* A lease may be acquired when nobody holds it, or when its holder has been silent for too long or
   died on this machine. */
static bool may_acquire(const struct lease_keeper *keeper, const struct lease *lease,
                        int64_t silent_ms)
{
    return lease->holder.name[0] == '\0' || is_own(keeper, lease) ||
           silent_ms >= LEASE_EXPIRES_MS || process_is_dead(lease->holder.instance);
}

/* Reads the lease; *silent_ms is how long its holder has been silent, as this instance saw it.
   Returns 1, 0 when the row names another entity, which the next look at the tables reports, or
   -1. */
static int look(struct lease_keeper *keeper, void *session, struct queue_lease *mine,
                struct lease *lease, int64_t *silent_ms, struct error *err)
{
    int64_t began_ms = clock_monotonic_ms();
    int other = keeper->port.read(session, mine->queue, mine->entity, lease, err);

    if (other < 0)
        return -1;
    *silent_ms = silence_after(&mine->silence, lease, began_ms, clock_monotonic_ms());
    if (other > 0)
        queue_tables_begin(&mine->tables);
    return !other;
}

static int acquire(struct lease_keeper *keeper, void *session, struct queue_lease *mine,
                   struct error *err)
{
    int64_t began_ms = clock_boot_ms();
    int64_t silent_ms;
    struct lease lease = { 0 };
    struct lease_holder before;
    int looked = look(keeper, session, mine, &lease, &silent_ms, err);
    int acquired;

    if (looked != 1)
        return looked;
    if (!may_acquire(keeper, &lease, silent_ms)) {
        queue_lease_held_by(mine, lease.holder.name);
        log_event(LOG_DEBUG, "standby", "another instance holds the lease",
                  LOG_TEXT("queue", mine->queue), LOG_TEXT("holder", lease.holder.name));
        return 0;
    }
    if (!is_own(keeper, &lease)) /* else it was acquired before, and the answer was lost */
        mine->sought = handover_from(&lease);
    before = lease.holder;
    acquired = keeper->port.acquire(session, mine->queue, &keeper->self, &lease, err);
    if (lease.sessions_ended > 0)
        log_event(LOG_WARNING, "sessions_ended",
                  "a holder stood still in a transaction, so its database sessions were ended",
                  LOG_TEXT("queue", mine->queue), LOG_NUMBER("sessions", lease.sessions_ended));
    if (acquired != 1)
        return acquired;
    log_event(LOG_INFO, "lease_acquired", "this instance writes for the queue",
              LOG_TEXT("queue", mine->queue), LOG_NUMBER("epoch", lease.epoch),
              LOG_TEXT("taken_over_from", text_or_null(before.name)));
    queue_lease_set_returns(mine, lease.returns);
    queue_lease_acquired(mine, lease.epoch, began_ms, mine->sought);
    return 0;
}

static struct freshness freshness_of(struct queue_lease *mine)
{
    struct freshness freshness = counters_freshness(mine->counters);

    freshness.returns = queue_lease_returns(mine);
    return freshness;
}

static int renew(const struct lease_keeper *keeper, void *session, struct queue_lease *mine,
                 enum lease_state state, struct error *err)
{
    const struct lease lease = { .epoch = queue_lease_view(mine).epoch,
                                 .holder = keeper->self,
                                 .state = state };
    struct freshness freshness = freshness_of(mine);

    return keeper->port.renew(session, mine->queue, &lease, &freshness, err);
}

static int check_tables(struct lease_keeper *keeper, void *session, struct queue_lease *mine,
                        struct error *err)
{
    bool fit;
    int result;

    if (atomic_exchange(&mine->tables_doubted, false))
        queue_tables_begin(&mine->tables);
    result = queue_tables_check(&mine->tables, &keeper->port, session, mine->queue, mine->entity,
                                &fit, err);
    if (result > 0)
        queue_lease_set_tables_ok(mine, fit);
    return result;
}

static int tend(struct lease_keeper *keeper, void *session, struct queue_lease *mine,
                struct error *err)
{
    struct lease_view view;
    int64_t began_ms;
    enum lease_state state;
    int renewed;

    if (check_tables(keeper, session, mine, err) < 0)
        return -1;
    view = queue_lease_view(mine);
    if (!view.held)
        return view.tables_ok ? acquire(keeper, session, mine, err) : 0;
    began_ms = clock_boot_ms();
    state = queue_lease_claim(mine);
    renewed = renew(keeper, session, mine, state, err);
    if (renewed == 0)
        queue_lease_lost(mine, view.epoch);
    else if (renewed > 0)
        queue_lease_renewed(mine, began_ms, state);
    return renewed < 0 ? -1 : 0;
}

/* Whether waiting alone does not end the problem: the schema, a privilege or a login is wrong. */
static bool needs_a_person(const struct error *problem)
{
    return problem->kind == ERROR_PROBLEMS || problem->kind == ERROR_CONFIG ||
           problem->kind == ERROR_PERMISSION;
}

/* Logs one line, however many problems there are: the first of them and their number. `kopru check`
   names all. */
static void report(struct lease_keeper *keeper, const struct error_list *problems, int wait_ms)
{
    bool paused = problems->count > 0 && needs_a_person(&problems->items[0]);
    const char *event = paused ? "paused" : "database_unavailable";

    if (problems->count == 0)
        return;
    last_error_set(&keeper->error, event, &problems->items[0], NULL, problems->count - 1);
    log_error(paused ? LOG_ERROR : LOG_WARNING, event, &problems->items[0],
              (const struct log_field[]){ LOG_NUMBER("problems", problems->count),
                                          LOG_NUMBER("retry_ms", wait_ms),
                                          { 0 } });
}

/* Acquires and renews the leases until the connection fails (true) or the thread is to end (false).
   *useful: all of them were tended once. */
static bool tend_all(struct lease_keeper *keeper, void *session, bool *useful, struct error *err)
{
    for (size_t i = 0; i < keeper->lease_count; i++)
        queue_tables_begin(&keeper->leases[i]->tables);
    do {
        liveness_beat(&keeper->liveness);
        for (size_t i = 0; i < keeper->lease_count; i++) {
            if (tend(keeper, session, keeper->leases[i], err) != 0)
                return true;
        }
        set_database_ok(keeper, true);
        last_error_end(&keeper->error);
        *useful = true;
    } while (wait_for(keeper, LEASE_RENEW_MS, true));
    return false;
}

/* The broker may hand out deliveries of a lost connection late. The row tells the next holder to
   wait for them. */
static int leave_in_row(const struct lease_keeper *keeper, void *session, struct queue_lease *mine,
                        enum handover left, struct error *err)
{
    log_event(LOG_WARNING, "lease_not_released",
              "the connection was lost, so the next holder waits until the broker has noticed",
              LOG_TEXT("queue", mine->queue));
    return renew(keeper, session, mine,
                 left == HANDOVER_COUNTED ? LEASE_STATE_CONSUMING : LEASE_STATE_DISCONNECTED, err);
}

static void release_all(const struct lease_keeper *keeper, void *session)
{
    for (size_t i = 0; i < keeper->lease_count; i++) {
        struct queue_lease *mine = keeper->leases[i];
        struct lease_view view = queue_lease_view(mine);
        struct freshness freshness = freshness_of(mine);
        struct error err;
        int result = 0;

        if (view.held && view.handover != HANDOVER_NONE)
            result = leave_in_row(keeper, session, mine, view.handover, &err);
        else if (view.held)
            result = keeper->port.release(session, mine->queue, view.epoch, &freshness, &err);
        if (result < 0)
            log_error(LOG_WARNING, "lease_not_released", &err,
                      (const struct log_field[]){ LOG_TEXT("queue", mine->queue), { 0 } });
    }
}

void *lease_keeper_main(void *argument)
{
    struct lease_keeper *keeper = argument;
    struct backoff backoff;
    struct error_list problems;
    bool more = true;

    backoff_init(&backoff, LEASE_KEEPER_POLICY);
    while (more) {
        void *session = NULL;
        bool useful = false;
        struct error err;
        int wait_ms;

        liveness_beat(&keeper->liveness);
        error_list_init(&problems);
        if (keeper->port.open(keeper->port.context, &session, &problems) == 0) {
            /* Anew each time: a process that was restored from a checkpoint has another start. */
            process_identify(&keeper->self);
            atomic_fetch_add(&keeper->sessions, 1);
            more = tend_all(keeper, session, &useful, &err);
            if (useful) /* a session that is lost at once does not make the waits short */
                backoff_reset(&backoff);
            if (!more)
                release_all(keeper, session);
            else
                error_list_add(&problems, &err);
        }
        if (more) {
            set_database_ok(keeper, false);
            wait_ms = backoff_next_ms(&backoff);
            report(keeper, &problems, wait_ms);
            more = wait_for(keeper, wait_ms, false);
        }
        keeper->port.close(session);
        error_list_release(&problems);
    }
    liveness_rest(&keeper->liveness);
    return NULL;
}
