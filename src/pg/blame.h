/*
 * Which statements a transaction went through, and which of them failed, as one bit for each. By
 * these the writer sees whether other messages have committed through the very statements in which
 * one message fails again and again; only then is that message at fault.
 */
#ifndef KOPRU_PG_BLAME_H
#define KOPRU_PG_BLAME_H

#include "pg/failure.h"
#include "pg/statements.h"
#include "pg/write_set.h"

/* The statements that a transaction of that write set uses, as far as they are known: before the
   set is folded, only the first. copies: the child rows of new roots went by COPY, which proves
   nothing about the statement that writes the others. */
uint64_t pg_blame_used(const struct write_set *set, bool copies);

/* The statement that failed; all that wrote rows where the server did not say which, as when
   deferred constraints are checked. 0 when what failed says nothing about a message, as BEGIN, or
   COMMIT, before which every constraint has been checked. */
uint64_t pg_blame_failed(const struct write_set *set, const struct pg_statements *statements,
                         const struct pg_failure *failure);

/* Returns the statements that change the child table of that number; for child_count, all others:
   those of the root table, and the one that loads. */
uint64_t pg_blame_of_table(const struct entity *entity, size_t table);

/* Whether one of these statements deletes rows of that child table. */
bool pg_blame_removes(uint64_t statements, size_t child);

#endif
