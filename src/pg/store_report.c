#include "pg/store_report.h"

#include "pg/blame.h"
#include "pg/verdict.h"

#include <stdio.h>
#include <string.h>

static const char QUERY_CANCELED[] = "57014"; /* by statement_timeout, as a rule */
static const char OUT_OF_MEMORY[] = "53200";

enum write_outcome store_outcome(const struct pg_failure *failure)
{
    switch (failure->class) {
    case SQLSTATE_REFUSE:
        return WRITE_REFUSED;
    case SQLSTATE_PAUSE:
        return WRITE_PAUSE;
    case SQLSTATE_RETRY:
    case SQLSTATE_RECONNECT:
        break;
    }
    return WRITE_RETRY;
}

/* Whether it took too much time or too much memory, here or in the server. */
static bool took_too_much(const struct store_transaction *tx)
{
    const char *sqlstate = tx->failure.sqlstate;

    return tx->gave_up || tx->failure.timed_out || strcmp(sqlstate, QUERY_CANCELED) == 0 ||
           strcmp(sqlstate, OUT_OF_MEMORY) == 0;
}

static uint64_t failing_statements(const struct store_transaction *tx)
{
    if (tx->failure.not_written)
        return 0;
    if (tx->failure.statement == NULL)
        return pg_blame_used(&tx->set, tx->copies);
    return pg_blame_failed(&tx->set, tx->target->statements, &tx->failure);
}

void store_judge(struct store_transaction *tx)
{
    struct pg_failure *failure = &tx->failure;

    if (failure->not_written)
        failure->suspect = failure->class == SQLSTATE_RETRY;
    else if (failure->statement != NULL || failure->sqlstate[0] != '\0')
        verdict_reach(failure, tx->target->statements->entity, failing_statements(tx) != 0);
    failure->suspect = failure->suspect || tx->set.unreadable != NULL;
}

void store_fill_report(struct write_report *report, const struct store_transaction *tx)
{
    const struct pg_failure *failure = &tx->failure;

    snprintf(report->sqlstate, sizeof(report->sqlstate), "%s", failure->sqlstate);
    snprintf(report->table, sizeof(report->table), "%s", failure->table);
    snprintf(report->constraint, sizeof(report->constraint), "%s", failure->constraint);
    snprintf(report->column, sizeof(report->column), "%s", failure->column);
    report->error = failure->error;
    report->stale = tx->set.stale;
    report->unreplicated = failure->unreplicated;
    report->too_much = took_too_much(tx);
    report->gave_up = tx->gave_up;
    report->divisible = tx->set.count > 1;
    report->refused = (unsigned)tx->set.too_large_count;
    report->not_written = failure->not_written;
    report->suspect = failure->suspect;
    report->session_ended = failure->suspect && failure->connection_lost && !failure->session_lives;
    report->unproven = failure->unproven;
    report->unclassified = failure->unclassified;
    report->statements = failing_statements(tx);
    for (size_t i = 0; i < tx->set.count; i++)
        report->roots_written += tx->set.entities[i].difference.root;
}
