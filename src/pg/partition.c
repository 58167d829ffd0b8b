#include "pg/partition.h"

#include "pg/binary.h"
#include "pg/question.h"
#include "pg/verdict.h"

#include <stdio.h>

/*
 * Only such a refusal costs this question, so that nothing has to be remembered of the partitions,
 * which a DBA may attach, detach and rename at any time. It is asked after a rollback, so
 * PG_SETTINGS does not hold, and names are qualified.
 */

const struct pg_statement PG_PARTITION_OF = {
    .name = "kopru_partition_of",
    .sql = "SELECT a.relname::text\n"
           "FROM pg_catalog.pg_class AS c"
           " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n"
           "CROSS JOIN LATERAL pg_catalog.pg_partition_ancestors(c.oid) AS up(oid)\n"
           "JOIN pg_catalog.pg_class AS a ON a.oid = up.oid\n"
           "JOIN pg_catalog.pg_namespace AS s ON s.oid = a.relnamespace\n"
           "WHERE n.nspname = $1 AND c.relname = $2 AND s.nspname = '" ENTITY_SCHEMA "'",
    .param_count = 2,
    .param_types = (const Oid[]){ TEXT_OID, TEXT_OID },
};

static void take_own(const PGresult *tables, const struct entity *entity,
                     struct pg_failure *failure)
{
    for (int row = 0; row < PQntuples(tables); row++) {
        snprintf(failure->partition_of, sizeof(failure->partition_of), "%s",
                 PQgetvalue(tables, row, 0));
        if (verdict_own_table(failure, entity) != NULL)
            return;
    }
    failure->partition_of[0] = '\0';
}

void pg_partition_look_up(struct pg_conn *conn, const struct entity *entity,
                          struct pg_failure *failure)
{
    const char *const names[] = { failure->schema, failure->table };
    struct pg_failure unasked;
    PGresult *tables;

    if (conn == NULL || failure->class != SQLSTATE_REFUSE || failure->table[0] == '\0' ||
        verdict_own_table(failure, entity) != NULL)
        return;
    tables = pg_question_ask(conn, &PG_PARTITION_OF, names, &unasked);
    if (tables != NULL)
        take_own(tables, entity, failure);
    PQclear(tables);
}
