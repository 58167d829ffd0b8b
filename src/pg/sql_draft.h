/*
 * A statement while its text is written, with the type of each parameter that it takes.
 *
 *     sql_draft_init(&draft)
 *     buffer_append_text(&draft.sql, "SELECT * FROM unnest(")
 *     sql_draft_arrays(&draft, table, table->key_count)           // "$1::text[], $2::integer[]"
 *     ...
 *     sql_draft_finish(&draft, &arena, "find", table, &statement) // and the next one may begin
 *     sql_draft_release(&draft)
 *
 * Appending does not fail; sql_draft_finish() tells whether it did.
 */
#ifndef KOPRU_PG_SQL_DRAFT_H
#define KOPRU_PG_SQL_DRAFT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "model/entity.h"
#include "pg/array.h"
#include "pg/call.h"

enum { SQL_DRAFT_MAX_BYTES = 1 << 20 };

struct sql_draft {
    struct buffer sql;
    Oid types[1700]; /* one for each column at most: PostgreSQL allows 1,600 */
    int count;
};

void sql_draft_init(struct sql_draft *draft);
void sql_draft_release(struct sql_draft *draft);

/* Appends "$3::text[]": the next parameter, after a comma unless it is the first. */
void sql_draft_array(struct sql_draft *draft, const struct pg_type *type);

/* Appends "$3::text": the next parameter, which is no array. */
void sql_draft_scalar(struct sql_draft *draft, Oid type, const char *name);

/* Appends a parameter for each of the first columns of the table. */
void sql_draft_arrays(struct sql_draft *draft, const struct table *table, size_t count);

/* Appends "a, b, c": the columns [from, to), each with the prefix. */
void sql_draft_columns(struct sql_draft *draft, const struct table *table, size_t from, size_t to,
                       const char *prefix);

/* Appends all columns of the table `t` as they are read: "t.a, t.b::text, t.c". */
void sql_draft_selected(struct sql_draft *draft, const struct table *table);

/* Appends the columns of the key as they are read. */
void sql_draft_key(struct sql_draft *draft, const struct table *table);

/* Appends "b = excluded.b, c = excluded.c" for all columns but those of the key. */
void sql_draft_excluded(struct sql_draft *draft, const struct table *table);

/* Copies the draft into the arena as a statement named kopru_VERB_TABLE, and starts it anew.
   Returns 0, or -1 when there is no memory. */
int sql_draft_finish(struct sql_draft *draft, struct arena *arena, const char *verb,
                     const struct table *table, struct pg_statement *out);

#endif
