#include "bridge/write/breaker_gate.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>

/*
 * When the breaker opens, the last refusals are in doubt as well. So a refused message keeps its
 * rows until its dead letter is committed, and its refusal can be taken back. Refused messages are
 * tried before others: if one of them is taken, the fault is gone, while another message might have
 * been taken all the time. A message that kopru itself refused proves nothing, because the database
 * never sees its rows; so a request of such messages alone passes an open breaker.
 */

static void log_breaker(const struct write_session *session, enum log_level level,
                        const char *event, const char *message)
{
    struct breaker_status status;

    breaker_status(&session->shared->breaker, &status);
    log_event(level, event, message, LOG_TEXT("queue", session_queue(session)->name),
              LOG_NUMBER("refused", status.refused), LOG_NUMBER("window", status.window),
              LOG_TEXT("sqlstate", text_or_null(status.sqlstate)),
              LOG_TEXT("table", text_or_null(status.table)),
              LOG_TEXT("constraint", text_or_null(status.constraint)),
              LOG_NUMBER("probe_ms", status.probe_ms));
}

void breaker_gate_refuse(struct write_session *session, struct message *message,
                         const struct write_report *report)
{
    struct refusal *refusal = &message->refusal;

    *refusal = (struct refusal){ .reason = REFUSAL_REJECTED_BY_DATABASE };
    snprintf(refusal->sqlstate, sizeof(refusal->sqlstate), "%s", report->sqlstate);
    snprintf(refusal->detail, sizeof(refusal->detail),
             "the database refused the rows: SQLSTATE %s%s%s%s%s%s%s", report->sqlstate,
             report->table[0] != '\0' ? ", table " : "", report->table,
             report->column[0] != '\0' ? ", column " : "", report->column,
             report->constraint[0] != '\0' ? ", constraint " : "", report->constraint);
    message->refused = true;
    if (breaker_note_refusal(&session->shared->breaker, report))
        log_breaker(
            session, LOG_ERROR, "breaker_open",
            "the database refuses too many messages, so nothing is written until it takes one");
}

bool breaker_gate_has_refused(const struct message *message)
{
    return message->refused && message->refusal.reason == REFUSAL_REJECTED_BY_DATABASE;
}

void breaker_gate_take_back(struct message *message)
{
    message->refused = false;
    message->refusal = (struct refusal){ 0 };
}

static size_t count_candidates(const struct write_request *request, bool refused)
{
    size_t count = 0;

    for (size_t i = 0; i < request->count; i++)
        count += refused ? breaker_gate_has_refused(request->messages[i])
                         : !request->messages[i]->refused;
    return count;
}

/* Returns the message to try: one that was refused, else one that may be written, or NULL when
   there is neither. Each turn picks another one, because some messages are at fault themselves and
   would keep the breaker open for ever. */
static struct message *candidate(const struct write_request *request, size_t turn)
{
    const bool refused = count_candidates(request, true) > 0;
    const size_t count = count_candidates(request, refused);
    size_t before = count > 0 ? turn % count : 0;

    for (size_t i = 0; i < request->count; i++) {
        struct message *message = request->messages[i];

        if ((refused ? breaker_gate_has_refused(message) : !message->refused) && before-- == 0)
            return message;
    }
    return NULL;
}

bool breaker_gate_is_closed_to(const struct write_session *session,
                               const struct write_request *request)
{
    return breaker_is_open(&session->shared->breaker) && candidate(request, 0) != NULL;
}

/* Writes one message in a transaction that is rolled back. */
static void try_message(struct write_session *session, struct message *message)
{
    const struct write_request request = { .messages = &message, .count = 1, .probe = true };
    const struct refusal refusal = message->refusal;
    const bool refused = message->refused;
    struct write_report report;
    bool taken;

    breaker_gate_take_back(message);
    /* That kopru refuses a message by now proves nothing either. */
    taken = session_write(session, &request, &report) == WRITE_COMMITTED && report.refused == 0;
    message->refused = refused;
    message->refusal = refusal;
    if (taken)
        log_breaker(session, LOG_INFO, "breaker_closed",
                    "the database takes a message again, and writing goes on");
    else
        log_breaker(session, LOG_ERROR, "breaker_still_open",
                    "the database does not take a message that was tried");
    breaker_probed(&session->shared->breaker, taken);
}

bool breaker_gate_wait(struct write_session *session, const struct write_request *request)
{
    struct breaker *breaker = &session->shared->breaker;
    const bool has_refused = breaker_gate_has_refused(candidate(request, 0));
    enum breaker_turn turn = BREAKER_WAIT;
    size_t tries = 0;

    breaker_enter(breaker, has_refused);
    while (turn != BREAKER_CLOSED && !session_is_abandoned(session)) {
        liveness_beat(&session->marks.liveness);
        turn = breaker_turn(breaker, has_refused);
        if (turn == BREAKER_PROBE)
            try_message(session, candidate(request, tries++));
    }
    breaker_leave(breaker, has_refused);
    return turn == BREAKER_CLOSED;
}
