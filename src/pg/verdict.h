/*
 * Whether what the database refused is one message's fault. The SQLSTATE alone does not say so: a
 * whole table raises 23514 when a partition is missing, and a server that takes no commands raises
 * 54000. So the allow-list of sqlstate.h is only the first condition of a dead letter. The second
 * is a row of this table: what in the server's answer ties the error to the row, and what is needed
 * where nothing does.
 */
#ifndef KOPRU_PG_VERDICT_H
#define KOPRU_PG_VERDICT_H

#include "model/entity.h"
#include "pg/failure.h"

/* What the server's answer has to say for a row of the table to apply. */
enum verdict_sign {
    SIGN_OWN_CONSTRAINT, /* a constraint of one of the entity's tables */
    SIGN_FILLED_COLUMN,  /* a column that the entity file fills, of one of its tables */
    SIGN_OWN_INDEX,      /* the same, raised by kopru's own statement and not in a function */
    SIGN_PARAMETER,      /* raised while a parameter of kopru's was read */
    SIGN_TABLE_ALONE,    /* a table, and no constraint of it */
    SIGN_FOREIGN_TABLE,  /* a table that is none of the entity's */
    SIGN_ANY,
};

enum verdict {
    VERDICT_FINAL,      /* the row is at fault */
    VERDICT_NEIGHBOURS, /* it is, once others have been committed through the same statement */
    VERDICT_PROOF, /* it is, once it failed for long while others were committed (quarantine.*) */
    VERDICT_PAUSE, /* it never is: a person has to change something */
};

/* A row of the table. The first that fits decides. */
struct verdict_row {
    const char *state; /* a whole SQLSTATE or its beginning */
    enum verdict_sign sign;
    enum verdict verdict;
    const char *why; /* for a person */
};

/* Returns the row that decides about a failure of class SQLSTATE_REFUSE, which a statement with
   rows of that entity met. */
const struct verdict_row *verdict_find(const struct pg_failure *failure,
                                       const struct entity *entity);

/* Returns the entity's table that the failure names, itself or by a partition of it, or NULL if it
   names none. */
const struct table *verdict_own_table(const struct pg_failure *failure,
                                      const struct entity *entity);

/* Whether the table that the failure names is one of the entity's, and the entity file fills that
   column of it. */
bool verdict_fills(const struct pg_failure *failure, const struct entity *entity,
                   const char *column);

/* Decides about a failed transaction. carries_rows: the statement that failed, or in which the
   session ended, carried rows of the entity; neither BEGIN, the lease check, COMMIT nor the dead
   letters do. Call pg_partition_look_up() before it. Sets failure->class, and what follows from it;
   failure->suspect, unproven, unclassified, and a hint. A session that ends in a statement with
   rows is suspect, since a trigger may have ended it, or a row may have crashed the server; but it
   is never a verdict, since an outage looks the same. */
void verdict_reach(struct pg_failure *failure, const struct entity *entity, bool carries_rows);

#endif
