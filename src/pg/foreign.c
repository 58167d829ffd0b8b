#include "pg/foreign.h"

#include "base/text.h"
#include "pg/binary.h"
#include "pg/question.h"

/*
 * The question is asked after a rollback, so PG_SETTINGS does not hold, and names are qualified.
 */

enum { NAMES_MAX_BYTES = 256 };

const struct pg_statement PG_FOREIGN = {
    .name = "kopru_foreign",
    .sql = "SELECT f.what\n"
           "FROM pg_catalog.pg_class AS c\n"
           "CROSS JOIN LATERAL ("
           "SELECT 'trigger ' || t.tgname || CASE"
           " WHEN pg_catalog.bool_or(t.tgrelid = c.oid) THEN ''"
           " WHEN pg_catalog.count(*) = 1 THEN ' on partition ' || pg_catalog.min(p.relname::text)"
           " ELSE ' on ' || pg_catalog.count(*) || ' partitions' END"
           " FROM (SELECT c.oid"
           " UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(c.oid) AS tree) AS part(oid)"
           " JOIN pg_catalog.pg_class AS p ON p.oid = part.oid"
           " JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = p.oid"
           " WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' GROUP BY t.tgname"
           " UNION ALL SELECT 'rule ' || r.rulename FROM pg_catalog.pg_rewrite AS r"
           " WHERE r.ev_class = c.oid AND r.ev_enabled <> 'D'"
           " UNION ALL SELECT 'policy ' || p.polname FROM pg_catalog.pg_policy AS p"
           " WHERE p.polrelid = c.oid AND c.relrowsecurity"
           ") AS f(what)\n"
           "WHERE c.relname = $1"
           " AND c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n"
           " WHERE n.nspname = 'kopru')\n"
           "ORDER BY 1",
    .param_count = 1,
    .param_types = (const Oid[]){ TEXT_OID },
};

/* Writes "trigger a, rule b", or nothing. */
static void join_names(char *out, size_t size, const PGresult *rows)
{
    out[0] = '\0';
    for (int row = 0; row < PQntuples(rows); row++)
        text_append(out, size, "%s%s", row > 0 ? ", " : "", PQgetvalue(rows, row, 0));
}

static void ask(struct pg_conn *conn, const char *table, char *names, size_t size)
{
    struct pg_failure failure;
    PGresult *rows = pg_question_ask(conn, &PG_FOREIGN, &table, &failure);

    if (rows != NULL)
        join_names(names, size, rows);
    PQclear(rows);
}

void pg_foreign_hint(struct pg_conn *conn, const char *table, struct pg_failure *failure)
{
    char names[NAMES_MAX_BYTES] = "";

    if (conn != NULL)
        ask(conn, table, names, sizeof(names));
    if (names[0] != '\0')
        error_hint(&failure->error,
                   "on kopru.%s there is %s, which kopru did not make: see that it neither drops a "
                   "row nor changes its key, or remove it",
                   table, names);
    else
        error_hint(&failure->error,
                   "look for a trigger, a rule or row-level security that swallows rows or changes "
                   "their keys: kopru check names what is on the tables");
}
