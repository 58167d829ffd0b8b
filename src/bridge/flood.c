#include "bridge/flood.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>

static void log_breaker(const struct writer *writer, enum log_level level, const char *event,
                        const char *message)
{
    struct stream *stream = writer->stream;
    struct breaker_state state;

    breaker_read(&stream->breaker, &state);
    log_event(level, event, message, LOG_TEXT("queue", stream->settings.queue),
              LOG_NUMBER("refused", state.refused), LOG_NUMBER("window", state.window),
              LOG_TEXT("sqlstate", text_or_null(state.sqlstate)),
              LOG_TEXT("table", text_or_null(state.table)),
              LOG_TEXT("constraint", text_or_null(state.constraint)),
              LOG_NUMBER("probe_ms", state.probe_ms));
}

void flood_refuse(struct writer *writer, struct message *message, const struct write_report *report)
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
    if (breaker_note_refusal(&writer->stream->breaker, report))
        log_breaker(
            writer, LOG_ERROR, "breaker_open",
            "the database refuses too many messages, nothing is written until it takes one");
}

bool flood_is_refused(const struct message *message)
{
    return message->refused && message->refusal.reason == REFUSAL_REJECTED_BY_DATABASE;
}

void flood_forgive(struct message *message)
{
    message->refused = false;
    message->refusal = (struct refusal){ 0 };
}

static size_t count_candidates(const struct write_request *request, bool refused)
{
    size_t count = 0;

    for (size_t i = 0; i < request->count; i++)
        count += refused ? flood_is_refused(request->messages[i]) : !request->messages[i]->refused;
    return count;
}

/* What to try: a message that was refused, else one that may be written; NULL when there is
   neither. Each turn is another one's: some are at fault themselves, and would keep the breaker
   open for ever. */
static struct message *candidate(const struct write_request *request, size_t turn)
{
    const bool refused = count_candidates(request, true) > 0;
    const size_t count = count_candidates(request, refused);
    size_t before = count > 0 ? turn % count : 0;

    for (size_t i = 0; i < request->count; i++) {
        struct message *message = request->messages[i];

        if ((refused ? flood_is_refused(message) : !message->refused) && before-- == 0)
            return message;
    }
    return NULL;
}

bool flood_concerns(const struct write_request *request)
{
    return candidate(request, 0) != NULL;
}

/* One message in a transaction that is rolled back. */
static void try_message(struct writer *writer, struct message *message)
{
    struct stream *stream = writer->stream;
    const struct write_request request = { .messages = &message, .count = 1, .probe = true };
    const struct refusal refusal = message->refusal;
    const bool refused = message->refused;
    struct write_report report;
    enum write_outcome outcome;
    int64_t epoch = atomic_load(&stream->epoch);

    flood_forgive(message);
    outcome = stream->ports.store.write(writer->store, epoch, &request, &report);
    message->refused = refused;
    message->refusal = refusal;
    tally_outcome(&stream->tally, &writer->mark, outcome, &report);
    if (outcome == WRITE_LOST_PLACE)
        stream_lose_place(stream, epoch);
    if (outcome == WRITE_COMMITTED)
        log_breaker(writer, LOG_INFO, "breaker_closed",
                    "the database takes a message again, writing goes on");
    else
        log_breaker(writer, LOG_ERROR, "breaker_still_open",
                    "the database does not take a message that was tried");
    breaker_probed(&stream->breaker, outcome == WRITE_COMMITTED);
}

bool flood_wait(struct writer *writer, const struct write_request *request)
{
    struct stream *stream = writer->stream;
    struct breaker *breaker = &stream->breaker;
    const bool has_refused = flood_is_refused(candidate(request, 0));
    enum breaker_turn turn = BREAKER_WAIT;
    size_t tries = 0;

    breaker_enter(breaker, has_refused);
    while (turn != BREAKER_CLOSED && !atomic_load(&stream->abandoned)) {
        pulse_beat(&writer->mark.pulse);
        turn = breaker_turn(breaker, has_refused);
        if (turn == BREAKER_PROBE)
            try_message(writer, candidate(request, tries++));
    }
    breaker_leave(breaker, has_refused);
    return turn == BREAKER_CLOSED;
}
