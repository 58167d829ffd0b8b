/*
 * Names what a site has put on a table that can swallow, change or merge a row: triggers, rules and
 * row-level security. Where there is any, a statement that succeeded does not yet mean that its
 * rows are there (store_written.h).
 */
#ifndef KOPRU_PG_FOREIGN_H
#define KOPRU_PG_FOREIGN_H

#include "pg/conn.h"

/* Parameter: the name of a table. Returns a row for each thing of the site's that can meet its
   rows: "trigger x", "trigger x on partition y", "rule x" or "policy x". Rules and policies of a
   partition meet nothing that is written to its table. */
extern const struct pg_statement PG_FOREIGN;

/* Hints at what is on the table where rows are missing, outside of any transaction. Where the
   server does not say, the hint is general. The connection may be lost afterwards; failure->class
   stays what it was. */
void pg_foreign_hint(struct pg_conn *conn, const char *table, struct pg_failure *failure);

#endif
