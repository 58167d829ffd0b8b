#include "pg/prepared.h"

#include "base/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A linear search: an entity has a handful of statements, and comparing addresses costs less than
   hashing one. */
const char *pg_prepared_name(const struct pg_prepared *prepared,
                             const struct pg_statement *statement)
{
    for (size_t i = 0; i < prepared->count; i++) {
        if (prepared->entries[i].statement == statement)
            return prepared->entries[i].name;
    }
    return NULL;
}

const char *pg_prepared_add(struct pg_prepared *prepared, PGconn *pg,
                            const struct pg_statement *statement)
{
    struct pg_prepared_entry *entry = &prepared->entries[prepared->count];

    entry->statement = statement;
    snprintf(entry->name, sizeof(entry->name), "%.40s_%016" PRIx64,
             statement->name != NULL ? statement->name : "kopru",
             digest_quick(slice_of(statement->sql)));
    if (PQsendPrepare(pg, entry->name, statement->sql, statement->param_count,
                      statement->param_types) != 1)
        return NULL;
    prepared->count++;
    return entry->name;
}

void pg_prepared_forget(struct pg_prepared *prepared, const struct pg_statement *statement)
{
    for (size_t i = 0; i < prepared->count; i++) {
        if (prepared->entries[i].statement == statement) {
            prepared->entries[i] = prepared->entries[--prepared->count];
            return;
        }
    }
}

bool pg_prepared_is_not_kept(const char *sqlstate)
{
    return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "42P05") == 0;
}
