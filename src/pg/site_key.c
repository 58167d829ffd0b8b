#include "pg/site_key.h"

#include "pg/binary.h"
#include "pg/question.h"
#include "pg/verdict.h"

#include <string.h>

/*
 * The server names the constraint and not its columns, but for the DETAIL, which has values. The
 * index has the schema of its table, which may be a partition in another one. The question is asked
 * after a rollback, so PG_SETTINGS does not hold, and names are qualified.
 */

const struct pg_statement PG_INDEX_COLUMNS = {
    .name = "kopru_index_columns",
    .sql = "SELECT a.attname::text\n"
           "FROM pg_catalog.pg_class AS c"
           " JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid\n"
           "CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) AS k(attnum)\n"
           "LEFT JOIN pg_catalog.pg_attribute AS a"
           " ON a.attrelid = i.indrelid AND a.attnum = k.attnum\n"
           "WHERE c.relname = $2"
           " AND c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n"
           " WHERE n.nspname = $1)",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_OID },
};

static bool is_unique_violation(const struct pg_failure *failure)
{
    return failure->class == SQLSTATE_REFUSE &&
           (strcmp(failure->sqlstate, "23505") == 0 || strcmp(failure->sqlstate, "23P01") == 0);
}

/* Whether there are columns, and kopru fills none of them. */
static bool are_the_sites(const PGresult *columns, const struct entity *entity,
                          const struct pg_failure *failure)
{
    for (int row = 0; row < PQntuples(columns); row++)
        if (PQgetisnull(columns, row, 0) ||
            verdict_fills(failure, entity, PQgetvalue(columns, row, 0)))
            return false;
    return PQntuples(columns) > 0;
}

void pg_site_key_judge(struct pg_conn *conn, const struct entity *entity,
                       struct pg_failure *failure)
{
    const char *const names[] = { failure->schema, failure->constraint };
    struct pg_failure unasked;
    PGresult *columns;

    if (conn == NULL || failure->constraint[0] == '\0' || !is_unique_violation(failure))
        return;
    columns = pg_question_ask(conn, &PG_INDEX_COLUMNS, names, &unasked);
    if (columns != NULL && are_the_sites(columns, entity, failure)) {
        failure->class = SQLSTATE_PAUSE;
        failure->error.kind = ERROR_PROBLEMS;
        error_hint(&failure->error,
                   "kopru fills no column of that key: see that the column's default gives new "
                   "values, as with setval() of its sequence");
    }
    PQclear(columns);
}
