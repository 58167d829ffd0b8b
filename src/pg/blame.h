/*
 * Which statements a transaction went through, and which of them failed, as bits: whether the
 * neighbours of a message that fails again and again committed through the same statements.
 */
#ifndef KOPRU_PG_BLAME_H
#define KOPRU_PG_BLAME_H

#include "pg/failure.h"
#include "pg/statements.h"
#include "pg/write_set.h"

/* What a transaction of that plan uses, as far as it is known: before the plan is folded only its
   first statement. copies: the child rows of new roots went by COPY, which proves nothing about the
   statement that writes others. */
uint64_t pg_blame_used(const struct write_set *set, bool copies);

/* The one that failed; all that were used where the server did not say which, as at COMMIT. 0: none
   that says anything about a message. */
uint64_t pg_blame_failed(const struct write_set *set, const struct pg_statements *statements,
                         const struct pg_failure *failure);

#endif
