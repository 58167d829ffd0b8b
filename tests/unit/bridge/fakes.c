#include "fakes.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { DEADLINE_S = 20 };

void fakes_init(struct fakes *fakes)
{
    pthread_mutexattr_t checked;

    memset(fakes, 0, sizeof(*fakes));
    pthread_mutexattr_init(&checked);
    pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK); /* see fakes_let_go() */
    pthread_mutex_init(&fakes->lock, &checked);
    pthread_mutexattr_destroy(&checked);
    pthread_cond_init(&fakes->changed, NULL);
}

void fakes_release(struct fakes *fakes)
{
    pthread_cond_destroy(&fakes->changed);
    pthread_mutex_destroy(&fakes->lock);
}

static void changed(struct fakes *fakes)
{
    pthread_cond_broadcast(&fakes->changed);
    pthread_mutex_unlock(&fakes->lock);
}

void fakes_let_go(struct fakes *fakes)
{
    /* Refused if this thread holds it already, which is as good. */
    pthread_mutex_lock(&fakes->lock);
    fakes->blocked = false;
    changed(fakes);
}

void fakes_deliver(struct fakes *fakes, const char *body, bool redelivered)
{
    pthread_mutex_lock(&fakes->lock);
    fakes->script[fakes->script_count++] = (struct fake_delivery){ body, redelivered };
    changed(fakes);
}

void fakes_wait(struct fakes *fakes, bool (*condition)(const struct fakes *), const char *what)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    while (!condition(fakes)) {
        if (pthread_cond_timedwait(&fakes->changed, &fakes->lock, &until) == ETIMEDOUT) {
            pthread_mutex_unlock(&fakes->lock);
            fail_msg("waited in vain for: %s", what);
        }
    }
}

/* ---- broker ---- */

static int broker_open(void *context, void **consumer, struct error *err)
{
    struct fakes *fakes = context;

    (void)err;
    pthread_mutex_lock(&fakes->lock);
    fakes->connections++;
    fakes->open++;
    fakes->next_tag = 1;
    fakes->cut = false;
    fakes->cancelled = false;
    changed(fakes);
    *consumer = fakes;
    return 0;
}

static void broker_close(void *consumer)
{
    struct fakes *fakes = consumer;

    pthread_mutex_lock(&fakes->lock);
    fakes->open--;
    changed(fakes);
}

static int broker_inspect(void *consumer, const char *queue, struct broker_queue_state *state,
                          struct error *err)
{
    struct fakes *fakes = consumer;

    (void)queue;
    (void)err;
    pthread_mutex_lock(&fakes->lock);
    fakes->inspections++;
    *state = (struct broker_queue_state){ .consumers = fakes->other_consumers };
    changed(fakes);
    return 0;
}

static int broker_subscribe(void *consumer, const char *queue, int prefetch, struct error *err)
{
    struct fakes *fakes = consumer;

    (void)queue;
    (void)err;
    pthread_mutex_lock(&fakes->lock);
    fakes->subscriptions++;
    fakes->prefetch = prefetch;
    changed(fakes);
    return 0;
}

static int broker_next(void *consumer, int wake_fd, int timeout_ms, struct delivery **delivery,
                       struct error *err)
{
    struct fakes *fakes = consumer;
    struct delivery source = { .properties = SLICE_LITERAL("{}") };
    int result = 0;

    pthread_mutex_lock(&fakes->lock);
    if (fakes->cut) {
        result = error_set(err, ERROR_UNAVAILABLE, "the broker is gone", NULL, "scripted");
    } else if (fakes->delivered < fakes->script_count && !fakes->cancelled) {
        source.body = slice_of(fakes->script[fakes->delivered].body);
        source.redelivered = fakes->script[fakes->delivered++].redelivered;
        source.tag = fakes->next_tag++;
        *delivery = delivery_copy(&source);
        result = 1;
    } else if (fakes->script_count > 0) {
        fakes->idle_waits++;
    }
    changed(fakes);
    if (result == 0) {
        struct pollfd watched = { .fd = wake_fd, .events = POLLIN };

        poll(&watched, 1, timeout_ms < 20 ? timeout_ms : 20);
    }
    return result;
}

static int broker_idle(void *consumer, int wake_fd, int timeout_ms, struct error *err)
{
    struct fakes *fakes = consumer;
    struct pollfd watched = { .fd = wake_fd, .events = POLLIN };
    bool cut;

    poll(&watched, 1, timeout_ms < 20 ? timeout_ms : 20);
    pthread_mutex_lock(&fakes->lock);
    fakes->pauses++;
    cut = fakes->cut;
    changed(fakes);
    return cut ? error_set(err, ERROR_UNAVAILABLE, "the broker is gone", NULL, "scripted") : 0;
}

static int broker_ack(void *consumer, uint64_t tag, struct error *err)
{
    struct fakes *fakes = consumer;

    pthread_mutex_lock(&fakes->lock);
    while (fakes->stuck)
        pthread_cond_wait(&fakes->changed, &fakes->lock);
    if (fakes->cut) {
        changed(fakes);
        return error_set(err, ERROR_UNAVAILABLE, "the broker is gone", NULL, "scripted");
    }
    fakes->acks[fakes->ack_count++] = (uint64_t)fakes->connections * 1000 + tag;
    changed(fakes);
    return 0;
}

static int broker_ack_one(void *consumer, uint64_t tag, struct error *err)
{
    struct fakes *fakes = consumer;
    int result = broker_ack(consumer, tag, err);

    pthread_mutex_lock(&fakes->lock);
    fakes->single_acks += result == 0;
    changed(fakes);
    return result;
}

static int broker_cancel(void *consumer, struct error *err)
{
    struct fakes *fakes = consumer;

    (void)err;
    pthread_mutex_lock(&fakes->lock);
    fakes->cancelled = true;
    fakes->cancelled_while_claimed = fakes->claimed;
    changed(fakes);
    return 0;
}

/* Nothing is ready, unless the script holds messages back. */
static int broker_ask(void *consumer, struct error *err)
{
    struct fakes *fakes = consumer;

    (void)err;
    pthread_mutex_lock(&fakes->lock);
    fakes->questions++;
    changed(fakes);
    return 0;
}

static bool broker_answered(void *consumer, struct broker_queue_state *state)
{
    struct fakes *fakes = consumer;

    pthread_mutex_lock(&fakes->lock);
    *state = (struct broker_queue_state){ .messages = fakes->held_back, .consumers = 1 };
    changed(fakes);
    return true;
}

static void broker_interrupt(void *consumer)
{
    struct fakes *fakes = consumer;

    pthread_mutex_lock(&fakes->lock);
    fakes->interruptions++;
    fakes->stuck = false;
    fakes->cut = true;
    changed(fakes);
}

static int broker_longest_call_ms(const void *consumer)
{
    (void)consumer;
    return 0;
}

static int broker_default_delivery_limit(const void *consumer)
{
    (void)consumer;
    return 20;
}

static int broker_heartbeat_s(const void *consumer)
{
    (void)consumer;
    return 1;
}

/* ---- mapper ---- */

static void *mapper_open(void *context)
{
    return context;
}

static void ignore(void *unused)
{
    (void)unused;
}

static enum map_outcome map(void *mapper, struct slice body, struct arena *arena,
                            struct change **change, struct refusal *refusal)
{
    (void)mapper;
    if (body.data[0] == '?') {
        *refusal = (struct refusal){ .reason = REFUSAL_NOT_JSON };
        return MAP_REFUSED;
    }
    *change = arena_alloc(arena, sizeof(**change));
    if (*change == NULL)
        return MAP_NO_MEMORY;
    (*change)->id = (struct slice){ body.data, 1 };
    return MAP_ACCEPTED;
}

static size_t unmatched(void *mapper, char *text, size_t size)
{
    (void)mapper;
    snprintf(text, size, "a.path");
    return 1;
}

static size_t arena_limit(void *context)
{
    (void)context;
    return 65536;
}

struct message *fakes_message(const char *body, uint64_t position)
{
    const struct delivery source = { .body = slice_of(body), .properties = SLICE_LITERAL("{}") };
    struct message *message = message_new(delivery_copy(&source), arena_limit(NULL));

    message->refused = map(NULL, message->delivery->body, &message->arena, &message->change,
                           &message->refusal) == MAP_REFUSED;
    message->position = position;
    return message;
}

/* ---- store ---- */

static void *store_open(void *context)
{
    return context;
}

static bool is_refused_for_ever(struct slice body)
{
    return body.len > 2 && memcmp(body.data + body.len - 2, "!!", 2) == 0;
}

/* A body's last character tells what the database thinks of it. */
static enum write_outcome judge(const struct fakes *fakes, const struct message *message,
                                struct write_report *report)
{
    struct slice body = message->delivery->body;
    bool disturbed =
        fakes->disturbance != '\0' && fakes->transaction_count >= fakes->disturbed_from;
    char mark = disturbed ? fakes->disturbance : body.data[body.len - 1];

    if (message->refused || (fakes->mended && !is_refused_for_ever(body)))
        return WRITE_COMMITTED;
    report->unclassified = mark == '*' || mark == '%' || fakes->disturbed;
    report->suspect = report->unclassified || mark == '$' || mark == '+';
    report->unproven = mark == '&' || mark == '-';
    report->too_much = report->too_much || mark == '#';
    report->statements = mark == '%' || mark == '-' ? 2 : 1;
    if (mark == '!' || report->unproven || (mark == '=' && fakes->transaction_count == 0))
        return WRITE_REFUSED;
    if (mark == '$')
        return WRITE_PAUSE;
    return report->suspect || mark == '#' ? WRITE_RETRY : WRITE_COMMITTED;
}

static const char *sqlstate_of(enum write_outcome outcome, const struct message *judged,
                               const struct write_report *report)
{
    if (outcome == WRITE_REFUSED && report->unproven)
        return "P0001";
    if (outcome == WRITE_PAUSE && report->suspect)
        return "42501";
    if (outcome == WRITE_REFUSED)
        return judged != NULL && judged->delivery->body.data[judged->delivery->body.len - 1] == '='
                   ? "23505"
                   : "23514";
    return report->unclassified ? "ZZ001" : "57P01";
}

static void record(struct fakes *fakes, const struct write_request *request)
{
    char *line = fakes->transactions[fakes->transaction_count++];
    size_t used =
        (size_t)snprintf(line, sizeof(fakes->transactions[0]), "%s", request->probe ? "probe" : "");

    for (size_t i = 0; i < request->count && used < sizeof(fakes->transactions[0]); i++) {
        const struct message *message = request->messages[i];

        used += (size_t)snprintf(line + used, sizeof(fakes->transactions[0]) - used, "%s%s%.*s",
                                 used > 0 ? " " : "", message->refused ? "dead:" : "",
                                 SLICE_ARG(message->delivery->body));
    }
}

static enum write_outcome store_write(void *store, int64_t epoch,
                                      const struct write_request *request,
                                      struct write_report *report)
{
    struct fakes *fakes = store;
    enum write_outcome outcome = WRITE_COMMITTED;
    const struct message *judged = NULL;

    *report = (struct write_report){ 0 };
    pthread_mutex_lock(&fakes->lock);
    report->too_much = fakes->capacity > 0 && request->count > fakes->capacity;
    fakes->waiting++;
    pthread_cond_broadcast(&fakes->changed);
    while (fakes->blocked)
        pthread_cond_wait(&fakes->changed, &fakes->lock);
    fakes->waiting--;
    if (fakes->mended_after > 0 && fakes->attempts >= fakes->mended_after)
        fakes->mended = true;
    if (fakes->attempts < fakes->outcome_count)
        outcome = fakes->outcomes[fakes->attempts];
    else if (epoch != fakes->epoch)
        outcome = WRITE_LEASE_LOST;
    if (outcome == WRITE_COMMITTED && (report->too_much || fakes->recovers))
        outcome = WRITE_RETRY;
    fakes->recovers = false;
    report->refused = request->probe && fakes->attempts < fakes->grown_until ? 1 : 0;
    fakes->attempts++;
    for (size_t i = 0; report->refused == 0 && outcome == WRITE_COMMITTED && i < request->count;
         i++)
        outcome = judge(fakes, judged = request->messages[i], report);
    fakes->recovers = fakes->crashes && outcome == WRITE_RETRY && report->suspect;
    if (outcome == WRITE_COMMITTED)
        record(fakes, request);
    else
        snprintf(report->sqlstate, sizeof(report->sqlstate), "%s",
                 sqlstate_of(outcome, judged, report));
    changed(fakes);
    return outcome;
}

static int store_ask_witness(void *store, int64_t epoch, uint64_t *rest, uint64_t *passed)
{
    struct fakes *fakes = store;
    bool taken;

    (void)epoch;
    *rest = 0;
    pthread_mutex_lock(&fakes->lock);
    fakes->witnesses_asked++;
    taken = fakes->disturbance == '\0' || fakes->transaction_count < fakes->disturbed_from;
    *passed = fakes->witness && taken ? 1 : 0;
    changed(fakes);
    return taken || !fakes->witness ? 0 : -1;
}

/* ---- lease ---- */

static int lease_open(void *context, void **session, struct error_list *problems)
{
    struct fakes *fakes = context;
    struct error err;
    bool away;

    pthread_mutex_lock(&fakes->lock);
    away = fakes->database_away;
    fakes->looks += away;
    changed(fakes);
    if (away) {
        error_set(&err, ERROR_UNAVAILABLE, "the database is away", NULL, "scripted");
        error_list_add(problems, &err);
        return -1;
    }
    *session = context;
    return 0;
}

static int lease_check_tables(void *session, const char *queue, const char *entity,
                              struct error_list *problems)
{
    struct fakes *fakes = session;
    struct error err;
    bool wrong;
    bool away;

    (void)queue;
    pthread_mutex_lock(&fakes->lock);
    fakes->table_checks++;
    wrong = fakes->tables_wrong || (fakes->other_entity && fakes->table_checks > 1);
    away = fakes->database_away;
    changed(fakes);
    if (wrong || away) {
        error_set(&err, away ? ERROR_UNAVAILABLE : ERROR_PROBLEMS, "missing column", entity,
                  "scripted");
        error_list_add(problems, &err);
    }
    return away ? -1 : !wrong;
}

static int lease_read(void *session, const char *queue, const char *entity, struct lease *lease,
                      struct error *err)
{
    struct fakes *fakes = session;
    bool other;

    (void)queue;
    (void)entity;
    pthread_mutex_lock(&fakes->lock);
    fakes->looks++;
    other = fakes->other_entity;
    *lease = (struct lease){ .epoch = fakes->epoch,
                             .version = 1 + (fakes->expired_holder ? 0 : fakes->looks) };
    if (fakes->expired_holder || fakes->fresh_holder) {
        lease->holder =
            (struct lease_holder){ .name = "elsewhere 1", .instance = "elsewhere boot/1 1 1" };
        lease->state = fakes->uncounted_holder ? LEASE_STATE_HELD : LEASE_STATE_CONSUMING;
    }
    changed(fakes);
    if (other)
        error_set(err, ERROR_CONFIG, "the queue carries another entity", "q", "scripted");
    return other;
}

static int lease_acquire(void *session, const char *queue, const struct lease_holder *holder,
                         struct lease *lease, struct error *err)
{
    struct fakes *fakes = session;

    (void)queue;
    (void)holder;
    (void)err;
    pthread_mutex_lock(&fakes->lock);
    lease->epoch = ++fakes->epoch;
    changed(fakes);
    return 1;
}

static int lease_renew(void *session, const char *queue, const struct lease *mine,
                       const struct freshness *freshness, struct error *err)
{
    struct fakes *fakes = session;
    bool away;
    int ours;

    (void)queue;
    (void)freshness;
    pthread_mutex_lock(&fakes->lock);
    away = fakes->database_away;
    ours = mine->epoch == fakes->epoch;
    if (!away) {
        fakes->renewals++;
        fakes->holder = mine->holder;
        fakes->claimed = mine->state == LEASE_STATE_CONSUMING;
    }
    changed(fakes);
    return away ? error_set(err, ERROR_UNAVAILABLE, "the database is away", NULL, "scripted")
                : ours;
}

static int lease_release(void *session, const char *queue, int64_t epoch,
                         const struct freshness *freshness, struct error *err)
{
    struct fakes *fakes = session;
    int ours;

    (void)queue;
    (void)freshness;
    (void)err;
    pthread_mutex_lock(&fakes->lock);
    ours = epoch == fakes->epoch;
    fakes->released += ours;
    fakes->claimed = false;
    changed(fakes);
    return ours;
}

struct queue_ports fakes_ports(struct fakes *fakes)
{
    return (struct queue_ports){
        .broker = { fakes, broker_open, broker_close, broker_inspect, broker_subscribe, broker_next,
                    broker_idle, broker_ack, broker_ack_one, broker_cancel, broker_ask,
                    broker_answered, broker_heartbeat_s, broker_default_delivery_limit,
                    broker_interrupt, broker_longest_call_ms },
        .mapper = { fakes, mapper_open, ignore, map, unmatched, arena_limit },
        .store = { fakes, store_open, ignore, store_write, store_ask_witness },
    };
}

struct lease_port fakes_lease(struct fakes *fakes)
{
    return (struct lease_port){ fakes,      lease_open,    ignore,      lease_check_tables,
                                lease_read, lease_acquire, lease_renew, lease_release };
}
