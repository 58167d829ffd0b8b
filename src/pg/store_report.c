#include "pg/store_report.h"

#include "pg/blame.h"

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

/* Only a server that is still there can have refused a message. */
static void fill_blame(struct write_report *report, const struct store_transaction *tx)
{
    const struct pg_failure *failure = &tx->failure;

    report->statements = pg_blame_used(&tx->set, tx->copies);
    if (failure->not_written) {
        report->not_written = true;
        report->unclassified = failure->class == SQLSTATE_RETRY;
        report->statements = 0;
        return;
    }
    if (failure->sqlstate[0] == '\0')
        return;
    report->statements = pg_blame_failed(&tx->set, tx->target->statements, failure);
    report->unclassified = report->statements != 0 && !failure->connection_lost &&
                           sqlstate_is_unclassified(failure->sqlstate);
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
    fill_blame(report, tx);
    for (size_t i = 0; i < tx->set.count; i++)
        report->roots_written += tx->set.entities[i].difference.root;
}
