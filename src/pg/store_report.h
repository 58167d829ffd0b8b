/*
 * Turns a transaction's failure and write set into the outcome and the report of model/message.h.
 * Nothing here changes what the transaction still does.
 */
#ifndef KOPRU_PG_STORE_REPORT_H
#define KOPRU_PG_STORE_REPORT_H

#include "pg/store_transaction.h"

/* Decides whether what failed may be about a message (verdict.h), before the two that follow. */
void store_judge(struct store_transaction *tx);

/* Returns the outcome of a transaction that failed. */
enum write_outcome store_outcome(const struct pg_failure *failure);

/* Fills *report for a transaction that was committed, or failed at any step. */
void store_fill_report(struct write_report *report, const struct store_transaction *tx);

#endif
