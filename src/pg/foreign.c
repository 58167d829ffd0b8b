#include "pg/foreign.h"

#include "base/text.h"
#include "pg/array.h"
#include "pg/binary.h"
#include "pg/round_trip.h"

#include <string.h>

/*
 * The catalog is asked by name each time, and not by an oid that a prepared statement would keep:
 * somebody may drop a table and create it again. It is a handful of index lookups. Names are
 * qualified, because the hint is made outside of a transaction, where PG_SETTINGS does not hold.
 */

enum { NAMES_MAX_BYTES = 256 };

const struct pg_statement PG_FOREIGN = {
    .name = "kopru_foreign",
    .sql = "SELECT c.relname::text, f.what\n"
           "FROM pg_catalog.pg_class AS c\n"
           "CROSS JOIN LATERAL (SELECT c.oid"
           " UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(c.oid) AS p) AS part(oid)\n"
           "CROSS JOIN LATERAL ("
           "SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger AS t"
           " WHERE t.tgrelid = part.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'"
           " AND t.tgtype & 28 <> 0"
           " UNION ALL SELECT 'rule ' || r.rulename FROM pg_catalog.pg_rewrite AS r"
           " WHERE r.ev_class = part.oid AND r.ev_enabled <> 'D'"
           " UNION ALL SELECT 'policy ' || p.polname FROM pg_catalog.pg_policy AS p"
           " WHERE p.polrelid = part.oid AND c.relrowsecurity"
           ") AS f(what)\n"
           "WHERE c.relname = ANY ($1::text[])"
           " AND c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n"
           " WHERE n.nspname = 'kopru')",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_ARRAY_OID },
};

/* Writes "trigger a, rule b", or nothing. */
static void join_names(char *out, size_t size, const PGresult *rows)
{
    out[0] = '\0';
    for (int row = 0; row < PQntuples(rows); row++)
        text_append(out, size, "%s%s", row > 0 ? ", " : "", PQgetvalue(rows, row, 1));
}

static void ask(struct pg_conn *conn, const char *table, char *names, size_t size)
{
    struct pg_array tables;
    struct pg_call call = { .statement = &PG_FOREIGN };
    struct pg_failure failure;

    pg_array_init(&tables, TEXT_OID, NAMES_MAX_BYTES);
    pg_array_bytes(&tables, slice_of(table));
    if (pg_array_finish(&tables) == 0) {
        call.params = &(struct pg_params){ 1, (const char *[]){ tables.bytes.data },
                                           (const int[]){ (int)tables.bytes.len } };
        if (pg_conn_round_trip(conn, &call, 1, &failure) == 0)
            join_names(names, size, call.result);
    }
    pg_calls_clear(&call, 1);
    pg_array_release(&tables);
}

void pg_foreign_hint(struct pg_conn *conn, const char *table, struct pg_failure *failure)
{
    char names[NAMES_MAX_BYTES] = "";

    if (conn != NULL)
        ask(conn, table, names, sizeof(names));
    if (names[0] != '\0')
        error_hint(&failure->error,
                   "on %s.%s there is %s, which kopru did not make: see that it neither drops a "
                   "row nor changes its key, or remove it",
                   "kopru", table, names);
    else
        error_hint(&failure->error,
                   "look for a trigger, a rule or row-level security that swallows rows or changes "
                   "their keys: kopru check names what is on the tables");
}
