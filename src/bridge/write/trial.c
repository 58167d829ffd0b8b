#include "bridge/write/trial.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bridge/write/breaker_gate.h"
#include "bridge/write/commit.h"
#include "model/returns.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * An error alone does not say whose fault it is, so the trial looks for evidence:
 * the same message fails alone, time and again, and others get through the very statements that
 * failed. Each message is probed on top of those before it that the database took, in order,
 * because the rows of an entity depend on all of them; what is decided commits in one transaction,
 * so that nobody sees a state in between.
 */

enum {
    /* In one trial: the messages behind them wait for the next one, unless they are redelivered. */
    PROBES_MAX = 100,
    /* How often a message that the site's rules refuse has failed before it is at fault although
       nothing else was written or failed meanwhile, and nothing is stored that can tell. */
    LONE_FAILURES = 4,
};

/* One entity on trial. */
struct trial {
    struct write_session *session;
    struct quarantined_entity *entity;
    struct message **messages; /* all of the entity, in order */
    size_t count;
    struct message **kept; /* those that the database takes */
    size_t kept_count;
    struct message **request; /* what is decided: the dead letters, then the messages kept before
                                 the first one that is not decided */
    size_t dead_count;
    size_t kept_before;
    size_t rest;     /* the first message that is not decided; count if all are */
    unsigned faults; /* dead letters by the rule of trial.h, and not by the rule of a SQLSTATE */
    struct write_report report;    /* of the last attempt */
    struct write_report undecided; /* of `rest` */
};

/* Logs what failed last, too: the failure of an entity on trial has no line of its own. */
static void log_quarantined(const struct write_session *session,
                            const struct quarantined_entity *entity,
                            const struct write_report *report, const char *message)
{
    log_event(LOG_WARNING, "quarantined", message, LOG_TEXT("queue", session_queue(session)->name),
              LOG_NUMBER("writer", session->number),
              LOG_SLICE("entity_id", ((struct slice){ entity->id, entity->id_len })),
              LOG_TEXT("sqlstate", text_or_null(entity->sqlstate)),
              LOG_NUMBER("attempts", entity->attempts), LOG_NUMBER("messages", entity->count),
              LOG_NUMBER("retry_ms", clock_left_ms(entity->due_ms)),
              LOG_TEXT("table", text_or_null(entity->table)),
              LOG_TEXT("why", text_or_null(report->error.why)),
              LOG_TEXT("hint", text_or_null(report->error.hint)));
}

/* The message failed alone. */
static void note_failure(struct message *message, const struct write_report *report)
{
    int64_t now_ms = clock_monotonic_ms();

    if (message->failed_alone_ms == 0)
        message->failed_alone_ms = now_ms;
    if ((report->unclassified || report->unproven) && message->failures++ == 0)
        message->failed_since_ms = now_ms;
}

bool trial_quarantine(struct write_session *session, struct message *const *messages, size_t count,
                      const struct write_report *report)
{
    struct quarantine *quarantine = &session->quarantine;
    struct quarantined_entity *entity = &quarantine->entities[quarantine->count];

    if (!quarantine_add(quarantine, messages, count, report->sqlstate))
        return false;
    quarantine_note_table(quarantine, entity, report->table);
    if (count == 1)
        note_failure(messages[0], report);
    log_quarantined(session, entity, report,
                    quarantine->failed_in_a_row > 1
                        ? "an entity fails, and nothing else is committed either: its messages wait"
                        : "an entity fails alone: its messages wait, and the others go on");
    return true;
}

static bool is_at_fault(const struct trial *trial, const struct message *message)
{
    const struct write_settings *settings = &trial->session->shared->settings;

    return trial->report.unclassified && message->failures >= settings->quarantine_attempts &&
           clock_monotonic_ms() - message->failed_since_ms >= settings->quarantine_span_ms &&
           quarantine_is_proven(&trial->session->quarantine, trial->report.statements,
                                message->failed_since_ms);
}

/* Whether others got through what failed. Where it is not known in which statement that was, any
   commit counts. Asks for a witness, which counts at the next trial. */
static bool others_get_through(const struct trial *trial, int64_t since_ms)
{
    const struct quarantine *quarantine = &trial->session->quarantine;
    uint64_t statements = trial->report.statements;

    if (statements == 0)
        return quarantine_has_committed(quarantine, since_ms);
    if (quarantine_is_proven(quarantine, statements, since_ms))
        return true;
    session_ask_witness(trial->session, statements);
    return false;
}

/* It came back so often that the broker would drop it in the end. So it is judged like one at
   fault, whatever the error: its dead letter is all that would be left of it. What others committed
   before it failed does not count: an outage may have begun in between. */
static bool would_be_dropped(const struct trial *trial, const struct message *message)
{
    const struct write_settings *settings = &trial->session->shared->settings;

    return returns_need_judgement(message->delivery->returns) &&
           clock_monotonic_ms() - message->failed_alone_ms >= settings->quarantine_span_ms &&
           others_get_through(trial, message->failed_alone_ms);
}

/* Whether a message that the database refused alone is at fault. If a whole table can raise that
   refusal, it takes proof that others got through since the first failure. Where there is none yet,
   asks for a witness, which counts when the message is refused again. Where nothing is stored that
   can tell, nothing speaks for an outage either. */
static bool prove_refusal(const struct trial *trial, const struct message *message)
{
    const struct quarantine *quarantine = &trial->session->quarantine;

    if (!trial->report.unproven ||
        quarantine_is_proven(quarantine, trial->report.statements, message->failed_since_ms))
        return true;
    return session_ask_witness(trial->session, trial->report.statements) == WITNESS_ABSENT &&
           message->failures >= LONE_FAILURES && quarantine_has_the_only_one(quarantine);
}

static void refuse(struct trial *trial, struct message *message)
{
    breaker_gate_refuse(trial->session, message, &trial->report);
    trial->request[trial->dead_count++] = message;
}

static void decide(struct trial *trial, size_t number, enum commit_result result)
{
    struct message *message = trial->messages[number];
    const bool decided = trial->rest == trial->count; /* all before it are */

    if (result == COMMIT_SUSPECT || result == COMMIT_REFUSED)
        note_failure(message, &trial->report);
    if (result == COMMIT_DONE) {
        trial->kept_count++;
        trial->kept_before += decided;
    } else if (decided && result == COMMIT_REFUSED && prove_refusal(trial, message)) {
        refuse(trial, message);
    } else if (decided && (is_at_fault(trial, message) || would_be_dropped(trial, message))) {
        trial->faults++;
        refuse(trial, message);
    } else if (decided) {
        trial->rest = number;
        trial->undecided = trial->report;
    }
}

/* Redelivered messages may all have been committed before: the first of them, without those that
   wait, would take the row a step back. */
static bool would_step_back(const struct trial *trial)
{
    return trial->kept_before > 0 && trial->messages[trial->rest]->in_redelivered_batch;
}

/* Redelivered messages are decided together, or one of them would have to wait. */
static size_t probes_of(const struct trial *trial)
{
    if (trial->count <= PROBES_MAX || trial->messages[PROBES_MAX]->in_redelivered_batch)
        return trial->count;
    return PROBES_MAX;
}

/* Tries the messages one by one. first is the result of all of them together, and so of a single
   message. Returns COMMIT_DONE, or the result that ended the trial early. */
static enum commit_result try_singly(struct trial *trial, enum commit_result first)
{
    size_t count = probes_of(trial);

    for (size_t i = 0; i < count; i++) {
        const struct write_request request = { .messages = trial->kept,
                                               .count = trial->kept_count + 1,
                                               .probe = true };
        enum commit_result result = first;

        trial->kept[trial->kept_count] = trial->messages[i];
        if (trial->count > 1)
            result = commit_until_decided(trial->session, &request, 1, &trial->report);
        if (result == COMMIT_ABANDONED || result == COMMIT_JUDGE_AGAIN)
            return result;
        decide(trial, i, result);
    }
    if (trial->rest == trial->count)
        trial->rest = count;
    else if (would_step_back(trial))
        trial->rest = 0;
    return COMMIT_DONE;
}

/* Raises the alarm: unlike a constraint of the site, nobody intended this. */
static void report_faults(const struct trial *trial)
{
    struct queue *queue = session_queue(trial->session);
    const struct quarantined_entity *entity = trial->entity;

    if (trial->faults == 0)
        return;
    atomic_fetch_add(&queue->counters.quarantine_rejected, trial->faults);
    log_event(LOG_ERROR, "quarantine_rejected",
              "a message failed again and again while others committed: it became a dead letter",
              LOG_TEXT("queue", queue->name),
              LOG_SLICE("entity_id", ((struct slice){ entity->id, entity->id_len })),
              LOG_TEXT("sqlstate", entity->sqlstate), LOG_NUMBER("attempts", entity->attempts),
              LOG_NUMBER("messages", trial->faults));
}

/* Commits what is decided; the other messages of the entity stay. */
static enum commit_result commit_decided(struct trial *trial)
{
    struct message *rest = trial->rest < trial->count ? trial->messages[trial->rest] : NULL;
    struct quarantine *quarantine = &trial->session->quarantine;
    struct write_report report;
    enum commit_result result;

    if (trial->rest == 0)
        return COMMIT_DONE;
    for (size_t i = 0; i < trial->kept_before; i++)
        trial->request[trial->dead_count + i] = trial->kept[i];
    result = commit_until_decided(
        trial->session,
        &(struct write_request){ .messages = trial->request,
                                 .count = trial->dead_count + trial->kept_before },
        1, &report);
    if (result != COMMIT_DONE)
        return result;
    report_faults(trial);
    if (rest == NULL && trial->kept_before == 0)
        quarantine_judged(quarantine, trial->entity);
    trial->dead_count = 0;
    quarantine_remove(quarantine, trial->entity, trial->rest, rest);
    counters_barred(&trial->session->marks,
                    quarantine->count > 0 && quarantine->failed_in_a_row > 0);
    return COMMIT_DONE;
}

/* Nothing gets through, and the entity still waits. The log and the status name the error of the
   message that waits, whatever was tried after it. */
static void report_undecided(const struct trial *trial)
{
    bool pause = trial->undecided.error.kind != ERROR_UNAVAILABLE;

    if (pause)
        counters_pause(&session_queue(trial->session)->counters, &trial->undecided);
    commit_log_failure(trial->session, pause, &trial->undecided,
                       clock_left_ms(trial->entity->due_ms));
}

/* The entity failed as a whole. Returns false when the subscription is gone. */
static bool judge(struct trial *trial, enum commit_result first)
{
    enum commit_result result = COMMIT_DONE;

    trial->rest = trial->count;
    trial->undecided = trial->report;
    if (trial->report.session_ended) /* a crash for each message would be too much */
        trial->rest = 0;
    else
        result = try_singly(trial, first);
    if (result == COMMIT_DONE)
        result = commit_decided(trial);
    for (size_t i = 0; i < trial->dead_count; i++)
        breaker_gate_take_back(trial->request[i]);
    if (result == COMMIT_ABANDONED)
        return false;
    if (result == COMMIT_DONE && trial->rest == trial->count)
        return true;
    if (atomic_load(&trial->session->marks.barred))
        report_undecided(trial);
    log_quarantined(trial->session, trial->entity, &trial->undecided,
                    "an entity still fails alone, and its messages wait");
    return true;
}

static bool try_entity(struct trial *trial)
{
    const struct write_request request = { .messages = trial->messages, .count = trial->count };
    struct quarantined_entity *entity = trial->entity;
    struct message *message = entity->first;
    enum commit_result result;

    for (size_t i = 0; i < trial->count; i++, message = message->next)
        trial->messages[i] = message;
    result = commit_until_decided(trial->session, &request, 1, &trial->report);
    if (result == COMMIT_REFUSED || result == COMMIT_SUSPECT) {
        quarantine_failed(&trial->session->quarantine, entity, trial->report.sqlstate);
        quarantine_note_table(&trial->session->quarantine, entity, trial->report.table);
        return judge(trial, result);
    }
    if (result == COMMIT_DONE) {
        log_event(LOG_INFO, "quarantine_ended", "a quarantined entity is committed",
                  LOG_TEXT("queue", session_queue(trial->session)->name),
                  LOG_SLICE("entity_id", ((struct slice){ entity->id, entity->id_len })),
                  LOG_NUMBER("messages", trial->count));
        quarantine_remove(&trial->session->quarantine, entity, trial->count, NULL);
        quarantine_recovered(&trial->session->quarantine);
        counters_barred(&trial->session->marks, trial->session->quarantine.failed_in_a_row > 0);
    }
    return result != COMMIT_ABANDONED;
}

static bool retry(struct write_session *session, struct quarantined_entity *entity)
{
    struct trial trial = { .session = session, .entity = entity, .count = entity->count };
    bool alive = true;

    trial.messages = calloc(trial.count, sizeof(struct message *));
    trial.kept = calloc(trial.count, sizeof(struct message *));
    trial.request = calloc(trial.count, sizeof(struct message *));
    if (trial.messages != NULL && trial.kept != NULL && trial.request != NULL)
        alive = try_entity(&trial);
    else
        quarantine_failed(&session->quarantine, entity, NULL);
    free(trial.messages);
    free(trial.kept);
    free(trial.request);
    return alive;
}

static bool is_last_attempt(const struct write_session *session)
{
    return queue_is_stopping(session_queue(session)) &&
           !atomic_load(&session->quarantine.tried_last);
}

bool trial_is_due(const struct write_session *session)
{
    const struct quarantine *quarantine = &session->quarantine;

    return quarantine->count > 0 &&
           (is_last_attempt(session) || quarantine_due_ms(quarantine) <= clock_monotonic_ms());
}

bool trial_run_due(struct write_session *session)
{
    struct quarantine *quarantine = &session->quarantine;
    bool last = is_last_attempt(session);
    size_t i = 0;

    while (i < quarantine->count) {
        size_t count = quarantine->count;
        struct quarantined_entity *entity = &quarantine->entities[i];

        if ((last || entity->due_ms <= clock_monotonic_ms()) && !retry(session, entity))
            return false;
        i += quarantine->count == count; /* else the next one has moved up */
    }
    if (last && quarantine->count > 0) {
        atomic_store(&quarantine->tried_last, true);
        doorbell_ring(&session_queue(session)->consumer);
    }
    return true;
}
