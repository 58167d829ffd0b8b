#include "bridge/write/commit.h"

#include "base/log.h"
#include "base/text.h"
#include "bridge/timing.h"
#include "bridge/write/breaker_gate.h"

/*
 * Only here does the effect of a message become durable. `committed` is set after COMMIT has
 * returned, and after everything else has been read from the message, because from that moment on
 * the consumer thread acknowledges and frees it. A probe takes the same way and sets nothing.
 */

enum { DEAD_LETTERS_LOGGED_MAX = 50 }; /* by each writer in a log period; the table has them all */

/* A flood of bad messages must not become a flood of lines: each writer names some dead letters,
   and then how many it left out. */
static bool may_log_dead_letter(struct write_session *session)
{
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms - session->log_period_ms >= DEAD_LETTER_LOG_PERIOD_MS) {
        if (session->dead_letters_logged > DEAD_LETTERS_LOGGED_MAX)
            log_event(
                LOG_WARNING, "dead_letters_not_logged",
                "more messages became dead letters than were logged",
                LOG_TEXT("queue", session_queue(session)->name),
                LOG_NUMBER("messages", session->dead_letters_logged - DEAD_LETTERS_LOGGED_MAX));
        session->log_period_ms = now_ms;
        session->dead_letters_logged = 0;
    }
    return ++session->dead_letters_logged <= DEAD_LETTERS_LOGGED_MAX;
}

static void log_dead_letter(struct write_session *session, const struct message *message)
{
    const struct refusal *refusal = &message->refusal;
    struct slice id = refusal->entity_id.data == NULL && message->change != NULL
                          ? message->change->id
                          : refusal->entity_id;

    if (!may_log_dead_letter(session))
        return;
    log_event(LOG_WARNING, "dead_letter", "a message became a dead letter",
              LOG_TEXT("queue", session_queue(session)->name),
              LOG_TEXT("reason", refusal_reason_name(refusal->reason)), LOG_SLICE("entity_id", id),
              LOG_TEXT("path", text_or_null(refusal->path)),
              LOG_TEXT("sqlstate", text_or_null(refusal->sqlstate)));
}

/* Tells the breaker and the quarantine what the database takes. */
static void note_accepted(struct write_session *session, const struct write_request *request,
                          const struct write_report *report)
{
    size_t accepted = 0;

    for (size_t i = 0; i < request->count; i++)
        accepted += !request->messages[i]->refused;
    if (accepted == 0)
        return;
    breaker_note_commits(&session->shared->breaker, accepted);
    quarantine_note_commit(&session->quarantine, report->statements);
    counters_barred(&session->marks, session->quarantine.failed_in_a_row > 0);
}

static void finish(struct write_session *session, const struct write_request *request,
                   const struct write_report *report)
{
    struct queue *queue = session_queue(session);

    counters_commit(&queue->counters, request, report);
    session_note_commit(session);
    note_accepted(session, request, report);
    for (size_t i = 0; i < request->count; i++) {
        if (request->messages[i]->refused)
            log_dead_letter(session, request->messages[i]);
        atomic_store(&request->messages[i]->committed, true);
    }
    if (report->unreplicated)
        log_event(LOG_ERROR, "commit_not_replicated",
                  "a commit did not wait for the synchronous standby: somebody ended its wait",
                  LOG_TEXT("queue", queue->name), LOG_NUMBER("messages", request->count));
    log_event(LOG_DEBUG, "committed", "a batch is committed", LOG_TEXT("queue", queue->name),
              LOG_NUMBER("writer", session->number), LOG_NUMBER("messages", request->count),
              LOG_NUMBER("roots_written", report->roots_written));
    doorbell_ring(&queue->consumer);
}

/* That a batch is divided because it took too much memory needs nobody. */
static enum log_level level_of(bool pause, const struct write_report *report)
{
    if (pause)
        return LOG_ERROR;
    return report->gave_up && report->divisible ? LOG_INFO : LOG_WARNING;
}

void commit_log_failure(const struct write_session *session, bool pause,
                        const struct write_report *report, int64_t wait_ms)
{
    struct queue *queue = session_queue(session);
    char earlier[LAST_ERROR_EARLIER_MAX_BYTES];
    const struct log_field fields[] = {
        LOG_TEXT("queue", queue->name),
        LOG_NUMBER("writer", session->number),
        LOG_TEXT("sqlstate", text_or_null(report->sqlstate)),
        LOG_TEXT("earlier", text_or_null(last_error_earlier(&queue->counters.database_error,
                                                            earlier, sizeof(earlier)))),
        LOG_NUMBER("retry_ms", wait_ms),
        { 0 }
    };

    log_error(level_of(pause, report), counters_failure(pause ? WRITE_PAUSE : WRITE_RETRY, report),
              &report->error, fields);
}

/* Whether a message of the request was refused by the database (true), or by nobody (false). */
static bool has_message(const struct write_request *request, bool refused_by_database)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct message *message = request->messages[i];

        if (refused_by_database ? breaker_gate_has_refused(message) : !message->refused)
            return true;
    }
    return false;
}

/* One attempt. A transaction of dead letters alone has nothing that could be refused: it waits. */
static enum write_outcome try_once(struct write_session *session,
                                   const struct write_request *request, struct write_report *report)
{
    enum write_outcome outcome = session_write(session, request, report);

    return outcome == WRITE_REFUSED && !has_message(request, false) ? WRITE_PAUSE : outcome;
}

/* What waits is judged again, because meanwhile the reason of a verdict may have gone. */
static enum commit_result wait_until_over(struct write_session *session,
                                          const struct write_request *request, int wait_ms,
                                          bool *again)
{
    *again = session_wait(session, wait_ms) && !has_message(request, true);
    return session_is_abandoned(session) ? COMMIT_ABANDONED : COMMIT_JUDGE_AGAIN;
}

enum commit_result commit_until_decided(struct write_session *session,
                                        const struct write_request *request, unsigned tries,
                                        struct write_report *report)
{
    enum commit_result result = COMMIT_ABANDONED;
    bool again = !session_is_abandoned(session);

    for (unsigned suspicions = 0; again;) {
        enum write_outcome outcome;
        int wait_ms;

        if (breaker_gate_is_closed_to(session, request))
            return breaker_gate_wait(session, request) ? COMMIT_JUDGE_AGAIN : COMMIT_ABANDONED;
        outcome = try_once(session, request, report);
        if (outcome == WRITE_COMMITTED) {
            if (!request->probe)
                finish(session, request, report);
            return COMMIT_DONE;
        }
        if (outcome == WRITE_REFUSED)
            return COMMIT_REFUSED;
        if (outcome == WRITE_LEASE_LOST)
            return COMMIT_ABANDONED;
        suspicions += report->suspect;
        if (tries > 0 && report->suspect && suspicions >= tries)
            return COMMIT_SUSPECT;
        wait_ms = session_next_wait_ms(session, outcome == WRITE_PAUSE);
        commit_log_failure(session, outcome == WRITE_PAUSE, report, wait_ms);
        if (tries > 0 && report->too_much)
            return COMMIT_SUSPECT;
        result = wait_until_over(session, request, wait_ms, &again);
    }
    return result;
}
