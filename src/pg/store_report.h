/*
 * What the writer is told about a transaction: from its failure and its write set to the outcome
 * and the report of model/message.h. Decides nothing that the transaction still does.
 */
#ifndef KOPRU_PG_STORE_REPORT_H
#define KOPRU_PG_STORE_REPORT_H

#include "pg/store_transaction.h"

/* The outcome of a transaction that failed. */
enum write_outcome store_outcome(const struct pg_failure *failure);

/* Fills *report, whatever came: from a transaction that was committed, or failed at any step. */
void store_fill_report(struct write_report *report, const struct store_transaction *tx);

#endif
